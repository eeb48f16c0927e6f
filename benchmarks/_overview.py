"""The first screen of `docs/reproduction.md`: every claim in a few words, its verdict and its main figure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks._report import Table
from skpapers._paper_table import heading_anchor
from skpapers.papers import Paper

Summary = Mapping[str, float]


@dataclass(frozen=True)
class Headline:
    """A claim in a few words, and the text of its main figure, made of the numbers behind the verdict."""

    claim: str
    figure: Callable[[Summary], str]


def _met(summary: Summary) -> str:
    return f"{summary['met']:g} of {summary['values']:g} published values"


def _test_score(summary: Summary) -> str:
    return f"depth 3: {summary['depth 3: R²']:+.3f} R², {summary['depth 3: other']:+.3f} accuracy"


def _shrunken_trees(summary: Summary) -> str:
    head = "depth 3, against shrunken CART: "
    return (
        f"depth 3: {summary[head + 'R²']:+.3f} R², {summary[head + 'other']:+.3f} AUC (p = {summary[head + 'p']:.2g})"
    )


def _shrinkage(summary: Summary) -> str:
    head = "trees by depth, no shrinkage: "
    return f"trees: {summary[head + 'R²']:+.3f} R², {summary[head + 'AUC']:+.3f} AUC"


def _profile(summary: Summary) -> str:
    names = ("pyscnn", "Clarabel", "Adam")
    factors = (f"{name} x {summary[f'median factor, {name}']:.0f}" for name in names)
    return f"median time of others: {', '.join(factors)}"


def _learning(summary: Summary) -> str:
    return f"adding: R² {summary['adding']:.3f} at worst; digits: {summary['digits']:.3f} accuracy at worst"


def _decision(summary: Summary) -> str:
    return f"{summary['right']:.0f} % right; regret {summary['regret']:.2f} points, always {summary['always']:.2f}"


def _series(summary: Summary) -> str:
    peers = ", ".join(f"{name} {summary[name]:.1f}" for name in ("softmax", "MiniRocket", "DTW"))
    return f"{summary['accuracy']:.1f} % of test windows; {peers}"


HEADLINES: dict[str, Headline] = {
    "hs_test_score": Headline("Shrinkage improves held-out scores of trees and forests", _shrinkage),
    "hs_shap_variance": Headline(
        "SHAP values of a shrunken forest vary less",
        lambda s: f"variance x {s['variance: ratio']:.2f}, at equal scale x {s['scaled: ratio']:.2f}",
    ),
    "convex_relu_objective": Headline(
        "The convex optimum is no worse than Adam's objective",
        lambda s: f"at most {100 * (max(s.values()) - 1):.1f} % above the best of 5 runs",
    ),
    "convex_relu_same_model": Headline(
        "The same model at every seed", lambda s: f"spread of predictions x {median(s.values()):.2f} of Adam's"
    ),
    "convex_relu_profile": Headline("The convex solver is faster than Adam and an interior point", _profile),
    "convex_relu_accuracy": Headline(
        "As accurate as forests and SVMs on small tables",
        lambda s: f"{s['ReLU']:.3f}; forest {s['RandomForest']:.3f}, SVM {s['SVC']:.3f}",
    ),
    "convex_relu_sampling": Headline(
        "A sample of the activation patterns is enough",
        lambda s: f"4000 patterns: {100 * (s['4000 patterns'] - 1):.0f} % above the least objective",
    ),
    "quant_bnb_train_objective": Headline("The published optimal objectives are met", _met),
    "quant_bnb_test_score": Headline("Optimal trees predict better than CART of their depth", _test_score),
    "quant_bnb_lookahead": Headline(
        "Lookahead trees predict better than CART (ours)",
        lambda s: f"{s['depth 6: R²']:+.3f} R², {s['depth 6: other']:+.3f} accuracy (p = {s['depth 6: p']:.2g})",
    ),
    "quant_bnb_shrinkage": Headline("Shrunken optimal trees beat shrunken CART (ours)", _shrunken_trees),
    "mind_the_pad_positions": Headline(
        "Even padding removes blind spots",
        lambda s: f"worst place {s['gain']:+.3f} accuracy [{s['low']:+.3f}, {s['high']:+.3f}]",
    ),
    "sam_label_noise": Headline(
        "Gains most with random labels; flatter minima",
        lambda s: f"{s['gain']:+.1f} points; top eigenvalue x {s['ratio']:.2f}",
    ),
    "performer_kernel_error": Headline(
        "Orthogonal positive features estimate the softmax kernel better",
        lambda s: f"squared error x {s['orthogonal']:.2f}, hyperbolic x {s['hyperbolic']:.2f}, of independent ones",
    ),
    "monarch_end_to_end": Headline(
        "As accurate as dense matrices, in a fifth of the time",
        lambda s: f"{s['difference']:+.2f} points in the mean; CPU time at most x {s['ratio']:.2f}",
    ),
    "monarch_sparse_to_dense": Headline(
        "Dense for the last steps only, as accurate",
        lambda s: f"{s['difference']:+.2f} points in the mean; CPU time at most x {s['ratio']:.2f}",
    ),
    "monarch_dense_to_sparse": Headline(
        "Projection and fine-tuning keep the accuracy",
        lambda s: f"at least {100 * s['kept']:.1f} % kept, {s['saved']:.0f} times fewer parameters",
    ),
    "sample_efficiency_gap": Headline(
        "A convolution learns from rows that teach a dense network nothing",
        lambda s: f"{s['gap']:+.2f} accuracy at 200 rows; {s['rotated']:.2f} on rotated rows",
    ),
    "sample_efficiency_scaling": Headline(
        "Dense networks need about d² rows, convolutions a constant number",
        lambda s: f"exponent {s['exponent']:.2f}; at most {s['most']:.0f} rows",
    ),
    "sample_efficiency_equivariance": Headline(
        "SGD keeps rotations, Adam does not", lambda s: f"gap {s['sgd']:.0e}; Adam {s['adam']:.2f}"
    ),
    "dimension_known": Headline(
        "Neighbours estimate known dimensions, and order data sets",
        lambda s: f"{s['at 10']:+.0%} at dimension 10, {s['at 40']:+.0%} at 40 (GeoMLE {s['GeoMLE at 40']:+.0%})",
    ),
    "dimension_images": Headline(
        "Images have few dimensions, and keep them when resized",
        lambda s: f"digits {s['digits']:.1f} of 64 pixels; {s['change']:.1%} at most by resizing",
    ),
    "dimension_rows_needed": Headline(
        "Fewer dimensions need fewer rows, whatever the columns",
        lambda s: f"{s['2']:.0f} rows at dimension 2, {s['4']:.0f} at 4; x {s['columns']:.1f} between columns",
    ),
    "dimension_steps": Headline(
        "Fewer dimensions are learned in fewer steps",
        lambda s: f"{s['2']:.0f}, {s['4']:.0f} and {s['8']:.0f} epochs at dimensions 2, 4 and 8",
    ),
    "mixup_tree_r2": Headline(
        "Mixtures of rows regularise a tree", lambda s: f"{s['gain']:+.2f} R² [{s['low']:+.2f}, {s['high']:+.2f}]"
    ),
    "mixup_fgsm": Headline(
        "Robust against single-step attacks", lambda s: f"{s['fgsm']:+.1f} points attacked, {s['clean']:+.1f} clean"
    ),
    "dc_rare_classes": Headline(
        "Calibration helps classes of few rows",
        lambda s: f"one row a class: {s['digits m=1']:+.1f} points (digits)",
    ),
    "dc_episodes": Headline(
        "Better in 5-way 1-shot episodes",
        lambda s: f"{s['literal']:+.1f} points [{s['low']:+.1f}, {s['high']:+.1f}]",
    ),
    "startup_one_shot": Headline(
        "Better features than the teacher's, one shot",
        lambda s: f"{s['startup']:+.1f} points, {s['distillation']:+.1f} without self-supervision",
    ),
    "daf_few_shot": Headline(
        "Forecasts of few series are better with a source's shared attention",
        lambda s: f"ND x {s['target']:.2f} of the target alone, x {s['fine']:.2f} of fine-tuning",
    ),
    "daf_cold_start": Headline(
        "The same where the target's histories are short",
        lambda s: f"ND x {s['target']:.2f} of the target alone, x {s['ridge']:.2f} of ridge on lags",
    ),
    "daf_intervals": Headline(
        "Conformal intervals cover what they promise",
        lambda s: f"80 % intervals cover {s['coverage']:.1f} %, {s['plain']:.1f} % without calibration",
    ),
    "daf_real_series": Headline(
        "A source helps real series with a short past",
        lambda s: "ND over the target alone: " + ", ".join(f"{name} x {value:.2f}" for name, value in s.items()),
    ),
    "gradvac_update": Headline(
        "Cosines reach their targets; equal to another implementation",
        lambda s: f"differences at most {max(s['torchjd'], s['pcgrad'], s['target']):.0e}",
    ),
    "gradvac_accuracy": Headline(
        "Better than the sum of the gradients",
        lambda s: f"{s['gain']:+.4f} R² in the mean; better on {s['better']:g} of {s['tables']:g} tables",
    ),
    "performer_learning": Headline("Learns what softmax attention learns, in linear time", _learning),
    "performer_series": Headline("Competitive on real series", _series),
    "attention_tables": Headline(
        "As good as an MLP, with columns as tokens (ours)",
        lambda s: f"{s['gain']:+.1f} points over the MLP [{s['low']:+.1f}, {s['high']:+.1f}]",
    ),
    "rfa_series": Headline("As good as softmax attention on real series", _series),
    "rfa_learning": Headline("As accurate as softmax attention; the gate prefers recent steps", _learning),
    "attention_market": Headline(
        "The gate suits next-day volatility (ours)",
        lambda s: f"{s['gain']:+.4f} R² over ridge on lags [{s['low']:+.4f}, {s['high']:+.4f}]",
    ),
    "policy_adaptation_linear_system": Headline(
        "A policy regains what a drift of its sensors has cost",
        lambda s: (
            f"error x {s['ratio']:.2f}, inverse loss / {s['fall']:.0f}; as in the paper: error x {s['paper']:.2f}"
        ),
    ),
    "policy_adaptation_pendulum": Headline(
        "Adaptation improves the returns in other environments",
        lambda s: (
            f"mean change by the adapter {s['adapter, inverse']:+.1f}, by the paper's scope {s['paper, inverse']:+.1f}"
        ),
    ),
    "policy_adaptation_frames": Headline(
        "Adaptation improves the returns of a policy that sees images",
        lambda s: (
            f"mean change by the adapter {s['adapter, inverse']:+.1f}, by the paper's scope {s['paper, inverse']:+.1f}"
        ),
    ),
    "gpm_permuted_digits": Headline(
        "Learns task after task and forgets little",
        lambda s: (
            f"accuracy {s['accuracy']:.2f}, fine-tuning {s['naive']:.2f}; change {s['bwt']:+.2f}, {s['naive bwt']:+.2f}"
        ),
    ),
    "gpm_split_digits": Headline(
        "With a head for each task nothing is forgotten, at no cost",
        lambda s: f"change at worst {s['bwt']:+.3f}; accuracy {s['gain']:+.3f} over fine-tuning",
    ),
    "gpm_exactness": Headline(
        "Projected steps keep activations under every optimiser",
        lambda s: f"at most {s['worst']:.0e}; projected gradients of Adam {s['gradient']:.2f}",
    ),
    "flash_series": Headline("The quality of full attention on real series", _series),
    "tent_streams": Headline(
        "Adapts to shifted images, online and without labels",
        lambda s: (
            f"error after / before: contrast {s['contrast']:.2f}, gain and offset {s['gain']:.2f}; "
            f"clean {s['rise']:+.1f} points"
        ),
    ),
    "tent_entropy_step": Headline(
        "The entropy adds to the statistics of the batch", lambda s: f"{s['batch']:+.2f} points of accuracy"
    ),
    "tent_decision": Headline("Evidence without labels shows whether to adapt", _decision),
    "tent_decision_elsewhere": Headline("The same on data that chose nothing", _decision),
    "flash_learning": Headline("The quality of a transformer, causal or not", _learning),
}


def overview(papers: Mapping[str, tuple[Paper, list[dict[str, Any]]]]) -> str:
    """Return the table of all claims: paper, claim, verdict, figure.

    Parameters
    ----------
    papers : dict of str to (Paper, list of dict)
        For each key its paper and the stored results of its claims.
    """
    rows = []
    for paper, stored in papers.values():
        for number, result in enumerate(stored):
            title = paper.title.partition(":")[0]
            name = f"[{title}](#{heading_anchor(paper.title)})" if number == 0 else ""
            headline = HEADLINES[result["name"]]
            claim = f"[{headline.claim}](#{result['name']})"
            rows.append([name, claim, f"**{result['shows']}**", headline.figure(result["summary"])])
    return Table("", ["paper", "claim", "shows?", "figure"], rows).markdown().replace("---:", "---")
