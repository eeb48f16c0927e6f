"""The network against products in numpy, and changes of its form."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skpapers._torch.networks import Network, check_network
from skpapers._torch.state import load_arrays, to_arrays
from skpapers.neural_network._monarch import monarch_dense
from skpapers.neural_network._monarch_network import (
    MonarchMLP,
    converted,
    dense_form,
    layer_widths,
    monarch_form,
    n_matrix_parameters,
)
from tests._torch._nets import generators

HIDDEN = (24, 30, 30)
SIZES = layer_widths(7, HIDDEN, 3, "none")
MIXED = (None, (4, 6, 1), (5, 6, 2), None)


def network(*seeds, form=MIXED, numeric_embedding="none", **kwargs):
    options = {"activation": "tanh", "residual": True, "batch_norm": False, "dropout": 0.0, **kwargs}
    options |= {"numeric_embedding": numeric_embedding, "n_members": len(seeds), "dtype": torch.float64}
    return MonarchMLP(7, HIDDEN, 3, form, **options).draw(generators(*seeds)).eval()


def rows(n=11):
    return torch.randn(n, 7, dtype=torch.float64, generator=generators(9)[0])


def by_hand(model, X, k):
    """Return the outputs of member k: matrices multiplied out, rows first."""
    h = X.numpy()
    for i, layer in enumerate(model.layers):
        of = [p.detach() if model.n_members == 1 else p.detach()[k] for p in (*layer.matrices(), layer.bias)]
        n_out = of[-1].shape[-1]
        W = of[0].numpy().T if len(of) == 2 else monarch_dense(of[1], of[0]).numpy()[:n_out, : h.shape[1]]
        z = h @ W.T + of[-1].numpy().reshape(-1)
        if i + 1 == len(model.layers):
            return z
        z = np.tanh(z)
        h = h + z if model.residual and i > 0 and h.shape[1] == z.shape[1] else z


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("form", [MIXED, dense_form(SIZES)])
def test_outputs(seeds, residual, form):
    model = network(*seeds, residual=residual, form=form)
    for layer in model.layers:
        layer.bias.data.normal_(generator=generators(5)[0])
    X = rows()
    outputs = model(X).detach().numpy()
    for k in range(len(seeds)):
        found = outputs if len(seeds) == 1 else outputs[k]
        assert_allclose(found, by_hand(model, X, k), rtol=1e-12, atol=1e-13)


def test_weights_start_with_the_variance_of_their_fan_in():
    form = (None, (4, 8, 4), None)
    options = {"activation": "relu", "batch_norm": False, "dropout": 0.0, "numeric_embedding": "none"}
    options |= {"residual": True, "n_members": 2, "dtype": torch.float64}
    model = MonarchMLP(100, (64, 64), 50, form, **options).draw(generators(0, 1))
    fan_ins = {"layers.0.weight": 100, "layers.1.R": 16, "layers.1.L": 16, "layers.2.weight": 64}
    for name, parameter in model.named_parameters():
        for values in parameter.detach():
            gain = 0.5 if name == "layers.2.weight" else 1.0
            limit = gain * (3.0 / fan_ins[name]) ** 0.5 if name in fan_ins else 0.0
            assert 0.98 * limit <= values.abs().max().item() <= limit


def test_the_first_layer_adds_to_nothing():
    options = {"activation": "tanh", "batch_norm": False, "dropout": 0.0, "numeric_embedding": "none"}
    options |= {"residual": True, "n_members": 1, "dtype": torch.float64}
    model = MonarchMLP(7, (7, 7), 2, (None,) * 3, **options).draw(generators(0))
    assert_allclose(model(rows()).detach().numpy(), by_hand(model, rows(), 0), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kwargs", [{}, {"numeric_embedding": "periodic", "batch_norm": True, "dropout": 0.2}])
def test_members_are_networks_of_their_own(kwargs):
    form = monarch_form(layer_widths(7, HIDDEN, 3, kwargs.get("numeric_embedding", "none")), "sqrt", None)
    together = network(3, 4, form=form, **kwargs)
    X = rows()
    for k, seed in enumerate((3, 4)):
        alone = network(seed, form=form, **kwargs)
        assert_allclose(together(X)[k].detach().numpy(), alone(X).detach().numpy(), rtol=1e-12, atol=1e-14)


def test_it_is_a_network_and_every_parameter_is_in_one_group():
    model = network(0, 1, numeric_embedding="periodic", batch_norm=True, form=(None, *MIXED[1:]))
    assert isinstance(check_network(model, 2), Network)
    grouped = [p for group in model.parameter_groups() for p in group["params"]]
    assert sorted(map(id, grouped)) == sorted(map(id, model.parameters()))
    decays = [len(group["params"]) for group in model.parameter_groups()]
    assert decays[0] == 2 + 2 * 2 + 1  # dense matrices, factors, and the weight of the embedding


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_multiplying_out_keeps_the_function_and_projecting_recovers_it(seeds):
    model = network(*seeds)
    dense = network(*seeds, form=dense_form(SIZES))
    weights = converted(to_arrays(model), SIZES, MIXED, dense_form(SIZES))
    load_arrays(dense, weights)
    X = rows()
    assert_allclose(dense(X).detach().numpy(), model(X).detach().numpy(), rtol=1e-10)
    again = network(*seeds)
    load_arrays(again, converted(weights, SIZES, dense_form(SIZES), MIXED))
    assert_allclose(again(X).detach().numpy(), model(X).detach().numpy(), rtol=1e-9)


def test_layers_whose_form_stays_are_left_alone():
    weights = to_arrays(network(0))
    kept = {name: value.copy() for name, value in weights.items()}
    made = converted(weights, SIZES, MIXED, (None, None, *MIXED[2:]))
    assert set(made) == set(weights) - {"layers.1.L", "layers.1.R"} | {"layers.1.weight"}
    for name, value in kept.items():
        np.testing.assert_array_equal(weights[name], value)
        assert name not in made or made[name] is weights[name]


class TestForms:
    def test_the_last_layer_and_a_first_layer_of_few_inputs_are_dense(self):
        form = monarch_form((64, 512, 512, 10), "sqrt", None)
        assert (form[0], form[2]) == (None, None)
        assert form[1] == (16, 32, 1)
        assert monarch_form((256, 1024, 10), "sqrt", None)[0] is not None

    def test_layers_that_save_nothing_are_dense(self):
        assert monarch_form((200, 4, 4, 1), "sqrt", None)[1:] == (None, None)
        assert monarch_form((200, 256, 256, 1), 2, None)[1] is None  # two halves of full size
        assert monarch_form((200, 256, 256, 1), 4, None)[1] == (4, 4, 16)

    def test_more_blocks_than_a_layer_has_entries(self):
        assert monarch_form((200, 256, 150, 1), 180, 1) == (None, None, None)
        assert monarch_form((200, 256, 8, 1), 8, 1)[:2] == ((8, 8, 1), None)

    @pytest.mark.parametrize("n", [256, 512, 1024, 2048])
    def test_the_largest_rank_of_a_compression(self, n):
        (_, (k, l, rank), _) = monarch_form((64, n, n, 10), "sqrt", None, 8.0)  # noqa: E741
        form = (None, (k, l, rank), None)
        saved = 64 * n + 10 * n
        n_monarch = n_matrix_parameters((64, n, n, 10), form) - saved
        assert n * n / n_monarch >= 8.0
        one_more = n_matrix_parameters((64, n, n, 10), (None, (k, l, rank + 1), None)) - saved
        assert n * n / one_more < 8.0

    def test_rank_one_where_no_rank_compresses_so_much(self):
        assert monarch_form((64, 128, 128, 10), "sqrt", None, 50.0)[1][2] == 1

    def test_a_rank_is_at_most_the_largest_of_a_layer(self):
        assert monarch_form((200, 2048, 2048, 1), "sqrt", 10**6)[1] is None
        assert monarch_form((200, 2048, 2048, 1), "sqrt", 3)[1][2] == 3
