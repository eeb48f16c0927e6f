r"""Positive random features: kernels of Choromanski et al., "Rethinking Attention with Performers", ICLR 2021.

x and y are rows, scaled so that the kernel has the paper's form; w_1, ..., w_m are the frequencies, w ~ N(0, I_d).
Every map is one of the paper's general form (Eq. 5),

    phi(x) = h(x) / sqrt(m) (f(w_1.x), ..., f(w_m.x)),        E[phi(x).phi(y)] = K(x, y)

    softmax    K = exp(x.y)               f = exp, h = exp(-|x|^2 / 2)      Lemma 1
    gaussian   K = exp(-|x - y|^2 / 2)    f = exp, h = exp(-|x|^2)          Lemma 1, divided by exp((|x|^2 + |y|^2) / 2)
    other f    K = E[f(w.x) f(w.y)]       h = 1

The hyperbolic form takes f at both w and -w, and divides by the root of their number. Variances of one pair, for
independent w (Lemma 2):

    plain        K^2 (exp(|x + y|^2) - 1) / m
    hyperbolic   (1 - exp(-|x + y|^2)) / 2 times that, from m frequencies and 2m features

Orthogonal frequencies (Section 2.4, Theorem 2) have a lower variance. Frequencies of fixed length (Theorem 1, the
regularised kernel) lower it further and make the estimate too small.

| step | function |
|---|---|
| frequencies | `skpapers._random_features.draw_frequencies` |
| f(w.x) h(x) / sqrt(m), from the projections w.x | `write_features` |
| largest exponent of the rows, which a stabiliser subtracts | `largest_exponent` |
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Kernel = str | Callable[[NDArray], NDArray]
# The share of |x|^2 in the exponent of h.
_SQUARED = {"softmax": 0.5, "gaussian": 1.0}


def is_exponential(kernel: Kernel) -> bool:
    """Whether f is the exponential function, so that features have an exponent and are positive."""
    return kernel in ("softmax", "gaussian")


def scale_of_rows(kernel: Kernel, gamma: float) -> float:
    """Return the factor of the rows that turns exp(gamma x.y) or exp(-gamma |x - y|^2) into the paper's form."""
    return float(np.sqrt(2.0 * gamma if kernel == "gaussian" else gamma))


def write_features(out: NDArray, squared: NDArray, n_frequencies: int, kernel: Kernel, log_scale: float) -> None:
    """Replace the projections w.x of some rows by their features.

    Parameters
    ----------
    out : ndarray of shape (n, m) or (n, up to 2m)
        Its first m columns hold the projections of scaled rows. Further columns are those of the hyperbolic form.

    squared : ndarray of shape (n,)
        Squared lengths of the scaled rows.

    n_frequencies : int
        The number m.

    kernel : {"softmax", "gaussian", "relu"} or callable
        A callable is f: it takes the projections and returns as many values.

    log_scale : float
        Subtracted from every exponent, so that features are exp(-log_scale) times those of Eq. 5. Read by the two
        exponential kernels only.
    """
    n_mirrored = out.shape[1] - n_frequencies
    np.negative(out[:, :n_mirrored], out=out[:, n_frequencies:])
    if is_exponential(kernel):
        # The divisor goes into the exponent, which saves a pass over the features.
        constant = _exponent_of_h(squared, kernel) - (log_scale + 0.5 * np.log(out.shape[1]))
        with np.errstate(over="ignore"):
            constant = constant.astype(out.dtype)
        # A row whose squared length overflows has features of 0, even if its projections overflow as well.
        out[np.isinf(constant)] = 0.0
        out += constant[:, None]
        np.exp(out, out=out)
        return
    if kernel == "relu":
        np.maximum(out, 0.0, out=out)
    else:
        out[...] = values_of(kernel, out)
    out *= out.dtype.type(1.0 / np.sqrt(out.shape[1]))


def largest_exponent(projections: NDArray, squared: NDArray, kernel: Kernel, hyperbolic: bool) -> float:
    """Return the largest exponent of f h over some rows and all frequencies, for one of the two exponential kernels."""
    size = np.abs(projections) if hyperbolic else projections
    # A row whose squared length overflows has features of 0, whatever its projections are.
    largest = np.where(np.isinf(squared), 0.0, size.max(axis=1))
    return float(np.max(largest + _exponent_of_h(squared, kernel)))


def _exponent_of_h(squared: NDArray, kernel: Kernel) -> NDArray:
    return -_SQUARED[str(kernel)] * squared


def values_of(f: Kernel, projections: NDArray) -> NDArray:
    """Return f of the projections; an f that changes the shape, or whose values are not real, is an error."""
    assert callable(f)
    values = np.asarray(f(projections))
    if values.shape != projections.shape:
        raise ValueError(
            f"kernel must return one value for each projection: it took an array of shape {projections.shape} and "
            f"returned one of shape {values.shape}."
        )
    if values.dtype.kind not in "biuf":
        raise ValueError(f"kernel must return real numbers, got an array of dtype {values.dtype}.")
    return values
