"""Methods that an estimator has only if the estimator inside it has them."""

from collections.abc import Callable
from typing import Any

from sklearn.utils.metaestimators import available_if


def available_if_inside(method: str) -> Callable[[Callable], Any]:
    """Return a decorator for a method that exists if the estimator inside has a method of this name.

    Parameters
    ----------
    method : str
        Name of a method of the estimator that ``self._inside()`` returns. After `fit` this is the fitted estimator,
        before it the one that `fit` will use.

    Returns
    -------
    decorator : callable
        Without such a method, access raises an AttributeError, so that `hasattr` returns False.
    """

    def is_inside(self: Any) -> bool:
        return hasattr(self._inside(), method)

    return available_if(is_inside)
