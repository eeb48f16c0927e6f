"""The papers of this package: one record each. Standard library only, so that ``import skpapers`` stays light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Spec:
    """An estimator to be built later: its import path, and its keyword arguments (a value may be a Spec).

    Parameters
    ----------
    path : str
        Dotted path of a class, ``"sklearn.tree.DecisionTreeClassifier"``.

    kwargs : dict
        Keyword arguments of the constructor.
    """

    path: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Any:
        """Import the class and return a new instance of it."""
        module, name = self.path.rsplit(".", 1)
        kwargs = {key: value.build() if isinstance(value, Spec) else value for key, value in self.kwargs.items()}
        return getattr(import_module(module), name)(**kwargs)


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
        The estimators. With equal random state wherever both have one.
    """

    name: str
    task: str
    method: Spec
    baseline: Spec


@dataclass(frozen=True)
class Paper:
    """One paper, and where everything that belongs to it stands.

    Parameters
    ----------
    key : str
        Identifier: the name of the algorithm file without its underscore, of the notebook and of the guide page.

    title, authors, venue, url, code : str
        The publication, and the URL of the official code.

    module : str
        The topic folder that holds the estimators.

    estimators : tuple of str
        Public classes, each importable from `module` and from the top level.

    contests : tuple of Contest
        The rows of a comparison; none where most tables would tell method and baseline apart in nothing.

    reproduction : tuple of str
        Names of the claims in ``benchmarks/reproduce.py``.

    time_budget : float, default=1800
        Seconds that a method, and its baseline, may take in a comparison: enough for 100,000 rows and 50 columns.

    aliases : tuple of str, default=()
        Further names of some of the estimators, importable from the same places.
    """

    key: str
    title: str
    authors: str
    venue: str
    url: str
    code: str
    module: str
    estimators: tuple[str, ...]
    contests: tuple[Contest, ...]
    reproduction: tuple[str, ...]
    time_budget: float = 1800.0
    aliases: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that the estimators solve, in alphabetical order."""
        return tuple(sorted({contest.task for contest in self.contests}))

    @property
    def notebook(self) -> str:
        """Path of the notebook from the project's root."""
        return f"notebooks/{self.key}.ipynb"

    @property
    def guide(self) -> str:
        """Path of the guide page from the project's root."""
        return f"docs/guide/{self.key}.md"


def _shrinkage_contests() -> Iterator[Contest]:
    for task, kind in (("classification", "Classifier"), ("regression", "Regressor")):
        hs = f"skpapers.tree.HierarchicalShrinkage{kind}CV"
        tree = Spec(f"sklearn.tree.DecisionTree{kind}", {"random_state": 0})
        forest = Spec(f"sklearn.ensemble.RandomForest{kind}", {"n_jobs": -1, "random_state": 0})
        yield Contest("HS tree", task, Spec(hs, {"estimator": tree}), tree)
        yield Contest("HS forest", task, Spec(hs, {"estimator": forest, "cv": "oob"}), forest)


def _optimal_tree_contests() -> Iterator[Contest]:
    for task, method, kind in (
        ("classification", "QuantBnBTreeClassifier", "Classifier"),
        ("regression", "QuantBnBTree", "Regressor"),
    ):
        for name, kwargs in (("optimal tree", {"max_depth": 2}), ("lookahead tree", {"max_depth": 6, "lookahead": 2})):
            cart = Spec(f"sklearn.tree.DecisionTree{kind}", {"max_depth": kwargs["max_depth"], "random_state": 0})
            yield Contest(name, task, Spec(f"skpapers.tree.{method}", kwargs), cart)


def _sam_contests() -> Iterator[Contest]:
    for task, kind in (("classification", "Classifier"), ("regression", "Regressor")):
        method = f"skpapers.neural_network.SAMMLP{kind}"
        settings = {"random_state": 0, "device": "cpu"}
        yield Contest("SAM network", task, Spec(method, settings), Spec(method, {"rho": 0.0, **settings}))


def _mixup_contests() -> Iterator[Contest]:
    for task, kind in (("classification", "Classifier"), ("regression", "Regressor")):
        tree = Spec(f"sklearn.tree.DecisionTree{kind}", {"random_state": 0})
        mixed = {"estimator": tree, "alpha": 1.0, "random_state": 0}
        yield Contest("mixup tree", task, Spec("skpapers.augmentation.MixupWrapper", mixed), tree)


def _startup_contests() -> Iterator[Contest]:
    method = Spec("skpapers.few_shot.STARTUPClassifier", {"random_state": 0, "device": "cpu"})
    network = {"hidden_layer_sizes": (128, 64), "rho": 0.0, "random_state": 0, "device": "cpu"}
    # a table has one domain: what is compared is the teacher with the final classifier, and a plain network
    yield Contest(
        "STARTUP teacher", "classification", method, Spec("skpapers.neural_network.SAMMLPClassifier", network)
    )


