"""Borrowed arrays: the same memory, no counting of references."""

import sys
from typing import NamedTuple

import numpy as np
from numba import njit

from skpapers.tree._quant_bnb_borrow import borrow


class Pair(NamedTuple):
    numbers: np.ndarray
    more: np.ndarray
    scale: float


class Outer(NamedTuple):
    pair: Pair
    whole: np.ndarray


@njit
def fill(outer):
    outer = borrow(outer)
    for i in range(outer.whole.size):
        numbers = outer.pair.numbers
        numbers[i] = outer.pair.scale * outer.whole[i] + outer.pair.more[0, i]
    return outer.pair.numbers.sum()


def test_memory_is_shared_and_its_owners_are_left_alone():
    numbers = np.zeros(5)
    more = np.arange(10.0).reshape(2, 5)
    whole = np.ones(5, np.int64)
    before = [sys.getrefcount(a) for a in (numbers, more, whole)]
    for _ in range(3):
        assert fill(Outer(Pair(numbers, more, 2.0), whole)) == 20.0
    np.testing.assert_array_equal(numbers, [2.0, 3.0, 4.0, 5.0, 6.0])
    assert [sys.getrefcount(a) for a in (numbers, more, whole)] == before
    # The name is there if numba counted anywhere, even where LLVM took the calls away again, as it does in `fill`.
    assert all("@NRT_incref" not in code for code in fill.inspect_llvm().values())
