"""The rows of a comparison: for each paper its method and its baseline. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Spec:
    """An estimator to be built later: its import path and its keyword arguments.

    Parameters
    ----------
    path : str
        Dotted path of a class, ``"sklearn.tree.DecisionTreeClassifier"``.

    kwargs : dict
        Keyword arguments of the constructor. A value may be a Spec, or a list or tuple with Specs inside, such as the
        steps of a Pipeline.
    """

    path: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Any:
        """Import the class and return a new instance of it."""
        module, name = self.path.rsplit(".", 1)
        return getattr(import_module(module), name)(**{key: _built(value) for key, value in self.kwargs.items()})

    @property
    def code(self) -> str:
        """A Python expression that builds the estimator, with the names of packages.

        Estimators of this package go by their short names: ``"skpapers.SAMMLPRegressor(random_state=0)"``.
        """
        package, _, rest = self.path.partition(".")
        public = package == "skpapers" and "._" not in self.path
        path = f"skpapers.{rest.rpartition('.')[2]}" if public else self.path
        return f"{path}({', '.join(f'{key}={_written(value)}' for key, value in self.kwargs.items())})"


def _built(value: Any) -> Any:
    """Return a value with an estimator in the place of every Spec."""
    if isinstance(value, Spec):
        return value.build()
    if type(value) in (list, tuple):
        return type(value)(_built(item) for item in value)
    return value


def _written(value: Any) -> str:
    """Return the expression of a value, in which every Spec is the expression of its estimator."""
    if isinstance(value, Spec):
        return value.code
    if type(value) is list:
        return f"[{', '.join(map(_written, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(_written, value))}{',' * (len(value) == 1)})"
    return repr(value)


@dataclass(frozen=True)
class Contest:
    """A method and the baseline it is measured against in :func:`skpapers.compare`.

    Parameters
    ----------
    name : str
        Short name in the table of results and on the command line.

    task : {"classification", "regression"}
        The task both estimators solve.

    method, baseline : Spec
        The estimators, with equal random states. The baseline is what one would use in place of the method: trained to
        the end, scaled and regularised like it.

    needs : tuple of str, default=()
        Names of per-row values, such as ``"sample_domain"``, without which the method has no meaning. It is left out of
        comparisons that do not have them.

    baseline_name : str, default=""
        Short name of the baseline, which says how it differs from the method: "CART, depth 2".
    """

    name: str
    task: str
    method: Spec
    baseline: Spec
    needs: tuple[str, ...] = ()
    baseline_name: str = ""


# Leaf sizes of a single tree, the regularisation that depends on neither the scale of the target nor its noise.
_LEAF_SIZES = (1, 3, 10, 30, 100, 300)
_CART_CV = "CART, leaf size by CV"


def _cart_cv(kind: str) -> Spec:
    """Return a single tree as one would use it: fully grown trees overfit, so the leaf size is cross-validated."""
    cart = Spec(f"sklearn.tree.DecisionTree{kind}", {"random_state": 0})
    grid = {"min_samples_leaf": list(_LEAF_SIZES)}
    return Spec("sklearn.model_selection.GridSearchCV", {"estimator": cart, "param_grid": grid})


def _kinds() -> tuple[tuple[str, str], ...]:
    """Return each task with the end of its estimators' names."""
    return (("classification", "Classifier"), ("regression", "Regressor"))


def shrinkage_contests() -> Iterator[Contest]:
    for task, kind in _kinds():
        hs = f"skpapers.tree.HierarchicalShrinkage{kind}CV"
        tree = Spec(f"sklearn.tree.DecisionTree{kind}", {"random_state": 0})
        forest = Spec(f"sklearn.ensemble.RandomForest{kind}", {"n_jobs": -1, "random_state": 0})
        yield Contest("HS tree", task, Spec(hs, {"estimator": tree}), _cart_cv(kind), baseline_name=_CART_CV)
        yield Contest(
            "HS forest", task, Spec(hs, {"estimator": forest, "cv": "oob"}), forest, baseline_name="RandomForest"
        )


def optimal_tree_contests() -> Iterator[Contest]:
    for task, method, kind in (
        ("classification", "QuantBnBTreeClassifier", "Classifier"),
        ("regression", "QuantBnBTree", "Regressor"),
    ):
        for name, kwargs in (("optimal tree", {"max_depth": 2}), ("lookahead tree", {"max_depth": 6, "lookahead": 2})):
            depth = kwargs["max_depth"]
            cart = Spec(f"sklearn.tree.DecisionTree{kind}", {"max_depth": depth, "random_state": 0})
            yield Contest(
                name, task, Spec(f"skpapers.tree.{method}", kwargs), cart, baseline_name=f"CART, depth {depth}"
            )


def sam_contests() -> Iterator[Contest]:
    for task, kind in _kinds():
        method = f"skpapers.neural_network.SAMMLP{kind}"
        settings = {"random_state": 0, "device": "cpu"}
        plain = Spec(method, {"rho": 0.0, **settings})
        yield Contest("SAM network", task, Spec(method, settings), plain, baseline_name="SAM network, rho=0")


