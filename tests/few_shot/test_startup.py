"""The losses of STARTUP against plain sums, and the passes of its student over source and target rows."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from skpapers._torch.losses import cross_entropy
from skpapers._torch.rows import Rows
from skpapers._torch.steps import Batch, supervised
from skpapers._torch.training import Trainer
from skpapers.few_shot._startup import (
    Features,
    FewShotNetwork,
    StudentObjective,
    distillation,
    nt_xent,
    rounds,
    student_epoch,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def network(n_classes=3, projection_dim=4, seed=0, batch_norm=False, **kwargs):
    sizes = {"n_inputs": 5, "hidden_layer_sizes": (7, 6), "n_classes": n_classes, "projection_dim": projection_dim}
    kwargs = {**sizes, "activation": "tanh", "dtype": torch.float64, **kwargs}
    return FewShotNetwork(batch_norm=batch_norm, **kwargs).draw((generator(seed),))


def as_they_are(X, generator):
    return X


def objective(source=True, augment=as_they_are, weight=None, **weights):
    rows = Rows(normal(12, 5, seed=1), torch.arange(12) % 3, weight) if source else None
    weights = {"distill_weight": 1.0, "ssl_weight": 1.0, "temperature": 1.0, **weights}
    return StudentObjective(rows, augment, **weights)


def batch_of(n=8, n_classes=3, weight=None):
    q = torch.softmax(normal(n, n_classes, seed=3), dim=-1)
    return Batch(normal(n, 5, seed=2), q, weight, torch.arange(n), (generator(4),))


def nt_xent_by_loops(z_1, z_2, temperature):
    """Return the loss of each row, the mean over both of its views, from the definition."""
    z = np.concatenate([z_1, z_2])
    b = len(z_1)

    def s(i, k):
        return z[i] @ z[k] / (np.linalg.norm(z[i]) * np.linalg.norm(z[k])) / temperature

    def of_anchor(i):
        j = (i + b) % (2 * b)
        return -np.log(np.exp(s(i, j)) / sum(np.exp(s(i, k)) for k in range(2 * b) if k != i))

    return np.array([(of_anchor(i) + of_anchor(i + b)) / 2 for i in range(b)])


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 3.0])
def test_nt_xent_is_the_sum_of_the_definition(temperature):
    z_1 = normal(6, 3, seed=1)
    z_2 = normal(6, 3, seed=2)
    expected = nt_xent_by_loops(z_1.numpy(), z_2.numpy(), temperature)
    assert_allclose(nt_xent(z_1, z_2, temperature).numpy(), expected, rtol=1e-12)


def test_nt_xent_knows_directions_only_and_no_order():
    z_1 = normal(6, 3, seed=1)
    z_2 = normal(6, 3, seed=2)
    plain = nt_xent(z_1, z_2)
    torch.testing.assert_close(nt_xent(z_1 * torch.arange(1, 7)[:, None], 0.1 * z_2), plain, rtol=1e-12, atol=0)
    torch.testing.assert_close(nt_xent(z_2, z_1), plain, rtol=1e-12, atol=0)
    torch.testing.assert_close(nt_xent(z_1.flip(0), z_2.flip(0)).flip(0), plain, rtol=1e-12, atol=0)


def test_nt_xent_in_cases_that_have_a_closed_form():
    one = torch.eye(4, dtype=torch.float64)
    # orthogonal rows whose views agree: e / (e + 2 (b - 1)); rows that are all alike: 1 / (2 b - 1)
    assert_allclose(nt_xent(one, one).numpy(), -np.log(np.e / (np.e + 6)), rtol=1e-12)
    assert_allclose(nt_xent(one[:1].expand(4, 4), one[:1].expand(4, 4)).numpy(), np.log(7), rtol=1e-12)
    assert_allclose(nt_xent(one[:1], one[1:2]).numpy(), 0.0, atol=1e-15)


def test_distillation_is_the_divergence_from_the_teacher():
    logits_1 = normal(9, 4, seed=1)
    logits_2 = normal(9, 4, seed=2)
    q = torch.softmax(normal(9, 4, seed=3), dim=-1)
    parts = [entropy(q.numpy(), softmax(logits.numpy(), axis=1), axis=1) for logits in (logits_1, logits_2)]
    assert_allclose(distillation(logits_1, logits_2, q).numpy(), np.mean(parts, axis=0), rtol=1e-10)
    assert_allclose(distillation(q.log(), q.log() + 5.0, q).numpy(), 0.0, atol=1e-14)


def test_distillation_differs_from_the_cross_entropy_of_soft_labels_by_a_constant():
    logits_1 = normal(9, 4, seed=1).requires_grad_()
    logits_2 = normal(9, 4, seed=2).requires_grad_()
    q = torch.softmax(normal(9, 4, seed=3), dim=-1)
    (found,) = torch.autograd.grad(distillation(logits_1, logits_2, q).sum(), [logits_1])
    soft = -(q * F.log_softmax(logits_1, dim=-1)).sum() / 2
    (expected,) = torch.autograd.grad(soft, [logits_1])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def test_a_teacher_that_is_sure_gives_the_cross_entropy():
    logits = normal(9, 4)
    y = torch.arange(9) % 4
    q = F.one_hot(y, 4).double()
    expected = -log_softmax(logits.numpy(), axis=1)[np.arange(9), y]
    assert_allclose(distillation(logits, logits, q).numpy(), expected, rtol=1e-12)


def test_gradients_of_both_losses():
    z_1 = normal(4, 3, seed=1).requires_grad_()
    z_2 = normal(4, 3, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.5), (z_1, z_2))
    q = torch.softmax(normal(4, 3, seed=3), dim=-1)
    assert torch.autograd.gradcheck(lambda a, b: distillation(a, b, q), (z_1, z_2))


def test_gradients_of_the_whole_objective_by_differences():
    net = network()
    batch = batch_of()
    of = objective(distill_weight=0.7, ssl_weight=1.3, temperature=0.5)
    of.partners = torch.arange(8) + 2
    parameters = list(net.parameters())
    gradients = torch.autograd.grad(of(net, batch), parameters)
    step = 1e-6
    for parameter, gradient in zip(parameters, gradients, strict=True):
        place = (0,) * parameter.ndim
        with torch.no_grad():
            parameter[place] += step
            up = of(net, batch).item()
            parameter[place] -= 2 * step
            down = of(net, batch).item()
            parameter[place] += step
        assert_allclose(gradient[place].item(), (up - down) / (2 * step), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_objective_is_the_sum_of_its_parts(weighted):
    target_weight = torch.linspace(0.5, 1.5, 8, dtype=torch.float64) if weighted else None
    source_weight = torch.linspace(0.1, 1.9, 12, dtype=torch.float64) if weighted else None
    net = network()
    batch = batch_of(weight=target_weight)
    of = objective(weight=source_weight, distill_weight=0.7, ssl_weight=1.3, augment=lambda X, g: 1.1 * X)
    of.partners = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6])
    found = of(net, batch)
    supervised_loss = F.cross_entropy(net(of.source.X[of.partners]), of.source.y[of.partners], reduction="none")
    h = net.features(1.1 * batch.X)
    distilled = distillation(net.classify(h), net.classify(h), batch.y)
    similar = nt_xent(net.project(h), net.project(h))
    if weighted:
        supervised_loss = supervised_loss * source_weight[of.partners]
        distilled = distilled * target_weight
        similar = similar * target_weight
    parts = [part.mean().item() for part in (supervised_loss, distilled, similar)]
    assert_allclose(found.item(), parts[0] + 0.7 * parts[1] + 1.3 * parts[2], rtol=1e-12)
    assert_allclose(of.totals.numpy() / 8, parts, rtol=1e-12)


def test_without_a_source_self_supervision_is_left():
    net = network(n_classes=0)
    batch = batch_of(n_classes=0)
    of = objective(source=False)
    h = net.features(batch.X)
    expected = nt_xent(net.project(h), net.project(h)).mean()
    torch.testing.assert_close(of(net, batch), expected, rtol=1e-12, atol=0)


def test_views_are_normalised_by_statistics_of_their_own():
    net = network(batch_norm=True).train()
    batch = batch_of()
    shifts = iter((10.0, -10.0))
    of = objective(augment=lambda X, g: X + next(shifts))
    of.partners = torch.arange(8)
    found = of(net, batch)
    # a shift of a whole view leaves no trace in a network that normalises each view by itself
    shifts = iter((0.0, 0.0))
    plain = objective(augment=lambda X, g: X + next(shifts))
    plain.partners = torch.arange(8)
    torch.testing.assert_close(found, plain(network(batch_norm=True).train(), batch), rtol=1e-9, atol=0)


def test_a_student_may_start_from_the_teachers_hidden_layers():
    teacher = network(projection_dim=0, seed=1, batch_norm=True)
    student = network(seed=2, batch_norm=True)
    teacher.classifier.norms[0].running_mean.fill_(0.3)
    head = student.classifier.linears[-1].weight.clone()
    projection = student.projection.linears[0].weight.clone()
    student.start_from(teacher)
    X = normal(6, 5)
    assert torch.equal(student.eval().features(X), teacher.eval().features(X))
    assert torch.equal(student.classifier.linears[-1].weight, head)
    assert torch.equal(student.projection.linears[0].weight, projection)


def test_features_of_norm_one():
    net = network()
    X = normal(6, 5)
    plain = Features(None, net, False)(X)
    unit = Features(None, net, True)(X)
    torch.testing.assert_close(unit, plain / plain.norm(dim=1, keepdim=True), rtol=1e-12, atol=0)
    zero = Features(None, network(activation="relu"), True)(torch.zeros(1, 5, dtype=torch.float64))
    assert torch.equal(zero, torch.zeros(1, 6, dtype=torch.float64))


@pytest.mark.parametrize(
    ("n_source", "n_target", "n_rounds", "n_partners"),
    [(0, 5, 1, 1), (5, 50, 1, 1), (50, 50, 1, 1), (140, 20, 7, 1), (140, 2, 18, 4), (140, 1, 18, 8), (5, 2, 1, 2)],
)
def test_an_epoch_visits_source_and_target(n_source, n_target, n_rounds, n_partners):
    assert rounds(n_source, n_target, 8) == (n_rounds, n_partners)
    visited = []
    targets = []

    class Recorded(StudentObjective):
        def __call__(self, network, batch):
            targets.extend(batch.indices.tolist())
            if self.source is not None:
                visited.extend(self.partners[batch.indices].flatten().tolist())
            return super().__call__(network, batch)

    source = Rows(normal(n_source, 5), torch.arange(n_source) % 3) if n_source else None
    of = Recorded(source, as_they_are, distill_weight=0.0, ssl_weight=1.0, temperature=1.0)
    trainer = Trainer(network(3 if n_source else 0), of, batch_size=8, generators=(generator(),))
    rows = normal(n_target, 5, seed=1)
    student_epoch(trainer, Rows(rows, torch.zeros(n_target, 3, dtype=torch.float64)))
    assert np.bincount(targets, minlength=n_target).tolist() == [n_rounds] * n_target
    if n_source:
        counts = np.bincount(visited, minlength=n_source)
        assert counts.max() - counts.min() <= 1
        assert counts.sum() == n_rounds * n_target * n_partners


def test_few_target_rows_leave_the_batches_of_the_source_whole():
    of = objective()
    sizes = []
    plain = of.__class__.__call__

    class Recorded(StudentObjective):
        def __call__(self, network, batch):
            sizes.append((len(batch.X), len(self.partners[batch.indices].flatten())))
            return plain(self, network, batch)

    of.__class__ = Recorded
    trainer = Trainer(network(), of, update=lambda *_: None, batch_size=6, generators=(generator(),))
    X = normal(2, 5, seed=2)
    q = torch.softmax(normal(2, 3, seed=3), dim=-1)
    supervised_loss, distilled, _ = student_epoch(trainer, Rows(X, q)).tolist()
    assert sizes == [(2, 6), (2, 6)]
    net = network()
    assert_allclose(supervised_loss, F.cross_entropy(net(of.source.X), of.source.y).item(), rtol=1e-12)
    assert_allclose(distilled, distillation(net(X), net(X), q).mean().item(), rtol=1e-12)


def test_the_losses_of_an_epoch_are_means_over_rows():
    of = objective()
    trainer = Trainer(network(), of, update=lambda *_: None, batch_size=4, generators=(generator(),))
    X = normal(12, 5, seed=2)
    q = torch.softmax(normal(12, 3, seed=3), dim=-1)
    of.ssl_weight = 0.0
    supervised_loss, distilled, similar = student_epoch(trainer, Rows(X, q)).tolist()
    net = network()
    assert_allclose(supervised_loss, F.cross_entropy(net(of.source.X), of.source.y).item(), rtol=1e-12)
    assert_allclose(distilled, distillation(net(X), net(X), q).mean().item(), rtol=1e-12)
    assert similar == 0.0


def test_a_student_with_no_weight_on_the_target_learns_what_a_teacher_learns():
    """Whole batches, the same start: cross-entropy alone moves the student as it moves a classifier."""
    of = objective(distill_weight=0.0, ssl_weight=0.0)
    student = network(projection_dim=0)
    teacher = network(projection_dim=0)
    settings = {"solver": "sgd", "learning_rate": 0.1, "batch_size": 12}
    of_student = Trainer(student, of, generators=(generator(1),), **settings)
    of_teacher = Trainer(teacher, supervised(cross_entropy()), generators=(generator(2),), **settings)
    X = normal(12, 5, seed=2)
    q = torch.zeros(12, 3, dtype=torch.float64)
    for _ in range(5):
        student_epoch(of_student, Rows(X, q))
        of_teacher.run_epoch(Rows(of.source.X, of.source.y))
    for a, b in zip(student.parameters(), teacher.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
