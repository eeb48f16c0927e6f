"""The transformers around `_random_feature_attention`."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skpapers._random_features import draw_frequencies
from skpapers._validation import Interval
from skpapers.kernel_approximation._random_feature_attention import write_arc_cosine_features, write_fourier_features
from skpapers.kernel_approximation._random_features_base import _RandomFeatures, project, unit_rows


class RandomFourierAttentionFeatures(_RandomFeatures):
    r"""Fourier features of a Gaussian kernel of rows that are scaled to unit length.

    Use them where the direction of a row counts and its length does not: spectra, word counts, portfolio weights.
    The kernel is then a function of the cosine similarity alone.

    Parameters
    ----------
    n_components : int, default=100
        Number of features: a sine and a cosine for each frequency. If the number is odd, the last frequency has a
        single cosine, with a random phase.

    gamma : float, default=1.0
        The kernel is :math:`\exp(-\gamma \|x - y\|^2)` of unit rows, which is :math:`\exp(2 \gamma (\cos t - 1))` for
        the angle t between them. In the paper :math:`\gamma = 1 / (2 \sigma^2)`.

    orthogonal : bool, default=True
        Whether frequencies are orthogonal within blocks of n_features of them. The expectation is the same and the
        variance lower.

    random_state : int, RandomState instance or None, default=None
        Decides the frequencies.

    Attributes
    ----------
    random_weights_ : ndarray of shape (n_features, ceil(n_components / 2))
        Frequencies, times the square root of 2 gamma.

    phase_ : float
        Phase of the last cosine; 0 if `n_components` is even.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    See Also
    --------
    PositiveOrthogonalFeatures : Positive features of the softmax kernel.
    ArcCosineFeatures : Features of the arc-cosine kernel.
    sklearn.kernel_approximation.RBFSampler : Fourier features of the Gaussian kernel of rows as they are.

    Notes
    -----
    The features of a unit row x are, for D frequencies and an even number of features,

    .. math::

        \phi(x) = \frac{1}{\sqrt D} \big(\sin(w_1^\top x), \dots, \sin(w_D^\top x),
        \cos(w_1^\top x), \dots, \cos(w_D^\top x)\big).

    Their length is 1, so that the estimate is exact where x and y have the same direction. A row of zeros stays at the
    origin: its kernel with all other rows is :math:`\exp(-\gamma)`.

    Put a :class:`~sklearn.preprocessing.StandardScaler` before if columns have different units or an offset: directions
    are seen from the origin.

    Cost: O(n p m) time for n rows, p columns and m features, O(n m) memory, and O(p m min(p, m)) to draw the
    frequencies. A sparse X is multiplied as it is.

    **Differences from the paper.** The paper builds attention from the features, learns a sigma for each column of each
    head, and draws frequencies anew during training. Here frequencies are drawn once and there is one gamma. The
    published code adds 1e-3 to the length of a row and draws lengths of orthogonal frequencies with another number of
    degrees of freedom.

    References
    ----------
    .. [1] H. Peng, N. Pappas, D. Yogatama, R. Schwartz, N. A. Smith, L. Kong, "Random Feature Attention", ICLR 2021.
       https://arxiv.org/abs/2103.02143. Code: https://github.com/Noahs-ARK/RFA

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import normalize
    >>> from skpapers.kernel_approximation import RandomFourierAttentionFeatures
    >>> X = np.random.default_rng(0).normal(size=(50, 8))
    >>> features = RandomFourierAttentionFeatures(n_components=1000, gamma=0.5, random_state=0)
    >>> F = features.fit_transform(X)
    >>> U = normalize(X)
    >>> print(f"{np.abs(F @ F.T - np.exp(U @ U.T - 1)).mean():.3f}")
    0.010

    The length of a row does not count:

    >>> bool(np.allclose(features.transform(3 * X), F))
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **_RandomFeatures._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self, *, n_components: int = 100, gamma: float = 1.0, orthogonal: bool = True, random_state: Any = None
    ) -> None:
        self.n_components = n_components
        self.gamma = gamma
        self.orthogonal = orthogonal
        self.random_state = random_state

    def _draw(self, X: Any, rng: np.random.RandomState) -> dict[str, Any]:
        W = draw_frequencies(rng, (self.n_components + 1) // 2, X.shape[1], orthogonal=self.orthogonal)
        phase = rng.uniform(0.0, 2.0 * np.pi) if self.n_components % 2 else 0.0
        return {"random_weights_": np.sqrt(2.0 * self.gamma) * W.T, "phase_": phase}

    def _write(self, X: Any, out: NDArray) -> None:
        unit = unit_rows(X).astype(out.dtype, copy=False)
        project(unit, self.random_weights_, out[:, out.shape[1] // 2 :])
        write_fourier_features(out, self.phase_)


class ArcCosineFeatures(_RandomFeatures):
    r"""Random features of the arc-cosine kernel of order 1: a layer of random rectified linear units.

    The kernel is that of an infinitely wide hidden layer of rectified linear units. It has no width to choose, and
    doubles if a row doubles. Use it where a Gaussian kernel needs a gamma that you would have to search.

    Parameters
    ----------
    n_components : int, default=100
        Number of features, one for each frequency.

    orthogonal : bool, default=True
        Whether frequencies are orthogonal within blocks of n_features of them. The expectation is the same and the
        variance lower.

    random_state : int, RandomState instance or None, default=None
        Decides the frequencies.

    Attributes
    ----------
    random_weights_ : ndarray of shape (n_features, n_components)
        Frequencies.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    See Also
    --------
    PositiveOrthogonalFeatures : Positive features of the softmax kernel.
    RandomFourierAttentionFeatures : Features of a Gaussian kernel of rows of unit length.

    Notes
    -----
    The features of a row x are :math:`\phi(x) = m^{-1/2} \max(W x, 0)`. Their dot product is, in expectation,

    .. math::

        \frac{\|x\| \|y\|}{2 \pi} \big(\sin t + (\pi - t) \cos t\big)

    for the angle t between x and y. No feature is negative. Units have no bias: a linear model on them is positively
    homogeneous in x but for its intercept. Put a :class:`~sklearn.preprocessing.StandardScaler` before, and add a
    constant column behind it to give the units a bias.

    Cost: O(n p m) time for n rows, p columns and m features, O(n m) memory, and O(p m min(p, m)) to draw the
    frequencies. A sparse X is multiplied as it is.

    **Differences from the paper.** The paper builds attention from the features, with a learned scale of the
    frequencies; here they have none, since it would only multiply the kernel.

    References
    ----------
    .. [1] H. Peng, N. Pappas, D. Yogatama, R. Schwartz, N. A. Smith, L. Kong, "Random Feature Attention", ICLR 2021.
       https://arxiv.org/abs/2103.02143. Code: https://github.com/Noahs-ARK/RFA

    .. [2] Y. Cho, L. K. Saul, "Kernel Methods for Deep Learning", NeurIPS 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.kernel_approximation import ArcCosineFeatures
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> F = ArcCosineFeatures(n_components=10_000, random_state=0).fit_transform(X)

    The kernel of a unit row is 1/2 with itself, 1 / (2 pi) at a right angle, and 0 with its opposite.

    >>> print(np.round(F @ F[0], 2) + 0.0)
    [0.5  0.16 0.  ]
    """

    def __init__(self, *, n_components: int = 100, orthogonal: bool = True, random_state: Any = None) -> None:
        self.n_components = n_components
        self.orthogonal = orthogonal
        self.random_state = random_state

    def _draw(self, X: Any, rng: np.random.RandomState) -> dict[str, Any]:
        return {"random_weights_": draw_frequencies(rng, self.n_components, X.shape[1], orthogonal=self.orthogonal).T}

    def _write(self, X: Any, out: NDArray) -> None:
        project(X, self.random_weights_, out)
        write_arc_cosine_features(out)