def mixup_contests() -> Iterator[Contest]:
    for task, kind in _kinds():
        tree = Spec(f"sklearn.tree.DecisionTree{kind}", {"random_state": 0})
        mixed = {"estimator": tree, "alpha": 1.0, "random_state": 0}
        method = Spec("skpapers.augmentation.MixupWrapper", mixed)
        yield Contest("mixup tree", task, method, _cart_cv(kind), baseline_name=_CART_CV)


def startup_contests() -> Iterator[Contest]:
    method = Spec("skpapers.few_shot.STARTUPClassifier", {"random_state": 0, "device": "cpu"})
    network = {"hidden_layer_sizes": (128, 64), "rho": 0.0, "random_state": 0, "device": "cpu"}
    # a table has one domain: what is compared is the teacher with the final classifier, and a plain network
    plain = Spec("skpapers.neural_network.SAMMLPClassifier", network)
    yield Contest("STARTUP teacher", "classification", method, plain, baseline_name="MLP (128, 64)")


def convex_contests() -> Iterator[Contest]:
    for task, kind in _kinds():
        # The same kind of network, trained by Adam: it scales inputs and target, and rows held back end training. The
        # comparison gives it the last rows for that if the rows are in the order of time.
        network = {
            "hidden_layer_sizes": (100,),
            "activation": "relu",
            "numeric_embedding": "none",
            "rho": 0.0,
            "early_stopping": True,
            "validation_split": "random",
            "random_state": 0,
            "device": "cpu",
        }
        mlp = Spec(f"skpapers.neural_network.SAMMLP{kind}", network)
        # gated, since ReLU networks of small alphas take minutes on large tables
        params = {"activation": "gated_relu", "alphas": 5, "eps": 0.01, "random_state": 0}
        method = Spec(f"skpapers.convex.ConvexReLU{kind}CV", params)
        yield Contest("convex gated ReLU", task, method, mlp, baseline_name="MLP (100,), early stopping")


def monarch_contests() -> Iterator[Contest]:
    for task, kind in _kinds():
        method = f"skpapers.neural_network.MonarchMLP{kind}"
        settings = {"hidden_layer_sizes": (256, 256), "random_state": 0, "device": "cpu"}
        dense = Spec(method, {"mode": "dense", **settings})
        yield Contest("Monarch network", task, Spec(method, settings), dense, baseline_name="dense MLP, same settings")


def positive_feature_contests() -> Iterator[Contest]:
    """Yield random features in front of the linear reference: ours at their default gamma, RBFSampler's gamma by CV."""
    ours = Spec("skpapers.kernel_approximation.PositiveOrthogonalFeatures", {"n_components": 300, "random_state": 0})
    fourier = Spec("sklearn.kernel_approximation.RBFSampler", {"n_components": 300, "random_state": 0})
    # 1 / p, and smaller ones, which suit most tables better
    grid: dict[str, list] = {"features__gamma": ["scale", 0.03, 0.01]}
    ridge = Spec("sklearn.linear_model.RidgeCV", {"alphas": (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)})
    yield _feature_contest("regression", _with_features(ours, ridge), _with_features(fourier, ridge), grid)
    settings = {
        "Cs": (1e-4, 1e-3, 1e-2, 0.1, 1.0),
        "l1_ratios": (0.0,),
        "scoring": "neg_log_loss",
        "max_iter": 1000,
        "random_state": 0,
        "use_legacy_attributes": False,
    }
    of_path = Spec("sklearn.linear_model.LogisticRegressionCV", settings)
    # one search over both parameters, since a path inside each fit of a search takes four times as long
    single = Spec("sklearn.linear_model.LogisticRegression", {"max_iter": 1000, "random_state": 0})
    grid = {**grid, "model__C": [1e-3, 1e-2, 0.1, 1.0]}
    yield _feature_contest("classification", _with_features(ours, of_path), _with_features(fourier, single), grid)


def _with_features(features: Spec, model: Spec) -> Spec:
    """Return features of standardised columns in front of a linear model, whose penalty treats all of them alike."""
    scaler = Spec("sklearn.preprocessing.StandardScaler")
    steps = [("scaler", scaler), ("features", features), ("feature_scaler", scaler), ("model", model)]
    return Spec("sklearn.pipeline.Pipeline", {"steps": steps})


def _feature_contest(task: str, method: Spec, other: Spec, grid: dict[str, list]) -> Contest:
    search = {"estimator": other, "param_grid": grid, "cv": 3}
    baseline = Spec("sklearn.model_selection.GridSearchCV", search)
    return Contest("positive features", task, method, baseline, baseline_name="RBFSampler, gamma by CV")


def gpm_contests() -> Iterator[Contest]:
    for task, kind in _kinds():
        method = f"skpapers.continual.GPM{kind}"
        settings = {"random_state": 0, "device": "cpu"}
        naive = Spec(method, {"threshold": 0.0, **settings})
        name = "GPM network, threshold=0"
        yield Contest("GPM network", task, Spec(method, settings), naive, needs=("task",), baseline_name=name)
