"""The papers of this package: one record each. Standard library only, so that ``import skpapers`` stays light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from skpapers._contests import (
    Contest,
    convex_contests,
    gpm_contests,
    mixup_contests,
    monarch_contests,
    optimal_tree_contests,
    positive_feature_contests,
    sam_contests,
    shrinkage_contests,
    startup_contests,
)
from skpapers._paper_table import PaperRow, PaperTable

Shows = Literal["shows", "mixed", "does not show"]


@dataclass(frozen=True)
class Paper:
    """One paper, and where to find what belongs to it.

    Parameters
    ----------
    key : str
        Identifier: the name of the notebook and of the guide page, and the usual name of the algorithm file.

    title, authors, venue, url : str
        The publication.

    code : str or None
        URL of the official code, or None for a paper without code.

    algorithm : str
        Path of the algorithm file from the project's root. Its text cites equations or algorithms by their numbers.

    estimators : tuple of str
        Public estimators as ``"topic.Class"``, where topic is a folder of the package. Each can be imported from its
        topic and from the top level.

    contests : tuple of Contest
        The rows of a comparison. Empty for a transformer alone, and if the method equals its baseline on most tables.

    reproduction : dict of str to {"shows", "mixed", "does not show"}
        The claims in ``benchmarks/reproduce.py``, and whether they show in the stored measurements.

    use : str
        What one would use the estimators for, in a few words.

    functions : tuple of str, default=()
        Public functions as ``"topic.function"``, importable from the same places.

    aliases : tuple of str, default=()
        Further names of some of the estimators, as ``"topic.Class"``.
    """

    key: str
    title: str
    authors: str
    venue: str
    url: str
    code: str | None
    algorithm: str
    estimators: tuple[str, ...]
    contests: tuple[Contest, ...]
    reproduction: dict[str, Shows]
    use: str
    functions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def estimator_names(self) -> tuple[str, ...]:
        """Names of the estimators, without their topics."""
        return tuple(path.rpartition(".")[2] for path in self.estimators)

    @property
    def main_names(self) -> tuple[str, ...]:
        """Names of the estimators, or of the functions if there are no estimators."""
        return self.estimator_names or tuple(path.rpartition(".")[2] for path in self.functions)

    @property
    def modules(self) -> dict[str, str]:
        """The module of every public name."""
        paths = (path.rpartition(".") for path in self.estimators + self.functions + self.aliases)
        return {name: f"skpapers.{topic}" for topic, _, name in paths}

    @property
    def verdict(self) -> Shows:
        """Whether the paper's claims show here: all of them, none, or something between."""
        found = set(self.reproduction.values())
        return found.pop() if len(found) == 1 else "mixed"

    @property
    def notebook(self) -> str:
        """Path of the notebook from the project's root."""
        return f"notebooks/{self.key}.ipynb"

    @property
    def guide(self) -> str:
        """Path of the guide page from the project's root."""
        return f"docs/guide/{self.key}.md"


