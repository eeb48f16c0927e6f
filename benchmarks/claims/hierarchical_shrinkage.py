"""Claims of Hierarchical Shrinkage (Agarwal, Tan, Ronen, Singh, Yu; ICML 2022)."""

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from benchmarks._report import Table
from benchmarks.claims._registry import Result, Shows, claim
from benchmarks.claims._statistics import arrow, interval, signed_rank, split_interval
from benchmarks.tables import load_shuffled
from skpapers.tree import HierarchicalShrinkageClassifierCV, HierarchicalShrinkageRegressorCV

PAPER = "hierarchical_shrinkage"
MAX_ROWS = 3000
REGRESSION = ("concrete", "fish", "qsar", "carbon", "grid", "diabetes", "friedman1", "friedman2", "friedman3")
CLASSIFICATION = ("raisin", "bank", "breast_cancer", "bidding", "wilt", "htru", "magic", "eeg")
TABLES = REGRESSION + CLASSIFICATION

# Sizes of the paper: trees by leaves and by depth, forests of full-depth trees.
FAMILIES: dict[str, tuple[str, tuple[int, ...]]] = {
    "trees of 2 to 30 leaves": ("max_leaf_nodes", (2, 4, 8, 15, 30)),
    "trees by depth": ("max_depth", (1, 2, 3, 5, 10, 25)),
    "forests": ("n_estimators", (3, 10, 25, 50)),
}
KINDS = ("unshrunk", "leaf", "hierarchical")
RIVALS = ("no shrinkage", "leaf-based shrinkage")
TEST_TRAIN = 0.5  # test rows per training row


# hs_test_score ---------------------------------------------------------------------------------------------------


def base_model(name: str, family: str, size: int, seed: int) -> Any:
    parameter = FAMILIES[family][0]
    if parameter == "n_estimators":
        kind = RandomForestClassifier if name in CLASSIFICATION else RandomForestRegressor
    else:
        kind = DecisionTreeClassifier if name in CLASSIFICATION else DecisionTreeRegressor
    return kind(random_state=seed, **{parameter: size})


def test_score(model: Any, X: NDArray, y: NDArray) -> float:
    if hasattr(model, "predict_proba"):
        return float(roc_auc_score(y, model.predict_proba(X)[:, 1]))
    return float(r2_score(y, model.predict(X)))


def scores_of_split(name: str, seed: int) -> dict[str, NDArray]:
    """Return a family's test scores of shape (n_sizes, 3), columns as in `KINDS`."""
    X, y = load_shuffled(name, MAX_ROWS)
    classifier = name in CLASSIFICATION
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=1 / 3, random_state=seed, stratify=y if classifier else None
    )
    cv = HierarchicalShrinkageClassifierCV if classifier else HierarchicalShrinkageRegressorCV
    scoring = "neg_log_loss" if classifier else "neg_mean_squared_error"
    scores = {}
    for family, (_, sizes) in FAMILIES.items():
        rows = []
        for size in sizes:
            base = base_model(name, family, size, seed)
            models = [clone(base), *(cv(base, scheme=scheme, cv=3, scoring=scoring) for scheme in KINDS[1:])]
            rows.append([test_score(model.fit(X_train, y_train), X_test, y_test) for model in models])
        scores[family] = np.array(rows)
    return scores


