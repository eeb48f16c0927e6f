"""What the stages of a fit share: roles of rows, and networks from arrays."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skpapers._torch.scaling import fit_scaling
from skpapers._torch.state import to_arrays
from skpapers._torch.training import Trainer
from skpapers.few_shot import STARTUPClassifier, _startup_stages
from skpapers.few_shot._startup import FewShotNetwork
from skpapers.few_shot._startup_stages import Rows, applied, features_module

RNG = np.random.default_rng(0)


def test_rows_keep_their_labels_and_weights():
    rows = Rows(RNG.normal(size=(5, 2)), np.arange(5), np.arange(5) / 4)
    some = rows.of(np.array([True, False, True, False, True]))
    assert_array_equal(some.X, rows.X[::2])
    assert_array_equal(some.y, [0, 2, 4])
    assert_array_equal(some.weight, [0, 0.5, 1])
    assert rows.of(np.ones(5, dtype=bool)).X is rows.X
    assert rows._replace(weight=None).of(np.ones(5, dtype=bool)).weight is None


def test_features_come_from_arrays_in_float64_and_some_rows_at_a_time(monkeypatch):
    monkeypatch.setattr("skpapers._torch.chunks.CHUNK_BYTES", 2**14)
    architecture = {
        "n_inputs": 3,
        "hidden_layer_sizes": (5, 4),
        "n_classes": 2,
        "activation": "relu",
        "batch_norm": True,
    }
    network = FewShotNetwork(**architecture, projection_dim=2, dtype=torch.float32)
    network.draw((torch.Generator().manual_seed(0),)).eval()
    X = 10 + RNG.normal(size=(503, 3))
    scaling = fit_scaling(X, None, "standard")
    told = {
        "_fitted_architecture": architecture,
        "_scaling": to_arrays(scaling) | {"limit": scaling.limit},
        "_normalize": False,
    }
    state = {name: value for name, value in to_arrays(network).items() if not name.startswith("projection")}
    features = applied(features_module(told, state), X)
    assert features.shape == (503, 4)
    assert features.dtype == np.float64
    with torch.no_grad():
        expected = network.double().features(scaling(torch.tensor(X))).numpy()
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_target", [1, 3, 40, 90])
@pytest.mark.parametrize("batch_size", [1, 16, "auto", 1000])
def test_the_schedule_ends_with_the_last_step(monkeypatch, n_target, batch_size):
    trainers = []

    class Kept(Trainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            trainers.append(self)

    monkeypatch.setattr(_startup_stages, "Trainer", Kept)
    X = RNG.normal(size=(50 + n_target, 3))
    y = np.where(np.arange(len(X)) < 50, np.arange(len(X)) % 2, -1)
    model = STARTUPClassifier(4, batch_size=batch_size, max_iter=2, unlabeled=-1, device="cpu", random_state=0)
    model.fit(X, y)
    for trainer in trainers:
        assert trainer.schedule(trainer.step) == 0.0
        assert trainer.schedule(trainer.step - 1) > 0.0
    assert len(trainers) == 2
