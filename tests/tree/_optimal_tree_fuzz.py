"""Random small fits of the optimal trees against every tree there is: `python -m tests.tree._optimal_tree_fuzz 10000`.

Data are tied, columns and outputs may be constant or far from 0, weights may be of very different size or sums that
round. Of each fit everything that the classes promise is checked: the objective, the certificate, the fewest leaves,
and that a common factor of the weights or of the target changes nothing.
"""

import argparse
import time
import traceback
import warnings

import numpy as np
from sklearn.base import clone

from skpapers.tree import QuantBnBTree, QuantBnBTreeClassifier
from tests.tree._optimal_tree_oracle import fewest_leaves, objective_scale, optimal_objective

CRITERIA = ("squared_error", "outputs", "misclassification", "gini")
# Losses closer than this, relative to the root's or to the weight of all rows, count as equal.
TIE = 1e-12
# Losses closer than this are equal for the search, too. Between the two it may see a difference, and take another leaf.
SURE_TIE = 1e-14
FACTORS = (2.0**-600, 1e-200, 0.1, 3.0, 7.0, 1e9, 1e200, 2.0**900)


def draw_weight(rng, n):
    """Return no weights, or whole ones, multiples of 0.1, ones of very different size, or any."""
    kind = rng.integers(6)
    if kind < 2:
        return None
    if kind == 2:
        return rng.integers(0, 4, size=n) + (np.arange(n) == 0)
    if kind == 3:
        return 0.1 * rng.integers(1, 10, size=n)
    if kind == 4:
        return 10.0 ** rng.integers(-4, 5, size=n)
    return rng.random(n) + 0.1


def draw(seed):
    """Return a model, X, y and weights."""
    rng = np.random.default_rng(seed)
    criterion = CRITERIA[rng.integers(4)]
    depth = int(rng.integers(1, 4))
    n = int(rng.integers(1, 13))
    p = int(rng.integers(1, 4))
    X = (
        rng.integers(0, rng.integers(1, 7), size=(n, p)).astype(float)
        if rng.random() < 0.8
        else rng.normal(size=(n, p))
    )
    X = X * 10.0 ** rng.integers(-9, 10) + rng.choice([0.0, 0.0, 1e6])
    if rng.random() < 0.2:
        X[rng.random(X.shape) < 0.2] = np.nan
    if rng.random() < 0.2:
        X[:, rng.integers(p)] = 1.0
    params = {
        "min_samples_leaf": int(rng.choice([1, 1, 1, 2, 3])),
        "ccp_alpha": float(rng.choice([0.0, 0.0, 0.05, 0.3])),
    }
    if criterion in ("squared_error", "outputs"):
        y = rng.integers(
            0, rng.integers(1, 6), size=(n, 1 if criterion == "squared_error" else int(rng.integers(2, 4)))
        )
        y = y * rng.choice([1.0, 0.1, 1e-6]) + rng.choice([0.0, 0.0, 0.3, 1e9, 1.7e18], size=y.shape[1])
        unit = np.ptp(y, axis=0).max() ** 2
        params["ccp_alpha"] *= unit / 8 if unit else 1.0
        model = QuantBnBTree(depth, **params)
        y = y[:, 0] if criterion == "squared_error" else y
    else:
        y = rng.integers(0, rng.integers(2, 5), size=n)
        model = QuantBnBTreeClassifier(depth, criterion=criterion, **params)
    # the enumeration compares shares of the second class, or means of one output
    comparable = criterion == "squared_error" or (criterion == "misclassification" and len(np.unique(y)) <= 2)
    if rng.random() < 0.2 and comparable and not np.isnan(X).any():
        model.set_params(monotonic_cst=rng.integers(-1, 2, size=p))
    return model, X, y, draw_weight(rng, n)


def problem_of(model, X, y, weight):
    """Return the same problem as the enumeration sees it, and the total weight times the number of outputs."""
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    kept = weight > 0
    X = X[kept]
    y = y[kept]
    weight = weight[kept]
    loss = "squared_error"
    outputs = 1
    if model.criterion == "squared_error":
        target = y.reshape(len(y), -1)
        target = target - target[:1]
        outputs = target.shape[1]
    else:
        target = np.unique(y, return_inverse=True)[1]
        if model.criterion == "gini":
            target = np.eye(target.max() + 1)[target]
        else:
            loss = "misclassification"
    unit = weight.sum() * outputs
    settings = {
        "loss": loss,
        "max_depth": model.max_depth,
        "min_samples_leaf": model.min_samples_leaf,
        "leaf_cost": model.ccp_alpha * unit,
        "monotonic_cst": model.monotonic_cst,
    }
    return (X, target, weight), settings, unit