@claim(
    "hs_test_score",
    paper=PAPER,
    statement="Shrinking a fitted CART tree or random forest hierarchically, its structure left as it is, improves the "
    "score on held-out rows, and does so more than shrinking the leaves alone.",
    seeds=10,
)
def hs_test_score(seeds: int, jobs: int) -> Result:
    names = TABLES
    tasks = [(name, seed) for name in names for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(scores_of_split)(*task) for task in tasks)
    duels = []
    by_size = []
    tables = []
    for family, (parameter, sizes) in FAMILIES.items():
        # (n_tables, n_seeds, n_sizes, 3)
        scores = np.array([one[family] for one in done]).reshape(len(names), seeds, len(sizes), 3)
        rows = [score_row(name, table) for name, table in zip(names, scores.mean(axis=2), strict=True)]
        title = f"{family.capitalize()}: mean over {parameter} = {', '.join(map(str, sizes))}"
        tables.append(Table(title, SCORE_COLUMNS, rows, SCORE_NOTE))
        for column, rival in enumerate(RIVALS):
            difference = scores[..., 2] - scores[..., column]
            rows = [[name, *map(difference_cell, table.T)] for name, table in zip(names, difference, strict=True)]
            title = f"{family.capitalize()}: HS minus {rival}, by {parameter}"
            tables.append(Table(title, ["table", *map(str, sizes)], rows))
            duels.append(Duel(family, rival, names, difference.mean(axis=2)))
            by_size += [Duel(size_name(family, n), rival, names, difference[:, :, i]) for i, n in enumerate(sizes)]
    wins = [duel.won for duel in duels]
    shows: Shows = "shows" if all(wins) else "mixed" if any(wins) else "does not show"
    gains = [f"against {rival}: {', '.join(d.sentence() for d in duels if d.rival == rival)}" for rival in RIVALS]
    worse = ", ".join(f"{name} ({duel.models}, {duel.rival})" for duel in duels for name in duel.worse)
    lost = [f"against {rival} for {', '.join(losses(by_size, rival)) or 'no size'}" for rival in RIVALS]
    return Result(
        shows,
        f"Mean gain of HS {'; '.join(gains)}. Clearly worse (beyond the interval) on {worse or 'no table'}. Size by "
        f"size the gain does not show (p >= 0.05) {'; '.join(lost)}.",
        f"{len(REGRESSION)} regression tables (R²) and {len(CLASSIFICATION)} of two classes (AUC), at most {MAX_ROWS} "
        f"rows of each: {', '.join(names)}",
        "2/3 of the rows train, 1/3 test, a new split each seed; lambda by 3 folds of the training part out of 0, 0.1, "
        "1, 10, 50, 100, 500 (squared error or log loss), for HS and for leaf-based shrinkage alike. HS wins a "
        "comparison if its mean gain over the tables is positive with p < 0.05 (Wilcoxon's signed-rank test, one gain "
        "a table, the mean over sizes); the claim shows if it wins all six, and is mixed if it wins some",
        [
            Table("All tables", DUEL_COLUMNS, [duel.row() for duel in duels], DUEL_NOTE),
            Table("All tables, size by size", DUEL_COLUMNS, [duel.row() for duel in by_size]),
            *tables,
        ],
        {f"{duel.models}, {duel.rival}: {key}": value for duel in duels for key, value in duel.summary().items()},
    )


SCORE_COLUMNS = ["table", "score", "unshrunk", "leaf", "HS", "HS - unshrunk", "wins", "HS - leaf", "wins"]
SCORE_NOTE = (
    "Score on the test part, mean over sizes and seeds. Brackets: 95% interval over seeds, corrected for the overlap "
    "of splits (Nadeau and Bengio); an arrow marks one without zero. Wins: seeds in which HS is better, of those in "
    "which the two differ."
)
DUEL_COLUMNS = ["models", "HS minus", "R²", "AUC", "median", "better", "by 0.01", "worse by 0.01"]
DUEL_COLUMNS += ["clearly better", "clearly worse", "p"]
DUEL_NOTE = (
    "Gain of HS on the test part, averaged over seeds: its mean over the regression tables and over those of two "
    "classes, its median over all; number of tables on which HS is better, better by 0.01 or more, worse by 0.01 or "
    "more, better or worse beyond the 95% interval over seeds; p of Wilcoxon's signed-rank test over all tables."
)


def size_name(family: str, size: int) -> str:
    what = {"max_leaf_nodes": f"trees of {size} leaves", "max_depth": f"trees of depth {size}"}
    return what.get(FAMILIES[family][0], f"forests of {size} trees")


class Duel:
    """HS against one rival, over all tables; `differences` of the score is of shape (n_tables, n_seeds)."""

    def __init__(self, models: str, rival: str, names: tuple[str, ...], differences: NDArray) -> None:
        self.models = models
        self.rival = rival
        self.gains = differences.mean(axis=1)
        self.p = signed_rank(self.gains)
        bounds = [split_interval(table, TEST_TRAIN) for table in differences]
        self.better = [name for name, (low, _) in zip(names, bounds, strict=True) if low > 0]
        self.worse = [name for name, (_, high) in zip(names, bounds, strict=True) if high < 0]
        self.won = bool(self.gains.mean() > 0 and self.p < 0.05)
        numbers = np.array([name in REGRESSION for name in names])
        self.r2 = float(self.gains[numbers].mean())
        self.auc = float(self.gains[~numbers].mean())
        self.count = f"{np.sum(self.gains > 0)} of {len(names)}"

    def row(self) -> list[str]:
        gains = [f"{gain:+.4f}" for gain in (self.r2, self.auc, np.median(self.gains))]
        counts = [np.sum(self.gains >= 0.01), np.sum(self.gains <= -0.01), len(self.better), len(self.worse)]
        return [self.models, self.rival, *gains, self.count, *map(str, counts), f"{self.p:.2g}"]

    def sentence(self) -> str:
        return f"{self.models} {self.r2:+.4f} R², {self.auc:+.4f} AUC (better on {self.count} tables, p = {self.p:.2g})"

    def summary(self) -> dict[str, float]:
        return {"R²": self.r2, "AUC": self.auc, "p": self.p}


