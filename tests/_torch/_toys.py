"""Two toy methods: what a paper on windows, or on images, writes on the shared floor, in 60 lines at most for each."""

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from sklearn.callback import with_callbacks
from torch import nn

from skpapers._fitting import Fitting
from skpapers._torch.flat import blocks
from skpapers._torch.inputs import Images, Windows
from skpapers._torch.modes import Modes
from skpapers._torch.modules import MLP, BatchNorm, Dropout
from skpapers._torch.network_base import NetworkEstimator
from skpapers._torch.network_classifier import NetworkClassifier
from skpapers._torch.network_regressor import NetworkRegressor
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.schedules import constant, cosine, warm_up
from skpapers._torch.state import own_precision, to_arrays
from skpapers._torch.steps import backward
from skpapers._torch.targets import HorizonQuantiles
from skpapers._validation import fit_context

CONSTRAINTS = {**NetworkEstimator._parameter_constraints, "early_stopping": ["boolean"], "warm_start": ["boolean"]}


# Windows with a task for each row, quantiles of several horizons, a warm-up, a gradient that remembers ----------------


class QuantileNetwork(MLP):
    def __init__(self, row_shape, output_shape, dtype):
        super().__init__(row_shape[0] * row_shape[1], (16,), output_shape[0] * output_shape[1], dtype=dtype)
        self.output_shape = output_shape

    def forward(self, x):
        return super().forward(x.flatten(1)).unflatten(-1, self.output_shape)


class ToyForecaster(NetworkRegressor):
    _parameter_constraints = CONSTRAINTS
    scaling = "standard"  # of each channel

    def __init__(
        self, max_iter=80, batch_size=10**6, learning_rate_init=0.03, alpha=0.0, early_stopping=False,
        warm_start=False, random_state=0, verbose=False, dtype="float64", device="cpu",
    ):  # fmt: skip
        vars(self).update({name: value for name, value in locals().items() if name != "self"})

    def _inputs(self):
        return Windows()

    def _target(self):
        return HorizonQuantiles(levels=(0.1, 0.5, 0.9))

    def _build(self, architecture, dtype):
        return QuantileNetwork(**architecture, dtype=dtype)

    def _schedule(self, run):
        return constant if run.n_steps is None else warm_up(run.n_steps // 10, cosine(run.n_steps - run.n_steps // 10))

    def _gradient(self, run):
        return partial(self.by_task, run.memory)

    def by_task(self, memory, network, objective, batch):
        """Sum the gradients of the tasks, and follow their moving average."""
        task = batch.extra.get("task", torch.zeros_like(batch.indices))
        weight = batch.X.new_ones(len(task)) if batch.weight is None else batch.weight
        found = [torch.zeros_like(block) for block in blocks(network)]
        losses = batch.X.new_zeros(())
        for t in task.unique():
            losses = losses + backward(network, objective, batch.replace(weight=weight * (task == t)))
            for total, block in zip(found, blocks(network), strict=True):
                total += block.grad
        for i, block in enumerate(blocks(network)):
            memory[f"mean.{i}"] = 0.5 * memory.get(f"mean.{i}", found[i]) + 0.5 * found[i]
            block.grad.copy_(memory[f"mean.{i}"])
        return losses

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, task=None):
        return self._fit(Given(X, y, sample_weight, {} if task is None else {"task": task}))

    def partial_fit(self, X, y, sample_weight=None, *, task=None):
        return self._partial_fit(Given(X, y, sample_weight, {} if task is None else {"task": task}), self._target())

    def predict(self, X):
        medians = self.predict_quantiles(X)[..., 1]
        return medians[:, 0] if self.n_outputs_ == 1 else medians

    def predict_quantiles(self, X):
        return self._outputs(X)


# Images: batch normalisation is adapted to rows without labels while dropout is off -----------------------------------


class ImageNetwork(nn.Module):
    n_members = 1

    def __init__(self, row_shape, output_shape, dtype):
        super().__init__()
        channels, height, width = row_shape
        self.kernel = nn.Parameter(torch.zeros(8, channels, 3, 3, dtype=dtype))
        self.norm = BatchNorm(8, 1, dtype)
        self.dropout = Dropout(0.1)
        self.head = MLP(8 * height * width, (), output_shape[0], dtype=dtype)

    def draw(self, generators):
        self.kernel.data.normal_(0.0, 0.3, generator=generators[0])
        self.head.draw(generators)
        return self

    def parameter_groups(self):
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    def row_size(self):
        return 4 * self.head.n_inputs

    def forward(self, x):
        x = self.norm(F.conv2d(x, self.kernel, padding=1))
        return self.head(self.dropout(torch.relu(x)).flatten(1))


class ToyImageClassifier(NetworkClassifier):
    _parameter_constraints = CONSTRAINTS
    scaling = "standard"

    def __init__(
        self, max_iter=40, batch_size=32, learning_rate_init=0.02, alpha=0.0, early_stopping=False,
        warm_start=False, random_state=0, verbose=False, dtype="float32", device="cpu",
    ):  # fmt: skip
        vars(self).update({name: value for name, value in locals().items() if name != "self"})

    def _inputs(self):
        return Images()

    def _build(self, architecture, dtype):
        return ImageNetwork(**architecture, dtype=dtype)

    @own_precision()
    def adapt(self, X):
        """Let the stored statistics follow these rows, and the layer's own parameters their entropy."""
        fitting = Fitting(self, resume=True)
        model = self._fitted
        X = self._input_tensor(model.setup, self._flat_rows(model.setup.inputs, X))
        network = self._network_of(model.architecture, model.weights).to(X.dtype)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith("norm."))
        settings = {"batch_size": len(X), "learning_rate": 0.01, "modes": Modes(dropout=False)}
        trainer = self._trainer(network, entropy, [self.random_state], **settings)
        for _ in range(20):
            trainer.run_epoch(Rows(X, X))
        return fitting.publish({"_fitted": replace(model, weights=to_arrays(network))})


def entropy(network, batch):
    logits = network(batch.X)
    logits = torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits
    return F.cross_entropy(logits, logits.softmax(dim=1))