def spans_few_orders(X, target, weight, loss):
    """Return whether squared deviations from the mean span nine orders of magnitude at most, as the classes ask."""
    if loss == "misclassification":
        return True
    squares = (target - np.average(target, axis=0, weights=weight)) ** 2
    squares = squares[squares > 0]
    return squares.size == 0 or squares.min() >= 1e-9 * squares.max()


def fitted(model, X, y, weight):
    """Return a fitted clone; warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return clone(model).fit(X, y, weight)


def check(seed):
    """Fit a drawn problem and check it."""
    model, X, y, weight = draw(seed)
    tree = fitted(model, X, y, weight)
    data, settings, unit = problem_of(model, X, y, weight)
    scale = settings["leaf_cost"] + (
        data[2].sum() if settings["loss"] == "misclassification" else objective_scale(*data, settings["loss"])
    )
    least = optimal_objective(*data, **settings)
    assert abs(tree.objective_ * unit - least) <= TIE * scale, (tree.objective_ * unit, least)
    assert tree.is_optimal_ is True
    assert tree.gap_ == 0.0
    assert tree.lower_bound_ == tree.objective_
    leaves = tree.get_n_leaves()
    assert leaves >= fewest_leaves(*data, **settings, tie=TIE), leaves
    if spans_few_orders(*data, settings["loss"]):
        assert leaves <= fewest_leaves(*data, **settings, tie=SURE_TIE), leaves
    leaf = tree.tree_.children_left == -1
    share = tree.tree_.weighted_n_node_samples[leaf] / tree.tree_.weighted_n_node_samples[0]
    again = share @ tree.tree_.impurity[leaf] + model.ccp_alpha * leaf.sum()
    assert abs(again - tree.objective_) <= TIE * scale / unit, (again, tree.objective_)
    assert tree.feature_importances_.min() >= 0.0
    assert round(tree.feature_importances_.sum(), 9) == (0.0 if leaf[0] else 1.0)

    rng = np.random.default_rng([seed, 1])
    factor = rng.choice(FACTORS)
    scaled = fitted(model, X, y, factor * (np.ones(len(y)) if weight is None else weight))
    if weight is None or np.frexp(factor)[0] == 0.5:
        check_same(scaled, tree, X, 1.0)
    else:  # the weights are rounded anew, which may choose another of several trees that are equally good
        assert abs(scaled.objective_ - tree.objective_) <= TIE * scale / unit
        assert scaled.get_n_leaves() == tree.get_n_leaves()
        assert scaled.is_optimal_ is True
    if model.criterion == "squared_error":
        factor = rng.choice([2.0**-600, 2.0**-500, 2.0**500, 2.0**900])  # powers of two: sums with an offset stay exact
        squared = float(factor) ** 2 if 1e-160 < factor < 1e160 else 0.0
        scaled = clone(model).set_params(ccp_alpha=model.ccp_alpha * squared)
        if squared or not model.ccp_alpha:
            check_same(fitted(scaled, X, factor * y, weight), tree, X, factor)


def check_same(scaled, tree, X, factor):
    """The tree is the same one, its values times a factor."""
    assert scaled.is_optimal_ is True
    assert scaled.gap_ == 0.0
    np.testing.assert_array_equal(scaled.tree_.feature, tree.tree_.feature)
    np.testing.assert_array_equal(scaled.tree_.threshold, tree.tree_.threshold)
    np.testing.assert_allclose(scaled.feature_importances_, tree.feature_importances_, rtol=1e-6, atol=1e-12)
    if tree.criterion == "squared_error":
        np.testing.assert_allclose(scaled.predict(X) / factor, tree.predict(X), rtol=1e-12)
    else:
        np.testing.assert_array_equal(scaled.predict(X), tree.predict(X))
        np.testing.assert_allclose(scaled.predict_proba(X), tree.predict_proba(X), rtol=1e-12)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fits", nargs="?", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    args = parser.parse_args()
    start = time.process_time()
    bad = 0
    for seed in range(args.first, args.first + args.fits):
        try:
            check(seed)
        except Exception as error:
            bad += 1
            line = traceback.extract_tb(error.__traceback__)[1].line
            message = " ".join(str(error).split())[:200]
            print(f"seed {seed}: {draw(seed)[0]}: {line}: {type(error).__name__} {message}", flush=True)
    print(f"{args.fits} fits, {bad} bad, {time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