def losses(duels: list[Duel], rival: str) -> list[str]:
    return [duel.models for duel in duels if duel.rival == rival and not duel.won]


def score_row(name: str, scores: NDArray) -> list[str]:
    """Return a row from the scores of one table, of shape (n_seeds, 3)."""
    row = [name, "AUC" if name in CLASSIFICATION else "R²", *(f"{score:.3f}" for score in scores.mean(axis=0))]
    for rival in (0, 1):
        difference = scores[:, 2] - scores[:, rival]
        low, high = split_interval(difference, TEST_TRAIN)
        row += [f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]{arrow(low, high)}"]
        row += [f"{np.sum(difference > 0)}/{np.sum(difference != 0)}"]
    return row


def difference_cell(differences: NDArray) -> str:
    return f"{differences.mean():+.4f}{arrow(*split_interval(differences, TEST_TRAIN))}"


# hs_shap_variance ------------------------------------------------------------------------------------------------

# These nine were measured first, the other eight after their result was seen: the verdict needs both.
FIRST = ("concrete", "fish", "qsar", "diabetes", "friedman1", "raisin", "breast_cancer", "wilt", "magic")
N_REFITS = 20
N_HELD_OUT = 100
N_TREES = 50
SHAP_ROWS = 1500


def shap_values(model: Any, X: NDArray) -> tuple[NDArray, float]:
    """Return SHAP values (of the second class, for a classifier), and how far their sums are from the predictions."""
    import shap

    explainer = shap.TreeExplainer(model)
    values = explainer.shap_values(X)
    base = np.ravel(explainer.expected_value)
    if hasattr(model, "predict_proba"):
        values = values[:, :, 1]
        base = base[1]
        predicted = model.predict_proba(X)[:, 1]
    else:
        predicted = model.predict(X)
    return values, float(np.abs(values.sum(axis=1) + base - predicted).max())


