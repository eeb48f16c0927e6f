"""Rows a chunk at a time: any dtype, any strides, and no trace of where a chunk ends."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skpapers._torch.chunks import CHUNK_BYTES, chunk_length, in_chunks, network_inputs, to_tensor
from skpapers._torch.modules import MLP
from skpapers._torch.scaling_layers import FixedScaling

X = np.random.default_rng(0).integers(-9, 9, size=(23, 3)).astype(np.float64)


def read_only(A):
    A = A.copy()
    A.flags.writeable = False
    return A


@pytest.mark.parametrize(
    "change",
    [
        read_only,
        np.asfortranarray,
        lambda A: A[::-1].copy()[::-1],
        lambda A: np.repeat(A, 2, axis=1)[:, ::2],
        *(lambda A, code=code: A.astype(code) for code in (">f8", "f2", "f4", "i1", ">i4", "O", "g")),
    ],
)
def test_any_array_of_numbers_becomes_the_same_tensor(change):
    made = to_tensor(change(X))
    assert made.dtype == torch.float64
    assert made.is_contiguous()
    assert_array_equal(made.numpy(), X)


@pytest.mark.parametrize("length", [1, 4, 22, 23, 100])
def test_chunks_leave_no_trace(length):
    lengths = []

    def function(rows):
        lengths.append(len(rows))
        return 2.0 * rows[:, :2].to(torch.float32)

    assert_array_equal(in_chunks(function, X, length).numpy(), 2.0 * X[:, :2].astype(np.float32))
    assert max(lengths) <= length
    assert sum(lengths) == len(X)


def test_a_chunk_of_a_wide_network_has_few_rows():
    narrow, wide = (MLP(p, (64,), 1, n_members=8, numeric_embedding="periodic") for p in (2, 200))
    assert 1 <= chunk_length(wide) < chunk_length(narrow) / 10
    assert chunk_length(MLP(10**7, (1,), 1)) == 1
    made = wide.embedding(torch.zeros(8, 5, 200))
    assert wide.row_size() * 5 >= 2 * 16 * 8 * 5 * 200 + made.numel()
    assert chunk_length(wide) * wide.row_size() * 8 <= CHUNK_BYTES


def test_inputs_are_scaled_in_float64_and_must_fit_the_networks_dtype():
    scaling = FixedScaling(np.full(3, 1e9), np.ones(3), None)
    single, double = (network_inputs(scaling, torch.device("cpu"), dtype) for dtype in (torch.float32, torch.float64))
    assert_array_equal(single(X[::-1] + 1e9).numpy(), X[::-1].astype(np.float32))
    assert_array_equal(double(X * 1e100).numpy(), X * 1e100 - 1e9)
    with pytest.raises(ValueError, match=r'as large as 9e\+100, too large for training in dtype="float32"'):
        single(X * 1e100)
