"""Hand-made results, to be shown: a frame as `Comparison.to_frame` returns it, with a title, a verdict and notes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skpapers.comparison._layout import FIXED_COLUMNS

NAN = np.nan
FOREST = "sklearn.ensemble.RandomForestRegressor(n_jobs=-1, random_state=0)"


def row(method, kind, code, score=NAN, sd=NAN, **given):
    """Return a row of a frame; what is not given is unknown."""
    empty = {name: "" for name in ("paper", "rows", "baseline", "reference", "certificate", "notes")}
    unknown = {name: NAN for name in FIXED_COLUMNS if name not in (*empty, "method", "kind", "estimator", "code")}
    known = {
        "method": method,
        "kind": kind,
        "estimator": code.partition("(")[0],
        "code": code,
        "score": score,
        "sd": sd,
        "reference": "" if method == "HistGradientBoosting" else "HistGradientBoosting",
    }
    return empty | unknown | known | given


def against(name, difference, low, high):
    """Return the columns of a comparison with a baseline."""
    return {"baseline": name, "difference": difference, "interval_low": low, "interval_high": high}


def reference(difference, low, high):
    """Return the columns of a comparison with the best reference."""
    return {"reference_difference": difference, "reference_low": low, "reference_high": high}


ROWS = [
    row(
        "SAM network",
        "method",
        "skpapers.SAMMLPRegressor(device='cpu', random_state=0)",
        0.91654,
        0.0168,
        paper="Sharpness-Aware Minimization, ICLR 2021",
        fit_seconds=1.41,
        **against("SAM network, rho=0", -0.0041, -0.0142, 0.0061),
        **reference(0.001, -0.02, 0.022),
    ),
    row(
        "HistGradientBoosting",
        "reference",
        "sklearn.ensemble.HistGradientBoostingRegressor(random_state=0)",
        0.9161,
        0.0121,
        fit_seconds=0.214,
    ),
    row(
        "HS forest",
        "method",
        f"skpapers.HierarchicalShrinkageRegressorCV(cv='oob', estimator={FOREST})",
        0.9049,
        0.0151,
        paper="Hierarchical Shrinkage, ICML 2022",
        fit_seconds=12.3,
        **against("random forest", 0.0011, 0.0004, 0.0018),
        **reference(-0.011, -0.03, 0.01),
    ),
    row(
        "optimal tree",
        "method",
        "skpapers.QuantBnBTree(max_depth=2)",
        0.4563,
        0.0931,
        paper="Quant-BnB, ICML 2022",
        fit_seconds=0.0041,
        certificate="optimal",
        **against("CART, depth 2", 1e-12, -3e-12, 2e-12),
        **reference(-0.46, -0.55, -0.38),
    ),
    row(
        "convex gated ReLU",
        "method",
        "skpapers.ConvexReLURegressorCV(activation='gated_relu', alphas=5, eps=0.01, random_state=0)",
        paper="Fast Convex Optimization for Two-Layer ReLU Networks, ICML 2022",
        notes="failed: ValueError: [no] convergence",
        **against("MLP, scaled", NAN, NAN, NAN),
    ),
]


@dataclass
class Shown:
    """What the functions that show a comparison read of it."""

    frame: pd.DataFrame
    metric_label: str = "R2"
    title: str = "1030 rows, 8 columns, regression, R2, 5 folds in order (KFold)"
    verdict: str = "Best: SAM network and HistGradientBoosting cannot be told apart on these folds."
    notes: tuple[str, ...] = ("column 'id' looks like a row number",)


def shown(rows=ROWS, metrics=(), **changes):
    """Return a result of some rows; each further metric has made-up values."""
    frame = pd.DataFrame(rows, columns=list(FIXED_COLUMNS))
    for number, name in enumerate(metrics):
        frame.insert(8 + number, name, np.linspace(5, 9, len(frame)) * (number + 1))
    return Shown(frame, **changes)