def shap_variances(name: str, seed: int) -> dict[str, float]:
    """Refit on subsamples; return HS / unshrunk ratios of variance and size, and the median lambda."""
    X, y = load_shuffled(name, SHAP_ROWS)
    classifier = name in CLASSIFICATION
    forest = (RandomForestClassifier if classifier else RandomForestRegressor)(N_TREES)
    cv = HierarchicalShrinkageClassifierCV if classifier else HierarchicalShrinkageRegressorCV
    scoring = "neg_log_loss" if classifier else "neg_mean_squared_error"
    random = np.random.default_rng(seed)
    order = random.permutation(len(X))
    held_out = X[order[:N_HELD_OUT]]
    pool = order[N_HELD_OUT:]
    plain = []
    shrunken = []
    lambdas = []
    apart = 0.0
    for refit in range(N_REFITS):
        rows = random.choice(pool, size=2 * len(pool) // 3, replace=False)
        fitted = clone(forest).set_params(random_state=1000 * seed + refit).fit(X[rows], y[rows])
        model = cv(FrozenEstimator(fitted), cv="oob", scoring=scoring).fit(X[rows], y[rows])
        for into, one in ((plain, fitted), (shrunken, model.estimator_)):
            values, gap = shap_values(one, held_out)
            into.append(values)
            apart = max(apart, gap)
        lambdas.append(model.reg_param_)

    def variance(values: NDArray) -> float:
        return float(values.var(axis=0, ddof=1).mean())

    def scaled(values: NDArray) -> NDArray:
        return values / np.abs(values).mean(axis=(1, 2), keepdims=True)

    a = np.array(plain)  # (n_refits, n_rows, n_features)
    b = np.array(shrunken)
    return {
        "variance": variance(b) / variance(a),
        "scaled": variance(scaled(b)) / variance(scaled(a)),
        "size": float(np.abs(b).mean() / np.abs(a).mean()),
        "lambda": float(np.median(lambdas)),
        "apart": apart,
    }


@claim(
    "hs_shap_variance",
    paper=PAPER,
    statement="Hierarchical shrinkage of a random forest stabilises its SHAP values: over refits to other training "
    "rows they vary less.",
    seeds=5,
    packages=("shap",),
)
def hs_shap_variance(seeds: int, jobs: int) -> Result:
    tasks = [(name, seed) for name in TABLES for seed in range(seeds)]
    done = Parallel(n_jobs=jobs)(delayed(shap_variances)(*task) for task in tasks)
    apart = max(one["apart"] for one in done)
    assert apart < 1e-8, f"SHAP values do not add up to the predictions: {apart:.1e}"
    by_key = {key: np.array([one[key] for one in done]).reshape(-1, seeds) for key in done[0]}
    rows = []
    for i, name in enumerate(TABLES):
        size = np.exp(np.log(by_key["size"][i]).mean())
        X, _ = load_shuffled(name, SHAP_ROWS)
        row = [name, f"{X.shape[0]} x {X.shape[1]}", f"{np.median(by_key['lambda'][i]):g}", f"{size:.2f}"]
        rows.append(row + [ratio_cell(by_key[key][i]) for key in ("variance", "scaled")])
    sentences = []
    wins = []
    summary = {"apart": apart}
    for key, what in (("variance", "Variance as it is"), ("scaled", "after scaling both to one mean size")):
        logs = np.log(by_key[key])
        p = signed_rank(logs.mean(axis=1))
        ratio = float(np.exp(logs.mean()))
        bounds = [interval(table) for table in logs]
        below = sum(high < 0 for _, high in bounds)
        above = sum(low > 0 for low, _ in bounds)
        first = signed_rank(logs[[TABLES.index(name) for name in FIRST]].mean(axis=1))
        wins.append(bool(ratio < 1 and p < 0.05 and first < 0.05))
        summary |= {f"{key}: ratio": ratio, f"{key}: p": p, f"{key}: p over the tables measured first": first}
        sentences.append(
            f"{what}: ratio {ratio:.2f} (geometric mean over tables, p = {p:.2g}; {first:.2g} over the {len(FIRST)} "
            f"measured first), clearly below 1 on {below} of {len(TABLES)} tables and clearly above on {above}"
        )
    shows: Shows = "shows" if all(wins) else "mixed" if any(wins) else "does not show"
    verdict = f"{'; '.join(sentences)}."
    if wins == [True, False]:
        verdict += " Most of the steadiness is shrinkage of scale; what is left beyond it depends on the tables."
    columns = ["table", "n x p", "median lambda", "mean size", "variance", "variance, scaled"]
    note = (
        "Ratios HS / unshrunk; a variance below 1: HS is steadier. *Mean size*: of the absolute SHAP values. *Scaled*: "
        "the SHAP values of each model are first divided by their mean size, so that a plain shrinkage of scale does "
        "not count as stability. Brackets: 95% t interval over seeds (on the logarithm), the noise of this protocol on "
        "this table; an arrow marks one without 1."
    )
    return Result(
        shows,
        verdict,
        f"{len(TABLES)} tables, at most {SHAP_ROWS} rows of each: {', '.join(TABLES)}",
        f"{N_HELD_OUT} rows are held out; RF({N_TREES}) is fitted to {N_REFITS} random 2/3 of the others and shrunken "
        "with lambda by out-of-bag rows; TreeSHAP values of the held-out rows; their variance over the refits, "
        "averaged over rows and features, HS / unshrunk. The claim shows if the ratio is below 1 (p < 0.05, Wilcoxon's "
        "signed-rank test, one ratio a table) both as it is and after scaling, and is mixed if in one of the two; p "
        f"counts over all tables and over the {len(FIRST)} that were measured before the others were added "
        f"({', '.join(FIRST)}). SHAP values and the base value add up to the prediction within {apart:.0e}",
        [Table("Variance of SHAP values over refits", columns, rows, note)],
        summary,
    )


def ratio_cell(ratios: NDArray) -> str:
    logs = np.log(ratios)
    low, high = interval(logs)
    return f"{np.exp(logs.mean()):.3f} [{np.exp(low):.3f}, {np.exp(high):.3f}]{arrow(low, high)}"
