r"""Feature maps of Peng et al., "Random Feature Attention", ICLR 2021.

w_1, ..., w_D are the frequencies, w ~ N(0, I_d). Two maps phi with E[phi(x).phi(y)] = K(x, y):

    gaussian   phi(x) = 1 / sqrt(D) (sin(w_1.x), ..., sin(w_D.x), cos(w_1.x), ..., cos(w_D.x))                       (1)
               K(x, y) = exp(-|x - y|^2 / 2)                   Theorem 1, after Rahimi and Recht
    arccos     phi(x) = 1 / sqrt(D) (max(w_1.x, 0), ..., max(w_D.x, 0))                                              (2)
               K(x, y) = |x| |y| / (2 pi) (sin t + (pi - t) cos t), t the angle between x and y (Cho and Saul, order 1)

The numbers (1) and (2) are those of this file. The gaussian map takes rows of unit length: there |x - y|^2 = 2 - 2 x.y,
so that K is exp(x.y) up to a constant factor (Section 3.1). The length 1 / sigma of a row, for the kernel
exp(-|x - y|^2 / 2 sigma^2), is a factor of the frequencies. In an odd number of features the last frequency has one
feature, sqrt(2) cos(w.x + b) with b uniform on [0, 2 pi), so that the estimate stays unbiased.

| step | function |
|---|---|
| frequencies | `skpapers._random_features.draw_frequencies` |
| (1), from the projections w.x | `write_fourier_features` |
| (2), from the projections w.x | `write_arc_cosine_features` |
"""

import numpy as np
from numpy.typing import NDArray


def write_fourier_features(out: NDArray, phase: float) -> None:
    """Replace the projections w.x by the features of (1).

    Parameters
    ----------
    out : ndarray of shape (n, n_features)
        Its last ceil(n_features / 2) columns hold the projections of unit rows. Sines come first, then cosines.

    phase : float
        The phase b of the last cosine, if the number of features is odd.
    """
    n_features = out.shape[1]
    n_sines = n_features // 2
    projections = out[:, n_sines:]
    np.sin(projections[:, :n_sines], out=out[:, :n_sines])
    if n_features % 2:
        projections[:, -1] += phase
    np.cos(projections, out=projections)
    out *= out.dtype.type(np.sqrt(2.0 / n_features))


def write_arc_cosine_features(out: NDArray) -> None:
    """Replace the projections w.x in `out`, of shape (n, D), by the features of (2)."""
    np.maximum(out, 0.0, out=out)
    out *= out.dtype.type(1.0 / np.sqrt(out.shape[1]))
