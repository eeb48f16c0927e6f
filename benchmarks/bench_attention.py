"""Linear attention against torch's exact one and performer-pytorch: time, memory, and where linear becomes faster.

    python benchmarks/bench_attention.py [--parts forward training windows memory flash] [--rounds N] [--longest L]
        [--out FILE.md]

One process and one thread; all sides take turns; CPU time, medians. d = 64 and 4 heads unless a table says otherwise.
Memory is measured in a process of its own for each number, beyond what its inputs take; for Linux with glibc.
"""

import argparse
import ctypes
import gc
import io
import json
import math
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._fresh import memory
from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from skpapers.attention import linear_attention
from skpapers.attention._performer import PositiveFeatures
from skpapers.attention._random_feature_attention import FourierFeatures

HEADS = 4
DIMS = 64
LENGTHS = (256, 512, 1024, 2048, 4096, 8192, 16384)
TRAINING_LENGTHS = (512, 2048, 8192)
MEMORY_LENGTH = 8192
LONGEST_OF_THE_CAUSAL_PEER = 8192
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def favor(d: int, n_heads: int, causal: bool = False) -> Attention:
    phi = PositiveFeatures(d, int(d * math.log(d)))
    phi.draw(np.random.RandomState(0))
    return partial(linear_attention, feature_map=phi, causal=causal)  # type: ignore[return-value]


def rfa(d: int, n_heads: int, causal: bool = False) -> Attention:
    phi = FourierFeatures(d, 64 if d == 64 else 32, n_heads, sigma=0.5)
    phi.draw(np.random.RandomState(0))
    return partial(linear_attention, feature_map=phi, causal=causal, normalizer="count")  # type: ignore[return-value]


def exact(d: int, n_heads: int, causal: bool = False) -> Attention:
    return partial(F.scaled_dot_product_attention, is_causal=causal)


def performer_pytorch(d: int, n_heads: int, causal: bool = False) -> Attention:
    from performer_pytorch import FastAttention

    with redirect_stdout(io.StringIO()):  # it prints that it lacks code for other devices
        return FastAttention(d, int(d * math.log(d)), causal=causal)


METHODS: dict[str, Callable[..., Attention]] = {
    "exact": exact,
    "performer-pytorch": performer_pytorch,
    "FAVOR+": favor,
    "RFA": rfa,
}


def inputs(L: int, B: int = 1, H: int = HEADS, d: int = DIMS, training: bool = False) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(B, H, L, d, generator=generator).requires_grad_(training) for _ in range(3)]


@torch.no_grad()
def forward(attention: Attention, qkv: list[Tensor]) -> None:
    attention(*qkv)


def both_ways(attention: Attention, qkv: list[Tensor], gradient: Tensor) -> None:
    torch.autograd.grad(attention(*qkv), qkv, gradient)


def job(name: str, L: int, causal: bool, training: bool, **shape: int) -> Callable[[], None]:
    attention = METHODS[name](shape.get("d", DIMS), shape.get("H", HEADS), causal)
    qkv = inputs(L, training=training, **shape)
    return (
        partial(both_ways, attention, qkv, torch.randn_like(qkv[0])) if training else partial(forward, attention, qkv)
    )


# Time -------------------------------------------------------------------------------------------------------------


def too_large(L: int, causal: bool, training: bool) -> bool:
    """Return whether performer-pytorch is left out: causal, it stores an outer product for each position."""
    longest = LONGEST_OF_THE_CAUSAL_PEER // 8 if training else LONGEST_OF_THE_CAUSAL_PEER
    return causal and longest < L


def times(L: int, causal: bool, training: bool, rounds: int) -> dict[str, float]:
    names = [name for name in METHODS if name != "performer-pytorch" or not too_large(L, causal, training)]
    jobs = [job(name, L, causal, training) for name in names]
    return dict(zip(names, medians(jobs, rounds), strict=True))


def time_rows(lengths: tuple[int, ...], causal: bool, training: bool, rounds: int) -> Table:
    rows = []
    found: dict[int, dict[str, float]] = {}
    for L in lengths:
        CONSOLE.print(f"[dim]{L}[/dim]")
        found[L] = times(L, causal, training, rounds)
        exact_time = found[L]["exact"]
        favor_time = found[L]["FAVOR+"]
        peer = found[L].get("performer-pytorch")
        rows.append(
            [
                str(L),
                seconds(exact_time),
                "" if peer is None else seconds(peer),
                seconds(favor_time),
                seconds(found[L]["RFA"]),
                f"{exact_time / favor_time:.2f}",
                f"{exact_time / found[L]['RFA']:.2f}",
                "" if peer is None else f"{peer / favor_time:.2f}",
            ]
        )
    if {4096, 16384} <= set(lengths):
        growth = {name: f"{found[16384][name] / found[4096][name]:.1f}" for name in found[16384]}
        cells = [growth.get(name, "") for name in METHODS]
        rows.append(["time of 16384 / of 4096", *cells, "", "", ""])
    kind = "forward and backward" if training else "forward"
    columns = [
        "length",
        "exact",
        "performer-pytorch",
        "FAVOR+",
        "RFA",
        "exact / FAVOR+",
        "exact / RFA",
        "peer / FAVOR+",
    ]
    note = "exact: scaled_dot_product_attention. FAVOR+ and its peer have 266 features, RFA 64 frequencies."
    return Table(f"{'Causal' if causal else 'All keys'}, {kind}", columns, rows, note)


