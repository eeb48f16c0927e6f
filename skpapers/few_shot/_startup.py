"""STARTUP: a student network learns from a teacher's probabilities of target rows, and by self-supervision.

Phoo and Hariharan, "Self-training For Few-shot Transfer Across Extreme Task Differences", ICLR 2021. Source rows x_i
(i = 1..n_s) have classes y_i. Target rows u_j (j = 1..n_t) need no labels, and their classes may be others. With
p_f(x) the probabilities of a network f,

    f_0 minimises  1/n_s sum_i -log p_f(x_i)[y_i],                                                                   (1)
    q_j = p_{f_0}(u_j),                                                                                              (2)
    f minimises    1/n_s sum_i -log p_f(x_i)[y_i]
                   + w_d/n_t sum_j (KL(q_j || p_f(u_j1)) + KL(q_j || p_f(u_j2))) / 2
                   + w_s/n_t sum_j (l_j1 + l_j2) / 2,                                                                (3)
    l_j1 = -log(exp(s(z_j1, z_j2) / T) / sum_{z != z_j1} exp(s(z_j1, z) / T)).                                       (4)

u_j1 and u_j2 are two random views of u_j, z_j1 and z_j2 the projections of their features by f, and s is the cosine
similarity. The sum in (4) runs over both views of all rows of the batch; l_j2 is the same with the views exchanged. The
numbers are those of this file. The official code has w_d = w_s = T = 1, and (4) is the NT-Xent loss of SimCLR.

    step of the paper                                        here
    -------------------------------------------------------  -----------------------------------------------------------
    train the teacher f_0 on source rows (1)                 Stages.run (_startup_stages)
    label the target rows by their probabilities (2)         Stages._run_student (_startup_stages), once
    start the student from the teacher's hidden layers       FewShotNetwork.start_from
    two views of each target row                             named_view, given_view (_views)
    train the student (3)                                    student_epoch; StudentObjective, distillation
    self-supervision (4)                                     nt_xent, FewShotNetwork.project
    few-shot classifier on the student's features            Features, Stages.fit_final (_startup_stages)
"""

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.losses import cross_entropy
from skpapers._torch.modules import MLP
from skpapers._torch.networks import Generators, draw, parameter_groups
from skpapers._torch.partners import draw_partners, rounds
from skpapers._torch.predictor import bounded
from skpapers._torch.rows import Rows
from skpapers._torch.steps import Batch
from skpapers._torch.training import Trainer

Augment = Callable[[Tensor, torch.Generator], Tensor]


class FewShotNetwork(nn.Module):
    """A classifier of source rows, whose last hidden layer is the features, and a projection of them.

    Parameters
    ----------
    n_inputs : int
        Columns.

    hidden_layer_sizes : tuple of int
        Width of each hidden layer; the last one is the number of features.

    n_classes : int
        Number of source classes; 0 without source rows.

    projection_dim : int
        Outputs of the projection, which the self-supervised loss compares; 0 for no projection.

    activation : str
        A key of `skpapers._torch.modules.ACTIVATIONS`.

    batch_norm : bool
        Normalise each hidden layer before its activation.

    dtype : torch.dtype
        Of all parameters.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: tuple[int, ...],
        n_classes: int,
        *,
        projection_dim: int = 0,
        activation: str,
        batch_norm: bool,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        layers = {"activation": activation, "batch_norm": batch_norm, "dtype": dtype}
        self.n_members = 1
        self.classifier = MLP(n_inputs, hidden_layer_sizes, n_classes, **layers)  # type: ignore[arg-type]
        width = hidden_layer_sizes[-1]
        self.projection = MLP(width, (width,), projection_dim, dtype=dtype) if projection_dim else None

    def draw(self, generators: Generators) -> "FewShotNetwork":
        """Draw all weights, on the CPU; biases stay 0."""
        for part in self.children():
            draw(part, generators)
        return self

    def start_from(self, teacher: "FewShotNetwork") -> None:
        """Take the teacher's hidden layers; head and projection stay as they were drawn."""
        last = f"linears.{len(self.classifier.linears) - 1}."
        hidden = {k: v for k, v in teacher.classifier.state_dict().items() if not k.startswith(last)}
        self.classifier.load_state_dict(hidden, strict=False)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Matrices with weight decay, the rest without."""
        return [group for part in self.children() for group in parameter_groups(part)]

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
        return self.classifier.row_size()

    def features(self, x: Tensor) -> Tensor:
        """Return the last hidden layer."""
        return self.classifier.features(x)

    def classify(self, h: Tensor) -> Tensor:
        """Return the logits of features."""
        return self.classifier.linears[-1](h)

    def project(self, h: Tensor) -> Tensor:
        """Return what the self-supervised loss compares."""
        return self.projection(h)  # type: ignore[misc]

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(x)


class Features(nn.Module):
    """Raw rows to features: scaling, backbone, and each row's features divided by their norm if `normalize`.

    Parameters
    ----------
    scaling : nn.Module or None
        The first, fixed layer.

    network : FewShotNetwork
        Its backbone is used.

    normalize : bool
        Whether rows get norm 1; a row of zeros stays.
    """

    def __init__(self, scaling: nn.Module | None, network: FewShotNetwork, normalize: bool) -> None:
        super().__init__()
        self.scaling = scaling
        self.network = network
        self.normalize = normalize

    def forward(self, X: Tensor) -> Tensor:
        h = self.network.features(bounded(X if self.scaling is None else self.scaling(X)))
        return F.normalize(h, dim=-1) if self.normalize else h


def nt_xent(z_1: Tensor, z_2: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the SimCLR loss of each row (NT-Xent), the mean over both of its views as anchors.

    With views 1 and 2 of b rows and s the cosine similarity, the loss of an anchor i, j being its row's other view, is
    -log(exp(s_ij / temperature) / sum_{k != i} exp(s_ik / temperature)), k running over all 2b views.

    Parameters
    ----------
    z_1, z_2 : Tensor of shape (b, d)
        Projections of the views.

    temperature : float
        Divides the similarities.

    Returns
    -------
    losses : Tensor of shape (b,)
        0 for a single row: there is no other row to compare it with.
    """
    b = len(z_1)
    z = F.normalize(torch.cat([z_1, z_2]), dim=-1)
    s = (z @ z.T) / temperature
    positive = (z[:b] * z[b:]).sum(dim=-1) / temperature
    itself = torch.eye(2 * b, dtype=torch.bool, device=z.device)
    everything = s.masked_fill(itself, -torch.inf).logsumexp(dim=-1)
    return (everything[:b] + everything[b:]) / 2.0 - positive


