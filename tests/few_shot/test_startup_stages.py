"""What the stages of a fit share: networks from arrays, schedules."""

import numpy as np
import pytest
import torch

from skpapers._torch.scaled_columns import Scaling
from skpapers._torch.state import to_arrays
from skpapers._torch.training import Trainer
from skpapers.few_shot import STARTUPClassifier
from skpapers.few_shot._startup import FewShotNetwork
from skpapers.few_shot._startup_stages import FittedNetworks

RNG = np.random.default_rng(0)


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
    scaling = Scaling("standard").fitted(X, None)
    state = {name: value for name, value in to_arrays(network).items() if not name.startswith("projection")}
    features = STARTUPClassifier()._apply(FittedNetworks(architecture, scaling, False, {}, state), X)
    assert features.shape == (503, 4)
    assert features.dtype == np.float64
    with torch.no_grad():
        expected = network.double().features(scaling.layer()(torch.tensor(X))).numpy()
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_target", [1, 3, 40, 90])
@pytest.mark.parametrize("batch_size", [1, 16, "auto", 1000])
def test_the_schedule_ends_with_the_last_step(monkeypatch, n_target, batch_size):
    trainers = []

    class Kept(Trainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            trainers.append(self)

    monkeypatch.setattr("skpapers._torch.network_base.Trainer", Kept)
    X = RNG.normal(size=(50 + n_target, 3))
    y = np.where(np.arange(len(X)) < 50, np.arange(len(X)) % 2, -1)
    model = STARTUPClassifier(4, batch_size=batch_size, max_iter=2, unlabeled=-1, device="cpu", random_state=0)
    model.fit(X, y)
    for trainer in trainers:
        assert trainer.schedule(trainer.step) == 0.0
        assert trainer.schedule(trainer.step - 1) > 0.0
    assert len(trainers) == 2