def window_rows(rounds: int) -> Table:
    """The shapes that estimators train on: where does linear attention become faster than exact attention?"""
    rows = []
    shape = {"B": 32, "H": 2, "d": 16}
    names = ["exact", "FAVOR+", "RFA"]
    for L in (64, 128, 192, 256, 384, 512):
        cells = [str(L)]
        for causal in (False, True):
            found = medians([job(name, L, causal, True, **shape) for name in names], rounds)
            cells += [*map(seconds, found), *(f"{found[0] / time:.2f}" for time in found[1:])]
        rows.append(cells)
    of_kind = ["exact", "FAVOR+", "RFA", "exact / FAVOR+", "exact / RFA"]
    columns = ["length", *of_kind, *(f"causal: {name}" for name in of_kind)]
    note = "Forward and backward of 32 windows, 2 heads, d = 16; FAVOR+ has 44 features, RFA 32 frequencies."
    return Table("Windows of an estimator", columns, rows, note)


# Memory -----------------------------------------------------------------------------------------------------------


def extra_memory(name: str, L: int, causal: bool, training: bool) -> int:
    """Return the bytes that a job needs beyond its inputs, measured in a process of its own."""
    spec = json.dumps({"name": name, "L": L, "causal": causal, "training": training})
    command = [sys.executable, __file__, "--alone", spec]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


def alone(spec: dict) -> None:
    """Run one job and print its memory: first a short one, so that what libraries load is not counted."""
    job(**{**spec, "L": 256})()
    run = job(**spec)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    run()
    print(memory("VmHWM") - before)


def memory_rows(L: int) -> Table:
    output = 4 * HEADS * L * DIMS
    rows = []
    for causal in (False, True):
        for training in (False, True):
            kind = f"{'causal' if causal else 'all keys'}, {'forward and backward' if training else 'forward'}"
            cells = [kind]
            for name in METHODS:
                if name == "performer-pytorch" and too_large(L, causal, training):
                    cells.append("")
                    continue
                size = extra_memory(name, L, causal, training)
                cells.append(f"{size / 2**20:.0f} MiB ({size / output:.1f})")
            rows.append(cells)
    note = f"L = {L}. In brackets: multiples of the output, {output / 2**20:.0f} MiB, which is included."
    return Table("Memory beyond the inputs", ["pass", *METHODS], rows, note)


def tables(parts: list[str], rounds: int, longest: int) -> list[Table]:
    found = []
    for causal in (False, True):
        if "forward" in parts:
            found.append(time_rows(tuple(L for L in LENGTHS if longest >= L), causal, False, rounds))
        if "training" in parts:
            found.append(time_rows(tuple(L for L in TRAINING_LENGTHS if longest >= L), causal, True, rounds))
    if "windows" in parts:
        found.append(window_rows(rounds))
    if "memory" in parts:
        found.append(memory_rows(min(MEMORY_LENGTH, longest)))
    if "flash" in parts:
        from benchmarks._bench_flash import tables as flash_tables  # it needs FLASH-pytorch

        found += flash_tables(rounds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts", nargs="+", default=["forward", "training", "windows", "memory", "flash"], metavar="PART"
    )
    parser.add_argument("--rounds", type=int, default=7, help="most rounds of a timing, default 7")
    parser.add_argument("--longest", type=int, default=LENGTHS[-1], help="longest sequence")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    parser.add_argument("--alone", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with threadpool_limits(1):
        if args.alone:
            alone(args.alone)
            return
        found = tables(args.parts, args.rounds, args.longest)
    for table in found:
        table.print()
    line = versions_line(versions("skpapers", "torch", "performer-pytorch", "numpy"))
    CONSOLE.print(f"[dim]{line}[/dim]")
    if args.out:
        parts = [f"## {table.title}\n\n{table.markdown()}" for table in found]
        args.out.write_text("\n\n".join(["# Attention: speed and memory", *parts, line]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
