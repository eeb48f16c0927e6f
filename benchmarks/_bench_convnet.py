"""Training of a convolutional network: the estimator against a loop written by hand for the same network."""

from functools import partial

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from benchmarks._report import Table
from benchmarks._timing import medians, seconds
from skpapers.convolution import ConvNetClassifier

EPOCHS = 3
BATCH = 32


def by_hand(X: NDArray, y: NDArray, channels: tuple[int, ...]) -> None:
    """Train as one writes it: AdamW, a cosine schedule, scaled pixels."""
    layers: list[nn.Module] = []
    before = 1
    for width in channels:
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(before, 10))
    images = torch.tensor((X - X.mean()) / X.std(), dtype=torch.float32).reshape(-1, 1, 8, 8)
    labels = torch.tensor(y)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.005, weight_decay=0.1)
    n_steps = EPOCHS * -(-len(X) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(EPOCHS):
        for rows in torch.split(torch.randperm(len(X)), BATCH):
            loss = F.cross_entropy(network(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def training_rows(max_rounds: int) -> Table:
    X, y = load_digits(return_X_y=True)
    rows = []
    for channels in ((16, 32), (16, 32, 64)):
        model = ConvNetClassifier(channels, max_iter=EPOCHS, batch_size=BATCH, random_state=0, device="cpu")
        theirs, ours = medians([partial(by_hand, X, y, channels), partial(model.fit, X, y)], max_rounds)
        rows.append([", ".join(map(str, channels)), seconds(theirs), seconds(ours), f"{ours / theirs:.2f}"])
    columns = ["channels", "loop by hand", "ConvNetClassifier", "ratio"]
    return Table(f"Training on digits, {EPOCHS} epochs of batches of {BATCH}", columns, rows)