def _convex_contests() -> Iterator[Contest]:
    for task, kind in (("classification", "Classifier"), ("regression", "Regressor")):
        mlp = Spec(f"sklearn.neural_network.MLP{kind}", {"max_iter": 1000, "random_state": 0})
        # gated, since ReLU networks of small alphas take minutes on large tables
        params = {"activation": "gated_relu", "alphas": 5, "eps": 0.01, "random_state": 0}
        method = Spec(f"skpapers.convex.ConvexReLU{kind}CV", params)
        yield Contest("convex gated ReLU", task, method, mlp)


PAPERS: tuple[Paper, ...] = (
    Paper(
        key="hierarchical_shrinkage",
        title="Hierarchical Shrinkage: Improving the Accuracy and Interpretability of Tree-Based Models",
        authors="Abhineet Agarwal, Yan Shuo Tan, Omer Ronen, Chandan Singh, Bin Yu",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2202.00858",
        code="https://github.com/csinva/imodels",
        module="skpapers.tree",
        estimators=(
            "HierarchicalShrinkageClassifier",
            "HierarchicalShrinkageClassifierCV",
            "HierarchicalShrinkageRegressor",
            "HierarchicalShrinkageRegressorCV",
        ),
        contests=tuple(_shrinkage_contests()),
        reproduction=("hs_test_score", "hs_shap_variance"),
    ),
    Paper(
        key="convex_relu",
        title="Fast Convex Optimization for Two-Layer ReLU Networks: Equivalent Model Classes and Cone Decompositions",
        authors="Aaron Mishkin, Arda Sahiner, Mert Pilanci",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2202.01331",
        code="https://github.com/pilancilab/scnn",
        module="skpapers.convex",
        estimators=(
            "ConvexReLUClassifier",
            "ConvexReLUClassifierCV",
            "ConvexReLURegressor",
            "ConvexReLURegressorCV",
        ),
        contests=tuple(_convex_contests()),
        reproduction=(
            "convex_relu_objective",
            "convex_relu_same_model",
            "convex_relu_profile",
            "convex_relu_accuracy",
            "convex_relu_sampling",
        ),
    ),
    Paper(
        key="quant_bnb",
        title="Quant-BnB: A Scalable Branch-and-Bound Method for Optimal Decision Trees with Continuous Features",
        authors="Rahul Mazumder, Xiang Meng, Haoyue Wang",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2206.11844",
        code="https://github.com/mengxianglgal/Quant-BnB",
        module="skpapers.tree",
        estimators=("QuantBnBTree", "QuantBnBTreeClassifier"),
        contests=tuple(_optimal_tree_contests()),
        reproduction=(
            "quant_bnb_train_objective",
            "quant_bnb_test_score",
            "quant_bnb_lookahead",
            "quant_bnb_shrinkage",
        ),
        aliases=("QuantBnBTreeRegressor",),
    ),
    Paper(
        key="sam",
        title="Sharpness-Aware Minimization for Efficiently Improving Generalization",
        authors="Pierre Foret, Ariel Kleiner, Hossein Mobahi, Behnam Neyshabur",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.01412",
        code="https://github.com/google-research/sam",
        module="skpapers.neural_network",
        estimators=("SAMMLPClassifier", "SAMMLPRegressor"),
        contests=tuple(_sam_contests()),
        reproduction=("sam_label_noise",),
    ),
    Paper(
        key="mixup",
        title="How Does Mixup Help With Robustness and Generalization?",
        authors="Linjun Zhang, Zhun Deng, Kenji Kawaguchi, Amirata Ghorbani, James Zou",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.04819",
        code="https://github.com/facebookresearch/mixup-cifar10",
        module="skpapers.augmentation",
        estimators=("MixupWrapper",),
        contests=tuple(_mixup_contests()),
        reproduction=("mixup_tree_r2", "mixup_fgsm"),
    ),
    Paper(
        key="distribution_calibration",
        title="Free Lunch for Few-shot Learning: Distribution Calibration",
        authors="Shuo Yang, Lu Liu, Min Xu",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2101.06395",
        code="https://github.com/ShuoYang-1998/Few_Shot_Distribution_Calibration",
        module="skpapers.few_shot",
        estimators=("DistributionCalibratedFewShot",),
        contests=(),  # without rare classes it is its own baseline
        reproduction=("dc_rare_classes", "dc_episodes"),
    ),
    Paper(
        key="startup",
        title="Self-training For Few-shot Transfer Across Extreme Task Differences",
        authors="Cheng Perng Phoo, Bharath Hariharan",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.07734",
        code="https://github.com/cpphoo/STARTUP",
        module="skpapers.few_shot",
        estimators=("STARTUPClassifier",),
        contests=tuple(_startup_contests()),
        reproduction=("startup_one_shot",),
    ),
)


def markdown_table() -> str:
    """Return the README's table of papers."""
    rows = ["| paper | venue | estimators |", "|---|---|---|"]
    for paper in PAPERS:
        names = ", ".join(f"`{name}`" for name in paper.estimators)
        rows.append(f"| [{paper.title}]({paper.url}) ([code]({paper.code})) | {paper.venue} | {names} |")
    return "\n".join(rows)
