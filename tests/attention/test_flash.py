"""FLASH against the gated attention unit and against FLASH-pytorch; the rest is in test_gated_attention_unit."""

import pytest
import torch

from skpapers.attention import FLASH, FLASHRegressor, GatedAttentionUnit, _flash
from skpapers.attention._flash import Parameters


@pytest.mark.parametrize("causal", [False, True])
def test_one_chunk_without_linear_part_is_the_gated_attention_unit(causal):
    n = 11
    settings = {"d_query": 4, "causal": causal, "position_bias": False, "random_state": 0, "dtype": torch.float64}
    flash = FLASH(6, chunk_size=n, **settings)
    unit = GatedAttentionUnit(6, length=n, **settings)
    for key in ("in_weight", "in_bias", "out_weight", "out_bias"):
        getattr(unit, key).data.copy_(getattr(flash, key))
    flash.gamma.data[[1, 3]] = 0.0
    unit.gamma.data.copy_(flash.gamma[[0, 2]])
    unit.beta.data.copy_(flash.beta[[0, 2]])
    x = torch.randn(3, n, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(flash(x), unit(x))
    torch.testing.assert_close(flash(x[:, :8]), unit(x[:, :8]))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("numbers", "n_blocks"), [(1, 15), (400, 10), (1000, 3)])
def test_blocks_of_chunks_and_of_rows_change_nothing(causal, numbers, n_blocks, monkeypatch):
    layer = FLASH(6, d_query=4, chunk_size=5, causal=causal, random_state=0, dtype=torch.float64)
    x = torch.randn(5, 13, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    mask = torch.zeros(5, 13, dtype=torch.bool)
    mask[1, 9:] = True

    def gradients():
        y = layer(x, mask)
        return [y, *torch.autograd.grad((y * y.detach().cos()).sum(), (x, *layer.parameters()))]

    expected = gradients()
    monkeypatch.setattr(_flash, "BLOCK_NUMBERS", numbers)
    p = Parameters(layer.gamma, layer.beta, None, layer.out_weight, layer.out_bias)
    assert len(list(_flash.chunk_blocks(torch.empty(5, 3, 5, 28), p))) == n_blocks
    for value, other in zip(gradients(), expected, strict=True):
        torch.testing.assert_close(value, other)


# Positions 0, 3 and 6 of FLASH-pytorch 0.1.9, with the weights below (its buckets hold the position bias).
PEER = {
    (False, "relu2"): [
        [2.8168822199, 4.4667359218, 4.439189574, 1.6442784922],
        [-1.1533234917, 1.0908418607, 0.8756450042, -2.6827005657],
        [0.4168204784, 3.1287232454, 1.7947115021, 1.0513256411],
    ],
    (False, "laplace"): [
        [2.2104803486, 0.8940362122, 2.412672101, 0.4125037364],
        [-0.4063304802, -1.5655243355, -2.8305241066, -4.4329336108],
        [0.5046866887, 2.4753572147, 1.6718668012, 0.7412898151],
    ],
    (True, "relu2"): [
        [2.684366414, 4.3756609631, 4.1937102536, 1.462092058],
        [-0.2310360056, 0.9106283862, 0.986940124, -1.6049819863],
        [0.2981034977, 3.9423597951, 2.484516482, 1.7434354393],
    ],
    (True, "laplace"): [
        [2.0838866082, 0.8443059055, 2.1732875705, 0.2401156849],
        [0.5005741506, -1.7911264649, -2.78698529, -3.4328822717],
        [0.385969708, 3.2889937644, 2.3616717811, 1.4333996132],
    ],
}
PEER_BIAS = [0.5587731087191398, -0.8081304389127214, 1.682941969615793, -1.5136049906158564, 0.8242369704835132]


def waves(*shape):
    """Return sin(k^2) for k = 1, 2, ..."""
    return torch.arange(1, torch.Size(shape).numel() + 1, dtype=torch.float64).square().sin().view(shape)


@pytest.mark.parametrize(("causal", "activation"), PEER)
def test_outputs_of_flash_pytorch(causal, activation):
    layer = FLASH(
        4, d_query=4, chunk_size=3, causal=causal, activation=activation, normalize="chunk", dtype=torch.float64
    )
    values = {
        "in_weight": waves(20, 4), "in_bias": waves(20), "gamma": 1.0 + waves(4, 4), "beta": waves(4, 4).flip(0),
        "out_weight": waves(4, 8), "out_bias": waves(4), "position_bias": torch.tensor(PEER_BIAS, dtype=torch.float64),
    }  # fmt: skip
    layer.load_state_dict(values, strict=False)
    y = layer(waves(1, 7, 4))[0, [0, 3, 6]]
    torch.testing.assert_close(y, torch.tensor(PEER[causal, activation], dtype=torch.float64), rtol=1e-8, atol=1e-8)


def test_transforms_of_torch_are_errors_as_documented():
    layer = FLASH(4, d_query=4, random_state=0)
    with pytest.raises(RuntimeError, match="setup_context"):
        torch.func.grad(lambda x: layer(x).sum())(torch.ones(1, 3, 4))


def test_dropout_of_the_estimators_zeroes_what_a_layer_adds():
    model = FLASHRegressor(d_model=16, dropout=0.25)
    block = model._block({**model.get_params(), "first_norm": True}, first=True, dtype=torch.float64)
    block.dropout.generators = (torch.Generator().manual_seed(0),)
    x = waves(20, 10, 16)
    expected = block.eval()(x) - x
    added = block.train()(x) - x
    kept = added.abs() > 1e-9
    assert 0.7 < kept.double().mean() < 0.8
    torch.testing.assert_close(added[kept], expected[kept] / 0.75)
