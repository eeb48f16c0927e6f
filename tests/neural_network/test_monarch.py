"""Monarch matrices against dense products of permutations and block-diagonal matrices, and projections."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import block_diag, hadamard
from scipy.optimize import minimize

from skpapers.neural_network import monarch_project
from skpapers.neural_network._monarch import monarch_dense, monarch_multiply, project
from skpapers.neural_network._monarch_shape import MonarchShape, monarch_shape

SHAPES = [
    MonarchShape(16, 16, 4, 4, 1),
    MonarchShape(12, 6, 4, 3, 1),
    MonarchShape(6, 20, 2, 5, 1),
    MonarchShape(16, 24, 2, 2, 3),
]
IDS = [f"{s.n_out}x{s.n_in}, {s.k} and {s.l} blocks, rank {s.rank}" for s in SHAPES]


def factors(shape, *members, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(*members, *shape.L)), rng.normal(size=(*members, *shape.R))


def permutation(rows, columns):
    """Return P with (P z)[j * rows + i] = z[i * columns + j]: the transpose of a matrix stored row by row."""
    P = np.zeros((rows * columns, rows * columns))
    for i in range(rows):
        for j in range(columns):
            P[j * rows + i, i * columns + j] = 1.0
    return P


def dense(L, R):
    """Return M from Definition 3.1, with explicit matrices."""
    l, s, r = L.shape  # noqa: E741
    k, q, _ = R.shape
    assert k * q == l * r
    return permutation(l, s) @ block_diag(*L) @ permutation(r, l) @ block_diag(*R)


def tail(A, shape):
    """Return the sum of the squares of the singular values that a projection leaves out, block by block."""
    total = 0.0
    padded = np.zeros((shape.s * shape.l, shape.k * shape.p))
    padded[: shape.n_out, : shape.n_in] = A
    for ell in range(shape.l):
        for kappa in range(shape.k):
            block = padded[ell :: shape.l, kappa * shape.p : (kappa + 1) * shape.p]
            total += (np.linalg.svd(block, compute_uv=False)[shape.rank :] ** 2).sum()
    return total


def matrix(L, R, shape):
    return monarch_dense(torch.from_numpy(L), torch.from_numpy(R)).numpy()[: shape.n_out, : shape.n_in]


class TestProducts:
    @pytest.mark.parametrize("shape", SHAPES, ids=IDS)
    def test_the_matrix_is_that_of_permutations_and_block_diagonal_matrices(self, shape):
        L, R = factors(shape)
        assert_allclose(matrix(L, R, shape), dense(L, R), rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("shape", SHAPES, ids=IDS)
    def test_the_product_is_that_of_the_matrix(self, shape):
        L, R = factors(shape)
        x = np.random.default_rng(1).normal(size=(shape.n_in, 7))
        y = monarch_multiply(torch.from_numpy(L), torch.from_numpy(R), torch.from_numpy(x))
        assert_allclose(y.numpy(), dense(L, R) @ x, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("shape", SHAPES, ids=IDS)
    def test_members_are_multiplied_by_their_own_matrices(self, shape):
        L, R = factors(shape, 3)
        x = np.random.default_rng(1).normal(size=(3, shape.n_in, 5))
        y = monarch_multiply(torch.from_numpy(L), torch.from_numpy(R), torch.from_numpy(x)).numpy()
        M = monarch_dense(torch.from_numpy(L), torch.from_numpy(R)).numpy()
        for i in range(3):
            assert_allclose(M[i], dense(L[i], R[i]), rtol=1e-12, atol=1e-12)
            assert_allclose(y[i], M[i] @ x[i], rtol=1e-12, atol=1e-12)

    def test_gradients_and_second_derivatives(self):
        shape = SHAPES[3]
        inputs = [torch.from_numpy(a).requires_grad_() for a in (*factors(shape), np.ones((shape.n_in, 2)))]
        assert torch.autograd.gradcheck(monarch_multiply, inputs)
        assert torch.autograd.gradgradcheck(monarch_multiply, inputs)


class TestShapes:
    @pytest.mark.parametrize("root", [4, 16, 23, 32])
    def test_square_sizes_have_two_roots_cubed_parameters(self, root):
        shape = monarch_shape(root**2, root**2)
        assert (shape.k, shape.l, shape.rank) == (root, root, 1)
        assert shape.n_parameters == 2 * root**3

    @pytest.mark.parametrize(
        ("n_in", "n_out"), [(512, 512), (64, 1024), (1000, 250), (997, 1009), (7, 3), (1, 9), (2, 2)]
    )
    def test_nothing_is_narrower_than_the_smaller_size(self, n_in, n_out):
        shape = monarch_shape(n_in, n_out)
        assert shape.rank * shape.k * shape.l >= min(n_in, n_out)
        assert shape.k * shape.p >= n_in
        assert shape.l * shape.s >= n_out
        assert max(shape.k, shape.l) <= 4 * min(shape.k, shape.l)

    @pytest.mark.parametrize("n_blocks", ["sqrt", 1, 4, 5, 7])
    def test_the_lowest_rank_with_which_the_matrix_has_full_rank(self, n_blocks):
        """Blocks that are partly padding pass fewer values: 13 x 8 with 4 and 2 blocks has rank 7."""
        deficient = MonarchShape(13, 8, 4, 2, 1)
        assert deficient.rank_of_product == np.linalg.matrix_rank(matrix(*factors(deficient), deficient)) == 7
        for n_in, n_out in [(13, 8), (8, 13), (21, 19), (17, 15), (28, 25), (7, 7), (22, 15), (26, 25)]:
            shape = monarch_shape(n_in, n_out, n_blocks)
            assert np.linalg.matrix_rank(matrix(*factors(shape), shape)) == min(n_in, n_out)
            if shape.rank > 1:
                lower = MonarchShape(n_in, n_out, shape.k, shape.l, shape.rank - 1)
                found = np.linalg.matrix_rank(matrix(*factors(lower), lower))
                assert found == lower.rank_of_product < min(n_in, n_out)

    def test_sizes_with_divisors_are_not_padded(self):
        shape = monarch_shape(512, 512)
        assert shape.k * shape.p == shape.l * shape.s == 512
        assert shape.n_parameters <= 1.1 * 2 * 512**1.5

    def test_few_blocks_have_the_rank_of_the_papers_code(self):
        """Blocks of n / 4 rows and columns in both factors."""
        shape = monarch_shape(1024, 1024, 4)
        assert shape.R == shape.L == (4, 256, 256)

    @pytest.mark.parametrize(
        ("kwargs", "match"),
        [
            ({"n_blocks": 0}, r"n_blocks=0 .* from 1 to 6"),
            ({"n_blocks": 7}, "n_blocks=7"),
            ({"n_blocks": "root"}, "n_blocks='root'"),
            ({"n_blocks": 2.0}, "n_blocks=2.0"),
            ({"n_blocks": 2, "rank": 4}, r"rank=4 .* from 1 to 3"),
            ({"rank": 0}, "rank=0"),
        ],
    )
    def test_impossible_blocks_and_ranks(self, kwargs, match):
        with pytest.raises(ValueError, match=match):
            monarch_shape(6, 8, **kwargs)

    def test_no_inputs_or_outputs(self):
        for size in ((0, 3), (3, 0)):
            with pytest.raises(ValueError, match="at least one row and one column"):
                monarch_shape(*size)


class TestProjection:
    @pytest.mark.parametrize("n_blocks", ["sqrt", 2, 3])
    @pytest.mark.parametrize("size", [(16, 16), (10, 23), (30, 12)])
    @pytest.mark.parametrize("rank", [None, 1, 2])
    def test_the_error_is_the_sum_of_discarded_singular_values(self, size, n_blocks, rank):
        A = np.random.default_rng(0).normal(size=size)
        shape = monarch_shape(size[1], size[0], n_blocks, rank)
        L, R, residual = monarch_project(A, n_blocks, rank=rank)
        assert (L.shape, R.shape) == (shape.L, shape.R)
        assert_allclose(((A - matrix(L, R, shape)) ** 2).sum(), tail(A, shape), rtol=1e-8, atol=1e-20)
        assert_allclose(residual, tail(A, shape), rtol=1e-8, atol=1e-20)

    @pytest.mark.parametrize("shape", SHAPES, ids=IDS)
    def test_monarch_matrices_are_recovered(self, shape):
        M = dense(*factors(shape))
        found = project(M, shape)
        assert_allclose(matrix(found.L, found.R, shape), M, rtol=0, atol=1e-12)
        assert found.residual < 1e-20 * (M**2).sum()

    @pytest.mark.parametrize("n", [16, 64, 256])
    def test_a_hadamard_matrix_is_recovered_and_low_rank_is_far(self, n):
        H = hadamard(n) / np.sqrt(n)
        found = monarch_project(H)
        assert found.residual < 1e-20 * n
        assert_allclose(matrix(found.L, found.R, monarch_shape(n, n)), H, rtol=0, atol=1e-12)
        rank = found.L.size // n  # a product of two matrices of this rank has as many parameters
        assert (np.linalg.svd(H, compute_uv=False)[rank:] ** 2).sum() > 0.4 * n

    def test_both_factors_have_equal_norms(self):
        found = monarch_project(np.random.default_rng(0).normal(size=(16, 16)))
        assert_allclose((found.L**2).sum(), (found.R**2).sum())

    @pytest.mark.parametrize("size", [(9, 9), (8, 12)])
    def test_a_search_from_random_starts_finds_nothing_nearer(self, size):
        A = np.random.default_rng(0).normal(size=size)
        shape = monarch_shape(size[1], size[0])
        residual = monarch_project(A).residual
        target = torch.from_numpy(A)
        n_L = np.prod(shape.L)

        def objective(w):
            t = torch.from_numpy(w).requires_grad_()
            M = monarch_dense(t[:n_L].view(shape.L), t[n_L:].view(shape.R))[: shape.n_out, : shape.n_in]
            loss = ((M - target) ** 2).sum()
            return loss.item(), torch.autograd.grad(loss, t)[0].numpy()

        found = []
        for seed in range(5):
            start = np.random.default_rng(seed).normal(size=shape.n_parameters)
            found.append(minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).fun)
        assert min(found) >= residual * (1.0 - 1e-9)
        assert min(found) <= residual * 1.01  # the search does find it, so that the comparison means something

    @pytest.mark.parametrize("scale", [1e-200, 1e150, 1e200, -1e300])
    def test_the_size_of_the_entries_does_not_matter(self, scale):
        A = np.random.default_rng(0).normal(size=(10, 14))
        shape = monarch_shape(14, 10)
        with np.errstate(over="ignore"):
            found = monarch_project(A * scale)
        reference = monarch_project(A)
        expected = matrix(reference.L, reference.R, shape)
        root = np.sqrt(abs(scale))
        scaled = matrix(found.L / root, found.R / root, shape) * np.sign(scale)
        assert_allclose(scaled, expected, rtol=1e-10, atol=1e-12)
        with np.errstate(over="ignore"):
            assert_allclose(found.residual, reference.residual * np.square(scale), rtol=1e-10)

    def test_ties_constants_and_a_common_offset(self):
        for A in (np.eye(9), np.ones((9, 9)), np.zeros((9, 9)), np.repeat(np.arange(9.0), 9).reshape(9, 9)):
            L, R, residual = monarch_project(A)
            shape = monarch_shape(9, 9)
            assert_allclose(((A - matrix(L, R, shape)) ** 2).sum(), tail(A, shape), atol=1e-20)
            assert_allclose(residual, tail(A, shape), atol=1e-20)
        A = 1e9 + np.random.default_rng(0).normal(size=(9, 9))
        assert_allclose(monarch_project(A).residual, tail(A, monarch_shape(9, 9)), rtol=1e-5)
        assert_allclose(matrix(*monarch_project(A)[:2], monarch_shape(9, 9)), A, rtol=1e-8)

    def test_the_answer_depends_on_the_numbers_and_not_on_dtype_strides_or_order(self):
        A = np.random.default_rng(0).integers(-9, 9, size=(6, 8)).astype(float)
        reference = monarch_project(A)
        read_only = A.copy()
        read_only.flags.writeable = False
        others = [A.astype(dtype) for dtype in ("float16", "float32", "int8", "int64", ">f8")]
        others += [np.asfortranarray(A), A[::-1].copy()[::-1], np.hstack([A, A])[:, :8], read_only, A.tolist()]
        others += [torch.from_numpy(A), torch.from_numpy(A).bfloat16().requires_grad_()]
        for other in others:
            for found, expected in zip(monarch_project(other), reference, strict=True):
                assert_array_equal(found, expected)

    @pytest.mark.parametrize("W", [np.zeros(4), np.zeros((0, 3)), np.full((4, 4), np.nan), 1j * np.eye(4)])
    def test_what_is_not_a_matrix_of_finite_real_numbers(self, W):
        for given in (W, torch.from_numpy(W)):
            with pytest.raises(ValueError, match="W must be a matrix of finite real numbers"):
                monarch_project(given)