def distillation(logits_1: Tensor, logits_2: Tensor, q: Tensor) -> Tensor:
    """Return KL(q || p) of each row, the mean over its two views.

    Parameters
    ----------
    logits_1, logits_2 : Tensor of shape (b, n_classes)
        The student's, of the views.

    q : Tensor of shape (b, n_classes)
        The teacher's probabilities.

    Returns
    -------
    divergences : Tensor of shape (b,)
        0 where student and teacher agree.
    """
    loss = cross_entropy()
    negative_entropy = torch.special.xlogy(q, q).sum(dim=-1)
    return (loss(logits_1, q) + loss(logits_2, q)) / 2.0 + negative_entropy


class StudentObjective:
    """The student's loss: cross-entropy of source rows + distillation + self-supervision of target rows.

    A batch holds target rows, with the teacher's probabilities as y; each brings source rows with it: `partners`, of
    shape (n_target, n_partners), says which. They are drawn before an epoch, so that a step draws its views only.

    Parameters
    ----------
    source : Rows or None
        Source rows as the network takes them, their classes, and their weights of mean 1. None without source rows.

    augment : callable
        ``augment(X, generator)`` makes a view of target rows.

    distill_weight, ssl_weight, temperature : float
        Weights of the two losses, temperature of the second.
    """

    def __init__(
        self,
        source: Rows[Tensor] | None,
        augment: Augment,
        *,
        distill_weight: float,
        ssl_weight: float,
        temperature: float,
    ) -> None:
        self.source = source
        self.augment = augment
        self.distill_weight = 0.0 if source is None else distill_weight
        self.ssl_weight = ssl_weight
        self.temperature = temperature
        self.partners: Tensor | None = None
        self.totals = torch.zeros(3, dtype=torch.float64, device="cpu")

    def __call__(self, network: nn.Module, batch: Batch) -> Tensor:
        of = cast(FewShotNetwork, network)
        supervised, distilled, similar = torch.zeros(3, dtype=batch.X.dtype, device=batch.X.device).unbind()
        # Three passes: statistics of normalisation are those of source rows, of one view, of the other.
        if self.source is not None and self.partners is not None:
            rows = self.source.take(self.partners[batch.indices].flatten())
            supervised = _mean(cross_entropy()(of(rows.X), rows.y), rows.weight)
        h_1, h_2 = (of.features(self.augment(batch.X, batch.generators[0])) for _ in range(2))
        if self.distill_weight > 0:
            distilled = _mean(distillation(of.classify(h_1), of.classify(h_2), batch.y), batch.weight)
        if self.ssl_weight > 0:
            similar = _mean(nt_xent(of.project(h_1), of.project(h_2), self.temperature), batch.weight)
        parts = torch.stack([part.detach().double() for part in (supervised, distilled, similar)])
        self.totals += batch.indices.shape[-1] * parts.cpu()
        return supervised + self.distill_weight * distilled + self.ssl_weight * similar


def _mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    return (losses if weight is None else losses * weight).mean()


def student_epoch(trainer: Trainer, rows: Rows[Tensor]) -> Tensor:
    """Visit all target rows, and source rows in turn, an order of theirs being drawn when the last one is used up.

    Parameters
    ----------
    trainer : Trainer
        Its objective is a :class:`StudentObjective`.

    rows : Rows
        Target rows, with the teacher's probabilities as y.

    Returns
    -------
    losses : Tensor of shape (3,)
        Means of cross-entropy, distillation and self-supervision.

    Raises
    ------
    FloatingPointError
        If the loss was NaN or infinite.
    """
    objective: StudentObjective = trainer.objective  # type: ignore[assignment]
    n = len(rows)
    n_source = 0 if objective.source is None else len(objective.source)
    n_rounds, n_partners = rounds(n_source, n, trainer.batch_size)
    objective.totals.zero_()
    partners = None
    if n_source:
        partners = draw_partners(n_source, n, n_rounds, n_partners, trainer.generators[0])
    for i in range(n_rounds):
        objective.partners = None if partners is None else partners[i]
        trainer.run_epoch(rows)
    return objective.totals / (n_rounds * n)