PAPERS: tuple[Paper, ...] = (
    Paper(
        key="hierarchical_shrinkage",
        title="Hierarchical Shrinkage: Improving the Accuracy and Interpretability of Tree-Based Models",
        authors="Abhineet Agarwal, Yan Shuo Tan, Omer Ronen, Chandan Singh, Bin Yu",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2202.00858",
        code="https://github.com/csinva/imodels",
        algorithm="skpapers/tree/_hierarchical_shrinkage.py",
        estimators=(
            "tree.HierarchicalShrinkageClassifier",
            "tree.HierarchicalShrinkageClassifierCV",
            "tree.HierarchicalShrinkageRegressor",
            "tree.HierarchicalShrinkageRegressorCV",
        ),
        contests=tuple(shrinkage_contests()),
        reproduction={
            "hs_test_score": "shows",
            "hs_shap_variance": "mixed",
        },
        use="a tree or forest whose leaves have few rows: better scores and probabilities without a new fit",
    ),
    Paper(
        key="convex_relu",
        title="Fast Convex Optimization for Two-Layer ReLU Networks: Equivalent Model Classes and Cone Decompositions",
        authors="Aaron Mishkin, Arda Sahiner, Mert Pilanci",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2202.01331",
        code="https://github.com/pilancilab/scnn",
        algorithm="skpapers/convex/_convex_relu.py",
        estimators=(
            "convex.ConvexReLUClassifier",
            "convex.ConvexReLUClassifierCV",
            "convex.ConvexReLURegressor",
            "convex.ConvexReLURegressorCV",
        ),
        contests=tuple(convex_contests()),
        reproduction={
            "convex_relu_objective": "shows",
            "convex_relu_same_model": "mixed",
            "convex_relu_profile": "shows",
            "convex_relu_accuracy": "mixed",
            "convex_relu_sampling": "mixed",
        },
        use="a small neural network that is trained to its optimum, without a learning rate",
        functions=("convex.convex_relu_path",),
    ),
    Paper(
        key="quant_bnb",
        title="Quant-BnB: A Scalable Branch-and-Bound Method for Optimal Decision Trees with Continuous Features",
        authors="Rahul Mazumder, Xiang Meng, Haoyue Wang",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2206.11844",
        code="https://github.com/mengxianglgal/Quant-BnB",
        algorithm="skpapers/tree/_quant_bnb.py",
        estimators=("tree.QuantBnBTree", "tree.QuantBnBTreeClassifier"),
        contests=tuple(optimal_tree_contests()),
        reproduction={
            "quant_bnb_train_objective": "shows",
            "quant_bnb_test_score": "shows",
            "quant_bnb_lookahead": "does not show",
            "quant_bnb_shrinkage": "mixed",
        },
        use="a small tree that must be read, with a proof that no tree of its depth fits better",
        aliases=("tree.QuantBnBTreeRegressor",),
    ),
    Paper(
        key="sam",
        title="Sharpness-Aware Minimization for Efficiently Improving Generalization",
        authors="Pierre Foret, Ariel Kleiner, Hossein Mobahi, Behnam Neyshabur",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.01412",
        code="https://github.com/google-research/sam",
        algorithm="skpapers/_torch/sam.py",
        estimators=("neural_network.SAMMLPClassifier", "neural_network.SAMMLPRegressor"),
        contests=tuple(sam_contests()),
        reproduction={
            "sam_label_noise": "shows",
        },
        use="a network for a table, above all if some of its labels are wrong",
    ),
    Paper(
        key="monarch",
        title="Monarch: Expressive Structured Matrices for Efficient and Accurate Training",
        authors="Tri Dao, Beidi Chen, Nimit Sohoni, Arjun Desai, Michael Poli, Jessica Grogan, Alexander Liu, "
        "Aniruddh Rao, Atri Rudra, Christopher Ré",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2204.00595",
        code="https://github.com/HazyResearch/fly",
        algorithm="skpapers/neural_network/_monarch.py",
        estimators=("neural_network.MonarchMLPClassifier", "neural_network.MonarchMLPRegressor"),
        contests=tuple(monarch_contests()),
        reproduction={
            "monarch_end_to_end": "mixed",
            "monarch_sparse_to_dense": "shows",
            "monarch_dense_to_sparse": "shows",
        },
        use="a wide network on a table of many columns, in a fraction of the time and of the parameters",
        functions=("neural_network.monarch_project",),
    ),
    Paper(
        key="performer",
        title="Rethinking Attention with Performers",
        authors="Krzysztof Choromanski, Valerii Likhosherstov, David Dohan, Xingyou Song, Andreea Gane, Tamas Sarlos, "
        "Peter Hawkins, Jared Davis, Afroz Mohiuddin, Lukasz Kaiser, David Belanger, Lucy Colwell, Adrian Weller",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2009.14794",
        code="https://github.com/google-research/google-research/tree/master/performer",
        algorithm="skpapers/attention/_performer.py",
        estimators=(
            "attention.PerformerClassifier",
            "attention.PerformerRegressor",
            "kernel_approximation.PositiveOrthogonalFeatures",
        ),
        # features alone: the networks take exact attention at the lengths of most tables
        contests=tuple(positive_feature_contests()),
        reproduction={
            "performer_kernel_error": "mixed",
            "performer_learning": "mixed",
            "performer_series": "mixed",
            "attention_tables": "mixed",
        },
        use="a transformer on long windows of series, in a time that is linear in their length",
    ),
    Paper(
        key="rfa",
        title="Random Feature Attention",
        authors="Hao Peng, Nikolaos Pappas, Dani Yogatama, Roy Schwartz, Noah A. Smith, Lingpeng Kong",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2103.02143",
        code="https://github.com/Noahs-ARK/RFA",
        algorithm="skpapers/attention/_random_feature_attention.py",
        estimators=(
            "attention.RFAClassifier",
            "attention.RFARegressor",
            "kernel_approximation.RandomFourierAttentionFeatures",
            "kernel_approximation.ArcCosineFeatures",
        ),
        contests=(),  # exact attention at the lengths of most tables
        reproduction={
            "rfa_learning": "shows",
            "rfa_series": "mixed",
            "attention_market": "does not show",
        },
        use="windows of series in which recent steps count most, by a rate that is learned",
        functions=("attention.linear_attention",),
    ),
    Paper(
        key="flash",
        title="Transformer Quality in Linear Time",
        authors="Weizhe Hua, Zihang Dai, Hanxiao Liu, Quoc V. Le",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2202.10447",
        code=None,
        algorithm="skpapers/attention/_flash.py",
        estimators=("attention.FLASHClassifier", "attention.FLASHRegressor"),
        contests=(),  # a table has a chunk of columns at most
        reproduction={
            "flash_learning": "shows",
            "flash_series": "mixed",
        },
        use="long windows of series, in chunks that are seen exactly",
    ),
    Paper(
        key="mixup",
        title="How Does Mixup Help With Robustness and Generalization?",
        authors="Linjun Zhang, Zhun Deng, Kenji Kawaguchi, Amirata Ghorbani, James Zou",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.04819",
        code="https://github.com/facebookresearch/mixup-cifar10",
        algorithm="skpapers/augmentation/_mixup.py",
        estimators=("augmentation.MixupWrapper",),
        contests=tuple(mixup_contests()),
        reproduction={
            "mixup_tree_r2": "shows",
            "mixup_fgsm": "shows",
        },
        use="few rows and a model that overfits; a network that must withstand small attacks",
        functions=(
            "augmentation.adversarial_accuracy",
            "augmentation.mixup_loss",
            "augmentation.mixup_regularization",
        ),
    ),
    Paper(
        key="distribution_calibration",
        title="Free Lunch for Few-shot Learning: Distribution Calibration",
        authors="Shuo Yang, Lu Liu, Min Xu",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2101.06395",
        code="https://github.com/ShuoYang-1998/Few_Shot_Distribution_Calibration",
        algorithm="skpapers/few_shot/_distribution_calibration.py",
        estimators=("few_shot.DistributionCalibratedFewShot",),
        contests=(),  # without rare classes it is its own baseline
        reproduction={
            "dc_rare_classes": "shows",
            "dc_episodes": "shows",
        },
        use="classes with very few labels beside classes with many",
    ),
    Paper(
        key="startup",
        title="Self-training For Few-shot Transfer Across Extreme Task Differences",
        authors="Cheng Perng Phoo, Bharath Hariharan",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.07734",
        code="https://github.com/cpphoo/STARTUP",
        algorithm="skpapers/few_shot/_startup.py",
        estimators=("few_shot.STARTUPClassifier",),
        contests=tuple(startup_contests()),
        reproduction={
            "startup_one_shot": "shows",
        },
        use="a domain with few labels and many rows without, and a labelled domain with other classes",
    ),
    Paper(
        key="daf",
        title="Domain Adaptation for Time Series Forecasting via Attention Sharing",
        authors="Xiaoyong Jin, Youngsuk Park, Danielle C. Maddix, Hao Wang, Yuyang Wang",
        venue="ICML 2022",
        url="https://arxiv.org/abs/2102.06828",
        code="https://github.com/awslabs/gluonts/tree/dev/src/gluonts/nursery/daf",
        algorithm="skpapers/forecasting/_daf.py",
        estimators=("forecasting.DAFForecaster",),
        contests=(),  # a table has neither histories nor a second domain
        reproduction={
            "daf_few_shot": "mixed",
            "daf_cold_start": "shows",
            "daf_intervals": "mixed",
            "daf_real_series": "mixed",
        },
        use="forecasts of few or short series, with many series of another kind to learn from",
        functions=("forecasting.make_windows", "forecasting.normalized_deviation", "forecasting.nrmse"),
    ),
    Paper(
        key="sample_efficiency",
        title="Why Are Convolutional Nets More Sample-Efficient than Fully-Connected Nets?",
        authors="Zhiyuan Li, Yi Zhang, Sanjeev Arora",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.08515",
        code=None,
        algorithm="skpapers/convolution/_sample_efficiency.py",
        estimators=("convolution.ConvNetClassifier", "convolution.ConvNetRegressor"),
        contests=(),  # the columns of a table are neither pixels nor steps
        reproduction={
            "sample_efficiency_gap": "shows",
            "sample_efficiency_scaling": "shows",
            "sample_efficiency_equivariance": "shows",
        },
        use="images and series; how many rows a model needs, and whether older data still helps",
        functions=(
            "convolution.equivariance_gap",
            "convolution.fit_perceptron",
            "convolution.sample_complexity_curve",
        ),
    ),
    Paper(
        key="mind_the_pad",
        title="Mind the Pad - CNNs Can Develop Blind Spots",
        authors="Bilal Alsallakh, Narine Kokhlikyan, Vivek Miglani, Jun Yuan, Orion Reblitz-Richardson",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.02178",
        code=None,
        algorithm="skpapers/convolution/_mind_the_pad.py",
        estimators=(),
        contests=(),  # it inspects networks
        reproduction={
            "mind_the_pad_positions": "shows",
        },
        use="a convolutional network, on images or series, that may be blind near an edge",
        functions=(
            "convolution.padding_report",
            "convolution.valid_image_sizes",
            "convolution.foveation_map",
            "convolution.effective_receptive_field",
            "convolution.kernel_asymmetry",
            "convolution.feature_map_bias",
            "convolution.position_accuracy",
        ),
    ),
    Paper(
        key="intrinsic_dimension",
        title="The Intrinsic Dimension of Images and Its Impact on Learning",
        authors="Phillip Pope, Chen Zhu, Ahmed Abdelkader, Micah Goldblum, Tom Goldstein",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2104.08894",
        code="https://github.com/ppope/dimensions",
        algorithm="skpapers/dimension/_maximum_likelihood.py",
        estimators=("dimension.IntrinsicDimension",),
        contests=(),  # it predicts no target
        reproduction={
            "dimension_known": "mixed",
            "dimension_images": "shows",
            "dimension_rows_needed": "shows",
            "dimension_steps": "shows",
        },
        use="how many numbers describe a row, however many columns it has; which new rows lie far from the others",
        functions=("dimension.dimension_curve",),
    ),
    Paper(
        key="gradient_vaccine",
        title="Gradient Vaccine: Investigating and Improving Multi-task Optimization in Massively Multilingual Models",
        authors="Zirui Wang, Yulia Tsvetkov, Orhan Firat, Yuan Cao",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2010.05874",
        code=None,
        algorithm="skpapers/multitask/_gradient_vaccine.py",
        estimators=("multitask.GradVacClassifier", "multitask.GradVacRegressor"),
        contests=(),
        reproduction={
            "gradvac_update": "shows",
            "gradvac_accuracy": "does not show",
        },
        use="several targets or tasks in one network, with labels that some rows lack; which tasks agree",
        functions=("multitask.combine_gradients",),
    ),
    Paper(
        key="gpm",
        title="Gradient Projection Memory for Continual Learning",
        authors="Gobinda Saha, Isha Garg, Kaushik Roy",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2103.09762",
        code="https://github.com/sahagobinda/GPM",
        algorithm="skpapers/continual/_gradient_projection_memory.py",
        estimators=("continual.GPMClassifier", "continual.GPMRegressor"),
        contests=tuple(gpm_contests()),
        reproduction={
            "gpm_permuted_digits": "shows",
            "gpm_split_digits": "mixed",
            "gpm_exactness": "shows",
        },
        use="data that come task after task, whose earlier rows cannot be kept, and nothing learned may be lost",
        functions=(
            "continual.average_score",
            "continual.backward_transfer",
            "continual.score_by_task",
        ),
    ),
    Paper(
        key="tent",
        title="Tent: Fully Test-Time Adaptation by Entropy Minimization",
        authors="Dequan Wang, Evan Shelhamer, Shaoteng Liu, Bruno Olshausen, Trevor Darrell",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2006.10726",
        code="https://github.com/DequanWang/tent",
        algorithm="skpapers/adaptation/_tent.py",
        estimators=("adaptation.TentClassifier",),
        contests=(),
        reproduction={
            "tent_streams": "shows",
            "tent_entropy_step": "does not show",
            "tent_decision": "shows",
            "tent_decision_elsewhere": "mixed",
        },
        use="a model in use whose inputs drift, while labels are late or never come; whether to trust its adaptation",
        functions=("adaptation.tent",),
    ),
    Paper(
        key="policy_adaptation",
        title="Self-Supervised Policy Adaptation during Deployment",
        authors="Nicklas Hansen, Rishabh Jangir, Yu Sun, Guillem Alenyà, Pieter Abbeel, Alexei A. Efros, Lerrel Pinto, "
        "Xiaolong Wang",
        venue="ICLR 2021",
        url="https://arxiv.org/abs/2007.04309",
        code="https://github.com/nicklashansen/policy-adaptation-during-deployment",
        algorithm="skpapers/adaptation/_policy_adaptation_during_deployment.py",
        estimators=("adaptation.PADPolicyClassifier", "adaptation.PADPolicyRegressor"),
        contests=(),
        reproduction={
            "policy_adaptation_linear_system": "shows",
            "policy_adaptation_pendulum": "does not show",
            "policy_adaptation_frames": "does not show",
        },
        use="a controller whose sensors or surroundings drift after training, without rewards and without labels",
    ),
)


def table(papers: Sequence[Paper] = PAPERS) -> PaperTable:
    """Return the list of papers: what each is for, its estimators, and whether its claims show here.

    It shows itself on a terminal and in a notebook; ``python -m skpapers papers`` prints it.

    Examples
    --------
    >>> from skpapers import papers
    >>> print(papers.table().to_text(80).splitlines()[2])
      for      a tree or forest whose leaves have few rows: better scores and
    """
    return PaperTable(tuple(_row(paper) for paper in papers))


def _row(paper: Paper) -> PaperRow:
    shows = sum(verdict == "shows" for verdict in paper.reproduction.values())
    counted = f": {shows} of {len(paper.reproduction)} shown" if paper.verdict == "mixed" else ""
    return PaperRow(
        key=paper.key,
        title=paper.title,
        venue=paper.venue,
        url=paper.url,
        code=paper.code,
        use=paper.use,
        names=paper.main_names,
        verdict=paper.verdict + counted,
    )
