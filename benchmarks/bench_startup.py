"""Speed of STARTUP's two stages against the loop one would write with torch's own tools.

    python benchmarks/bench_startup.py [--rounds N]

CPU time of one process and one thread, medians over rounds in which the rivals take turns. The loop follows the
authors' code: data loaders over source and target, torch's layers and its AdamW, the similarities of NT-Xent by a
cosine of every pair, a KL divergence for each view. Both train the same networks for equally many epochs and batches.
"""

import argparse
import sys
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._report import CONSOLE, Table, versions, versions_line
from benchmarks._timing import medians, seconds
from skpapers.few_shot import STARTUPClassifier

EPOCHS = 3
CLASSES = 5
# Rows of source and of target each, features, rows of a batch.
SIZES = ((1_000, 20, 64), (1_000, 64, 128), (4_000, 64, 128))


def backbone(p: int) -> nn.Sequential:
    hidden = [nn.Linear(p, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU()]
    return nn.Sequential(*hidden)


def view(X: Tensor) -> Tensor:
    return (X + 0.3 * torch.randn_like(X)) * (torch.rand_like(X) >= 0.2)


def nt_xent(z_1: Tensor, z_2: Tensor) -> Tensor:
    z = torch.cat([z_1, z_2])
    b = len(z_1)
    s = F.cosine_similarity(z[:, None], z[None], dim=-1).masked_fill(torch.eye(2 * b, dtype=torch.bool), -torch.inf)
    return F.cross_entropy(s, torch.cat([torch.arange(b, 2 * b), torch.arange(b)]))


def loop(X: NDArray, y: NDArray, U: NDArray, batch_size: int) -> None:
    mean = np.mean([X.mean(0), U.mean(0)], axis=0)
    deviation = np.concatenate([X, U]).std(axis=0)
    X_t, U_t = (torch.from_numpy((A - mean) / deviation).float() for A in (X, U))
    source = DataLoader(TensorDataset(X_t, torch.from_numpy(y)), batch_size, shuffle=True)
    h = backbone(X.shape[1])
    head = nn.Linear(64, CLASSES)
    optimizer = torch.optim.AdamW([*h.parameters(), *head.parameters()], 3e-3)
    for _ in range(EPOCHS):
        for X_b, y_b in source:
            optimizer.zero_grad()
            F.cross_entropy(head(h(X_b)), y_b).backward()
            optimizer.step()
    with torch.no_grad():
        q = torch.softmax(head(h.eval()(U_t)), dim=1)
    target = DataLoader(TensorDataset(U_t, q), batch_size, shuffle=True)
    head = nn.Linear(64, CLASSES)
    projection = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))
    optimizer = torch.optim.AdamW([*h.train().parameters(), *head.parameters(), *projection.parameters()], 3e-3)
    for _ in range(EPOCHS):
        for (U_b, q_b), (X_b, y_b) in zip(target, cycle(source), strict=False):
            optimizer.zero_grad()
            h_1 = h(view(U_b))
            h_2 = h(view(U_b))
            divergence = sum(F.kl_div(F.log_softmax(head(part), 1), q_b, reduction="batchmean") for part in (h_1, h_2))
            loss = F.cross_entropy(head(h(X_b)), y_b) + divergence / 2 + nt_xent(projection(h_1), projection(h_2))
            loss.backward()
            optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="most rounds of a row, default 5")
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    with threadpool_limits(1):
        for n, p, batch_size in SIZES:
            X, y = make_classification(2 * n, p, n_informative=p // 2, n_classes=CLASSES, random_state=0)
            labels = np.where(np.arange(2 * n) < n, y, -1)
            domain = np.repeat([1, -1], n)
            model = STARTUPClassifier(
                max_iter=EPOCHS, batch_size=batch_size, unlabeled=-1, random_state=0, device="cpu"
            )
            ours, plain = medians(
                [
                    partial(model.fit, X, labels, sample_domain=domain),
                    partial(loop, X[:n], y[:n], X[n:], batch_size),
                ],
                args.rounds,
            )
            rows.append([f"{n} + {n} rows, {p} features", str(batch_size), seconds(ours), seconds(plain),
                         f"{plain / ours:.1f}"])  # fmt: skip
    Table(
        f"Teacher and student, {EPOCHS} epochs each; ours with the final classifier",
        ["", "batch", "STARTUPClassifier", "torch loop", "ratio"],
        rows,
    ).print()
    CONSOLE.print(f"[dim]{versions_line(versions('skpapers', 'scikit-learn', 'numpy', 'torch'))}[/dim]")


if __name__ == "__main__":
    main()
