"""The rows of a node below, in the order of every column."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skpapers.tree._quant_bnb_columns import make_columns
from skpapers.tree._quant_bnb_jobs import extract
from skpapers.tree._quant_bnb_losses import Rows


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_rows_keep_their_order_and_the_last_one_of_each_value_is_marked(missing):
    rng = np.random.default_rng(0)
    n = 30
    X = np.stack([rng.permutation(n), rng.integers(0, 6, size=n), rng.integers(0, 2, size=n)], axis=1).astype(float)
    X[rng.random(X.shape) < missing] = np.nan
    columns = make_columns(X)
    label = rng.integers(0, 9, size=n).astype(np.uint16)
    val = rng.normal(size=(n, 2))
    rows = Rows(columns.order, np.arange(n, dtype=np.int32), label, val)
    for f in range(len(columns.column)):
        for start in range(n):
            for stop in range(start + 1, n + 1):
                m = stop - start
                out = Rows(
                    np.full((len(rows.order), n), -1, np.int32), np.empty(m, np.int32), label[:m] * 0, val[:m] * 0
                )
                extract(rows, n, f, start, stop, True, True, np.empty(n, np.int32), out)
                taken = rows.order[f, start:stop] >> 1
                assert_array_equal(out.base, taken)
                assert_array_equal(out.label, label[taken])
                assert_array_equal(out.val, val[taken])
                for g, column in enumerate(columns.column):
                    inside = [row for row in rows.order[g] >> 1 if row in set(taken)]
                    assert_array_equal(out.base[out.order[g, :m] >> 1], inside)
                    x = X[inside, column]
                    ends = ~((x[:-1] == x[1:]) | (np.isnan(x[:-1]) & np.isnan(x[1:])))
                    assert_array_equal(out.order[g, :m] & 1, np.append(ends, True))
