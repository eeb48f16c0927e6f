"""FLASH: speed and memory beside FLASH-pytorch and a transformer's layer. `bench_attention.py` prints these tables.

    python benchmarks/_bench_flash.py [--lengths 512 4096] [--rounds N]

The environment is that of the benchmarks (FLASH-pytorch 0.1.9). Memory is measured in processes of their own.
"""

import argparse
import ctypes
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from flash_pytorch import FLASH as PeerFLASH
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._fresh import memory
from benchmarks._report import CONSOLE, Table
from benchmarks._timing import medians, seconds
from skpapers.attention import FLASH

D_MODEL = 256
N_HEADS = 4
LENGTHS = (512, 1024, 4096, 8192)
MEMORY_LENGTH = 8192


class TransformerLayer(nn.Module):
    """Exact attention (torch's fused kernel), then a dense layer four times as wide, each with a normalisation."""

    def __init__(self, d_model: int, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.norm_1 = nn.LayerNorm(d_model)
        self.norm_2 = nn.LayerNorm(d_model)
        self.projection = nn.Linear(d_model, 3 * d_model)
        self.output = nn.Linear(d_model, d_model)
        self.dense_1 = nn.Linear(d_model, 4 * d_model)
        self.dense_2 = nn.Linear(4 * d_model, d_model)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.projection(self.norm_1(x)).unflatten(-1, (3, N_HEADS, -1))
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.output(seen.transpose(1, 2).flatten(2))
        return x + self.dense_2(F.gelu(self.dense_1(self.norm_2(x))))


LAYERS: dict[str, Callable[..., nn.Module]] = {
    "MHA + FFN": TransformerLayer,
    "FLASH-pytorch": lambda d_model, *, causal: PeerFLASH(dim=d_model, causal=causal),
    "FLASH": lambda d_model, *, causal: FLASH(d_model, causal=causal, random_state=0),
}


@torch.no_grad()
def forward(layer: nn.Module, x: Tensor) -> None:
    layer(x)


def training_step(layer: nn.Module, x: Tensor, gradient: Tensor) -> None:
    torch.autograd.grad(layer(x), [x, *(p for p in layer.parameters() if p.requires_grad)], gradient)


def speed_table(lengths: tuple[int, ...], max_rounds: int) -> Table:
    """Return the CPU times of one layer; the three take turns."""
    rows = []
    for causal in (False, True):
        layers = [make(D_MODEL, causal=causal) for make in LAYERS.values()]
        for length in lengths:
            x = torch.randn(1, length, D_MODEL, requires_grad=True)
            gradient = torch.randn(1, length, D_MODEL)
            CONSOLE.print(f"[dim]FLASH, {length} positions{', causal' * causal}[/dim]")
            for name, job in (
                ("forward", lambda layer, x, _: forward(layer, x)),
                ("forward and backward", training_step),
            ):
                jobs: list[Callable[[], object]] = [partial(job, layer, x, gradient) for layer in layers]
                dense, peer, ours = medians(jobs, max_rounds)
                rows.append(
                    [
                        f"{length}{', causal' * causal}, {name}",
                        *(seconds(value) for value in (dense, peer, ours)),
                        f"{dense / ours:.2f}",
                        f"{peer / ours:.2f}",
                    ]
                )
    note = f"One sequence, d = {D_MODEL}; e = 2 d, s = 128, C = 256. Ratios above 1: FLASH is faster."
    columns = ["positions", *LAYERS, "MHA + FFN / ours", "FLASH-pytorch / ours"]
    return Table("FLASH layer, CPU time", columns, rows, note)


def memory_table(length: int = MEMORY_LENGTH) -> Table:
    """Return the memory of a training step beyond what was there before."""
    rows = []
    for causal in (False, True):
        found = []
        for name in LAYERS:
            spec = json.dumps({"layer": name, "length": length, "causal": causal})
            command = [sys.executable, str(Path(__file__).resolve()), "--step", spec]
            found.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        dense, peer, ours = found
        rows.append(
            [
                f"{length}{', causal' * causal}",
                *(f"{value / 2**20:.0f} MiB" for value in found),
                f"{ours / dense:.2f}",
                f"{ours / peer:.2f}",
            ]
        )
    columns = ["positions", *LAYERS, "ours / MHA + FFN", "ours / FLASH-pytorch"]
    return Table(
        "FLASH layer, memory of a training step", columns, rows, "Output and gradients of the inputs included."
    )


def step_memory(layer: str, length: int, causal: bool) -> int:
    """Return the bytes that a training step needs in this process."""
    module = LAYERS[layer](D_MODEL, causal=causal)
    training_step(module, torch.randn(1, 64, D_MODEL, requires_grad=True), torch.randn(1, 64, D_MODEL))
    x = torch.randn(1, length, D_MODEL, requires_grad=True)
    gradient = torch.randn(1, length, D_MODEL)
    ctypes.CDLL(None).malloc_trim(0)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    training_step(module, x, gradient)
    return memory("VmHWM") - before


def tables(max_rounds: int, lengths: tuple[int, ...] = LENGTHS) -> list[Table]:
    """Return all tables of FLASH."""
    return [speed_table(lengths, max_rounds), memory_table()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", nargs="+", type=int, default=LENGTHS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--step", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if arguments.step is not None:
        print(step_memory(**arguments.step))
        return
    for table in tables(arguments.rounds, tuple(arguments.lengths)):
        table.print()


if __name__ == "__main__":
    main()
