"""Maps of paths: one backward pass against one forward pass for each pixel; the cost of a report; training times.

    python benchmarks/bench_convolution.py [--rounds N] [--out FILE.md]

One process and one thread; both sides take turns; CPU time, medians. The forward passes are those of a linear twin of
the network, which is made beforehand; the backward pass is all that `foveation_map` does. Accuracies by position are a
claim: `python benchmarks/reproduce.py mind_the_pad_positions`.
"""

import argparse
import copy
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._bench_convnet import training_rows
from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from skpapers.convolution import foveation_map, padding_report

MODES = ("zeros", "circular", "reflect", "replicate")
SIZES = (16, 32, 48)


def network(mode: str, width: int = 8) -> nn.Sequential:
    """Return three stages of two convolutions, the second one strided."""
    layers: list[nn.Module] = []
    before = 3
    for _ in range(3):
        for stride in (1, 2):
            layers.append(nn.Conv2d(before, width, 3, stride, 1, padding_mode=mode))
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            before = width
    return nn.Sequential(*layers).eval()


def linear_twin(module: nn.Sequential) -> nn.Sequential:
    """Return its convolutions alone, with equal weights and without biases."""
    kept = copy.deepcopy(nn.Sequential(*(layer for layer in module if isinstance(layer, nn.Conv2d)))).double()
    with torch.no_grad():
        for layer in kept:
            layer.weight.fill_(1.0 / layer.weight[0].numel())
            layer.bias.zero_()
    return kept


@torch.no_grad()
def pixel_by_pixel(twin: nn.Sequential, size: int) -> np.ndarray:
    """Return the map by one forward pass for each pixel; the channels of a pixel share it."""
    counts = np.empty((size, size))
    for place in np.ndindex(size, size):
        x = torch.zeros(1, 3, size, size, dtype=torch.float64)
        x[:, :, place[0], place[1]] = 1.0
        counts[place] = twin(x).sum().item()
    return counts / counts.max()


def map_rows(max_rounds: int) -> Table:
    rows = []
    for mode in MODES:
        module = network(mode)
        twin = linear_twin(module)
        for size in SIZES:
            error = np.abs(foveation_map(module, (3, size, size)) - pixel_by_pixel(twin, size)).max()
            jobs = [partial(pixel_by_pixel, twin, size), partial(foveation_map, module, (3, size, size))]
            theirs, ours = medians(jobs, max_rounds)
            rows.append(
                [f"{mode}, {size}x{size}", seconds(theirs), seconds(ours), f"{theirs / ours:.0f}", f"{error:.1e}"]
            )
    columns = ["padding, image", "forward passes", "foveation_map", "ratio", "largest difference"]
    return Table("Map of paths, six convolutions of 8 channels", columns, rows)


def report_rows(max_rounds: int) -> Table:
    module = network("zeros", 32)
    rows = []
    for size in (64, 128, 224):
        x = torch.zeros(1, 3, size, size)

        def forward(x: torch.Tensor = x) -> None:
            with torch.inference_mode():
                module(x)

        table = partial(padding_report, module, (3, size, size), foveation=False)
        times = medians([forward, table, partial(padding_report, module, (3, size, size))], max_rounds)
        rows.append([f"{size}x{size}", *map(seconds, times)])
    return Table("Report, six convolutions of 32 channels", ["image", "forward pass", "table", "table and map"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="most rounds of a timing, default 7")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the tables as markdown")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with threadpool_limits(1):
        tables = [map_rows(args.rounds), report_rows(args.rounds), training_rows(args.rounds)]
    for table in tables:
        table.print()
    line = versions_line(versions("skpapers", "torch", "numpy"))
    CONSOLE.print(f"[dim]{line}[/dim]")
    if args.out:
        parts = [f"## {table.title}\n\n{table.markdown()}" for table in tables]
        args.out.write_text("\n\n".join(["# Convolutions: speed", *parts, line]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
