"""What one would use anyway: reference estimators, and estimators of the user from Python objects and files."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from skpapers._contests import Spec

_KINDS = {"classification": "Classifier", "regression": "Regressor"}
_FILES = (".joblib", ".pkl", ".pickle", ".skops")
_TRIAL_ROWS = 40


@dataclass(frozen=True)
class Reference:
    """A reference estimator; `package` is what must be installed for it.

    `trivial` marks the one that ignores the features.
    """

    name: str
    spec: Spec
    package: str = "sklearn"
    trivial: bool = False


def _scaled(model: Spec) -> Spec:
    """Return a linear model on standardised columns: its penalty treats all columns alike."""
    steps = [("scaler", Spec("sklearn.preprocessing.StandardScaler")), ("model", model)]
    return Spec("sklearn.pipeline.Pipeline", {"steps": steps})


def _linear(task: str) -> Reference:
    """Return the linear model whose penalty is cross-validated, from almost none to one that leaves the mean.

    Returns of assets need penalties of the order of the number of rows, where the default of 1 does not matter.
    """
    if task == "regression":
        alphas = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
        ridge = Spec("sklearn.linear_model.RidgeCV", {"alphas": alphas, "scoring": "neg_mean_squared_error"})
        return Reference("ridge", _scaled(ridge))
    settings = {
        "Cs": (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0),
        "l1_ratios": (0.0,),
        "scoring": "neg_log_loss",
        "max_iter": 1000,
        "use_legacy_attributes": False,
    }
    return Reference("logistic", _scaled(Spec("sklearn.linear_model.LogisticRegressionCV", settings)))


def references(task: str) -> list[Reference]:
    """Return the references of a task whose packages are installed, cheap ones first.

    Parameters
    ----------
    task : {"classification", "regression"}
    """
    kind = _KINDS[task]
    seeded = {"random_state": 0}
    xgboost = Spec(f"xgboost.XGB{kind}", seeded)
    if task == "classification":
        # XGBoost knows the labels 0, 1, ... only
        xgboost = Spec("skpapers.comparison._labelled_classifier.LabelledClassifier", {"estimator": xgboost})
    found = [
        Reference("mean" if task == "regression" else "majority", Spec(f"sklearn.dummy.Dummy{kind}"), trivial=True),
        _linear(task),
        Reference("HistGradientBoosting", Spec(f"sklearn.ensemble.HistGradientBoosting{kind}", seeded)),
        Reference("LightGBM", Spec(f"lightgbm.LGBM{kind}", {"verbose": -1, **seeded}), "lightgbm"),
        Reference("XGBoost", xgboost, "xgboost"),
        # the parameters of the forests inside the papers' methods, so that it is their baseline, too
        Reference("RandomForest", Spec(f"sklearn.ensemble.RandomForest{kind}", {"n_jobs": -1, **seeded})),
    ]
    return [reference for reference in found if find_spec(reference.package) is not None]


def chosen_references(task: str, names: Sequence[str] | None) -> list[Reference]:
    """Return the references that the user names, all if `names` is None.

    Raises
    ------
    ValueError
        If a name is unknown, or its package is not installed.
    """
    known = references(task)
    if names is None:
        return known
    wanted = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in wanted if name not in [reference.name for reference in known]]
    if unknown:
        choices = ", ".join(reference.name for reference in known)
        raise ValueError(
            f"references: unknown for {task}, or not installed: {', '.join(map(str, unknown))}; choose among {choices}."
        )
    return [reference for reference in known if reference.name in wanted]


def check_estimators(estimators: Any) -> dict[str, BaseEstimator]:
    """Return unfitted copies of the user's estimators, {} for None.

    Raises
    ------
    ValueError
        If this is not a dict of names and estimators with `fit` and `predict`.
    """
    if estimators is None:
        return {}
    if not isinstance(estimators, Mapping):
        raise ValueError(f"estimators must be a dict of names and estimators, got {type(estimators).__name__}.")
    return {_checked_name(name): _unfitted(f"estimators[{name!r}]", model) for name, model in estimators.items()}


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"estimators: {name!r} is no valid name; a name is a string that is not empty.")
    return name


def _unfitted(where: str, model: Any) -> BaseEstimator:
    """Return a clone of an estimator, or of an instance of the class, that can be fitted and predicts."""
    if isinstance(model, type):
        try:
            model = model()
        except TypeError as error:
            raise ValueError(f"{where}: {model.__name__} cannot be built without arguments ({error}).") from error
    # a stacking estimator with the default final estimator has no predict before it is fitted, but its class has
    has = [hasattr(model, name) or hasattr(type(model), name) for name in ("fit", "predict", "get_params")]
    if not all(has):
        raise ValueError(
            f"{where} is no scikit-learn estimator with fit, predict and get_params; got {type(model).__name__}."
        )
    try:
        return clone(model)
    except Exception as error:
        raise ValueError(f"{where}: {type(model).__name__} cannot be cloned ({_line(error)}).") from error


def _line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def load_reference(text: str) -> tuple[str, BaseEstimator]:
    """Return the name and an unfitted copy of an estimator of the user.

    Parameters
    ----------
    text : str
        ``"module:object"``: an estimator, a class or a function without arguments that returns one, in a module that
        can be imported from the current folder. Or the path of a .joblib, .pkl, .pickle or .skops file. A joblib or
        pickle file can run any code, so it must be your own; a skops file is read only if it has trusted types alone.
        ``"name=module:object"`` gives it a name.

    Returns
    -------
    name : str
    estimator : estimator

    Raises
    ------
    ValueError
        In one line, if there is no such file or object, or if it is not an estimator.
    """
    name, sign, rest = text.partition("=")
    source = rest if sign else text
    where = f"--reference {source}"
    if source.endswith(_FILES):
        model = _from_file(where, Path(source))
        default = Path(source).stem
    elif ":" in source:
        model = _from_module(where, *source.rsplit(":", 1))
        default = source.rsplit(":", 1)[1].rpartition(".")[2]
    else:
        raise ValueError(f"{where}: must be module:object, or a file that ends in {', '.join(_FILES)}.")
    if not (hasattr(model, "fit") or isinstance(model, type)) and callable(model):
        model = _called(where, model)
    return name.strip() if sign else default, _unfitted(where, model)


def _called(where: str, function: Any) -> Any:
    try:
        return function()
    except Exception as error:
        raise ValueError(f"{where}: the function failed ({type(error).__name__}: {_line(error)}).") from error


def _from_module(where: str, module: str, path: str) -> Any:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # the workers get the same path
    try:
        found = import_module(module)
    except Exception as error:
        raise ValueError(f"{where}: {module!r} cannot be imported ({type(error).__name__}: {_line(error)}).") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{where}: {module!r} has no {path!r}.")
        found = getattr(found, part)
    return found


def _from_file(where: str, path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"{where}: there is no such file.")
    try:
        if path.suffix == ".skops":
            return _from_skops(path)
        import joblib

        return joblib.load(path)
    except ModuleNotFoundError as error:
        raise ValueError(f"{where}: needs the package {error.name!r}, which is not installed.") from error
    except Exception as error:
        raise ValueError(f"{where}: cannot be read ({type(error).__name__}: {_line(error)}).") from error


def _from_skops(path: Path) -> Any:
    """Read a skops file; types of this package are trusted, others that skops does not know are refused by it."""
    from skops.io import get_untrusted_types, load

    ours = [name for name in get_untrusted_types(file=path) if name.startswith("skpapers.")]
    return load(path, trusted=ours)


def prefers_raw_columns(estimator: BaseEstimator, frame: pd.DataFrame, y: np.ndarray) -> bool:
    """Whether an estimator of the user can be fitted on columns as they are: strings, dates, missing values.

    It is tried on a few rows, with a missing value of each column that has one. An estimator that cannot gets the
    numbers that the papers' methods get.
    """
    rows = set(np.linspace(0, len(frame) - 1, min(_TRIAL_ROWS, len(frame))).astype(int))
    rows |= {int(np.argmax(frame[name].isna())) for name in frame if frame[name].isna().any()}
    rows |= set(np.unique(y, return_index=True)[1][:_TRIAL_ROWS])
    few = sorted(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clone(estimator).fit(frame.iloc[few], y[few]).predict(frame.iloc[few])
        except Exception:
            return False
    return True
