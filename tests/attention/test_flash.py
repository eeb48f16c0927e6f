"""FLASH against the gated attention unit and against FLASH-pytorch; the rest is in test_gated_attention_unit."""

import pytest
import torch

from skpapers.attention import FLASH, GatedAttentionUnit


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
