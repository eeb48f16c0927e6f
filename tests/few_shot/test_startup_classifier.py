"""STARTUPClassifier: which rows go where, what a fit leaves behind, and its life inside scikit-learn."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import skops.io
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skpapers.few_shot import STARTUPClassifier, TargetDomainSplit
from tests._asserts import assert_rows_are_independent, assert_same_predictions, assert_unchanged_by

DIGITS, DIGIT = load_digits(return_X_y=True)
LONGER = {"max_iter": 20, "learning_rate_init": 0.02, "batch_size": 32}
SMALL = {"hidden_layer_sizes": (16, 8), "max_iter": 3, "device": "cpu", "random_state": 0}


def make(n=240, shots=3, seed=0):
    """Return digits 0 to 4 as the source, 5 to 9 as the target with `shots` labels each and else -1, and the truth."""
    rows = np.random.default_rng(seed).permutation(len(DIGITS))[:n]
    X = DIGITS[rows]
    truth = DIGIT[rows]
    domain = np.where(truth < 5, 1, -1)
    shown = np.concatenate([np.flatnonzero(truth == digit)[:shots] for digit in range(5, 10)])
    y = np.where((truth < 5) | np.isin(np.arange(n), shown), truth, -1)
    return X, y, domain, truth


X, Y, DOMAIN, TRUTH = make()


def startup(**kwargs):
    return STARTUPClassifier(**{**SMALL, **kwargs})


def fitted(X=X, y=Y, domain=DOMAIN, weight=None, **kwargs):
    return startup(**{"unlabeled": -1, **kwargs}).fit(X, y, weight, sample_domain=domain)


LETTERS = np.array(list("abcdefghij"), dtype=object)
WORDS = [None if code == -1 else LETTERS[code] for code in Y]
CODES = [None if code == -1 else int(code) for code in Y]
GAPS = {
    "pandas string": (pd.Series(WORDS, dtype="string"), LETTERS),
    "pandas str": (pd.Series(WORDS, dtype="str"), LETTERS),
    "pandas object": (pd.Series(WORDS, dtype=object), LETTERS),
    "pandas category": (pd.Series(pd.Categorical(WORDS)), LETTERS),
    "pandas category of integers": (pd.Series(pd.Categorical(CODES)), np.arange(10)),
    "pandas Int64": (pd.Series(CODES, dtype="Int64"), np.arange(10)),
    "pandas frame": (pd.DataFrame({"y": pd.Series(CODES, dtype="Int64")}), np.arange(10)),
    "polars words": (pl.Series(WORDS), LETTERS),
    "polars categories": (pl.Series(WORDS, dtype=pl.Categorical), LETTERS),
    "polars integers": (pl.Series(CODES), np.arange(10)),
    "objects": (np.array(WORDS, dtype=object), LETTERS),
    "objects that are integers": (np.array(CODES, dtype=object), np.arange(10)),
    "list": (WORDS, LETTERS),
    "list with NaN": ([np.nan if word is None else word for word in WORDS], LETTERS),
    "pandas array": (pd.array(CODES, dtype="Int64"), np.arange(10)),
    "categories of integers": (pd.Categorical(CODES), np.arange(10)),
}


class TestRoles:
    def test_the_classes_are_those_of_labelled_target_rows(self):
        model = fitted()
        assert_array_equal(model.classes_, [5, 6, 7, 8, 9])
        assert_array_equal(model.source_classes_, [0, 1, 2, 3, 4])
        assert set(model.predict(X)) <= {5, 6, 7, 8, 9}
        assert model.predict_proba(X).shape == (len(X), 5)

    def test_without_target_labels_they_are_those_of_the_source(self):
        model = fitted(y=np.where(DOMAIN > 0, TRUTH, -1))
        assert_array_equal(model.classes_, [0, 1, 2, 3, 4])
        assert len(model.loss_curve_) == 3

    def test_without_domains_labelled_rows_are_the_source(self):
        y = np.where(DOMAIN > 0, TRUTH, -1)
        assert_same_predictions(fitted(y=y, domain=None), fitted(y=y), X)

    def test_minus_one_is_a_class_unless_it_is_named(self):
        y = np.where(TRUTH % 2 == 0, -1, 1)
        assert_array_equal(startup().fit(X, y).classes_, [-1, 1])
        with pytest.warns(UserWarning, match=r"set unlabeled=-1\. If it is a class, set unlabeled=np\.nan"):
            assert_array_equal(startup().fit(X, Y, sample_domain=DOMAIN).classes_, [-1, 5, 6, 7, 8, 9])

    @pytest.mark.parametrize(
        "y", [TRUTH % 3 - 1, (TRUTH % 3 - 1).astype(float), pd.Series(TRUTH % 3 - 1, dtype="Int64")]
    )
    def test_minus_one_among_others_warns_unless_nan_is_the_mark(self, y):
        with pytest.warns(UserWarning, match="y has the label -1, and no other negative label") as found:
            startup().fit(X, y)
        assert found[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_array_equal(startup(unlabeled=np.nan).fit(X, y).classes_, [-1, 0, 1])

    @pytest.mark.parametrize(
        "y", [TRUTH % 3 - 2, np.where(TRUTH % 2, 1, -1), TRUTH % 3, np.where(TRUTH % 2, "1", "-1")]
    )
    def test_other_labels_do_not_warn(self, y):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            startup().fit(X, y)

    def test_any_label_can_mark(self):
        names = np.array(["none", *"abcdefghij"])[Y + 1]
        for y in (names, names.astype(object), pd.Series(names)):
            model = fitted(y=y, unlabeled="none")
            assert_array_equal(model.classes_, list("fghij"))
            assert_array_equal(model.predict(X), np.array(list("fghij"))[fitted().predict(X) - 5])

    def test_gaps_can_mark(self):
        y = np.where(Y == -1, np.nan, Y)
        assert_same_predictions(fitted(y=y, unlabeled=np.nan), fitted(y=Y.astype(float)), X)
        names = np.array(list("abcdefghij"), dtype=object)[Y]
        names[Y == -1] = np.nan
        assert_array_equal(fitted(y=pd.Series(names), unlabeled=np.nan).classes_, list("fghij"))
        with pytest.raises(ValueError, match="contains NaN"):
            fitted(y=y)

    @pytest.mark.parametrize("mark", [np.nan, pd.NA, pd.NaT, float("nan")], ids=repr)
    @pytest.mark.parametrize("kind", GAPS)
    def test_gaps_of_every_type_of_labels(self, kind, mark):
        y, right = GAPS[kind]
        model = fitted(y=y, unlabeled=mark)
        assert_array_equal(model.classes_, right[5:])
        assert model.classes_.dtype == right.dtype
        assert_array_equal(model.predict(X), right[fitted().predict(X)])

    @pytest.mark.parametrize("kind", GAPS)
    def test_gaps_that_nothing_marks(self, kind):
        model = startup()
        with pytest.raises(
            ValueError, match=r"Input y contains NaN: \d+ of \d+ labels are missing. .*unlabeled=np.nan"
        ):
            model.fit(X, GAPS[kind][0], sample_domain=DOMAIN)
        with pytest.raises(ValueError, match=r"Input y contains NaN: .* unlabeled='k' does not mark them"):
            startup(unlabeled="k").fit(X, GAPS[kind][0], sample_domain=DOMAIN)
        assert "classes_" not in vars(model)

    def test_source_and_target_may_use_one_label_for_different_things(self):
        y = np.where((Y >= 5) & (DOMAIN < 0), Y - 5, Y)
        assert_array_equal(fitted(y=y).predict(X), fitted().predict(X) - 5)

    def test_the_labels_of_target_rows_teach_the_final_classifier_only(self):
        y = np.where(Y >= 5, 5 + Y % 2, Y)
        a = fitted(y=y)
        b = fitted()
        assert_array_equal(a.transform(X), b.transform(X))
        assert_array_equal(a.classes_, [5, 6])

    def test_the_sign_of_the_domain_alone_counts(self):
        domain = np.where(DOMAIN > 0, 1 + np.arange(len(X)) % 3, -2)
        assert_same_predictions(fitted(domain=domain), fitted(), X)

    def test_without_a_source_the_student_learns_by_self_supervision(self):
        target = DOMAIN < 0
        model = fitted(X[target], Y[target], DOMAIN[target])
        assert_array_equal(model.classes_, [5, 6, 7, 8, 9])
        assert model.source_classes_.size == 0
        assert_array_equal(model.student_losses_[:, :2], 0.0)
        assert np.all(model.student_losses_[:, 2] > 0)
        assert model.teacher_loss_curve_ == []
        with pytest.raises(ValueError, match="has no teacher"):
            model.pseudo_labels(X)
        with pytest.raises(ValueError, match="ssl_weight is 0"):
            fitted(X[target], Y[target], DOMAIN[target], ssl_weight=0)

    @pytest.mark.parametrize(
        ("y", "domain", "message"),
        [
            (np.where(np.arange(len(Y)) == np.flatnonzero(DOMAIN > 0)[0], -1, Y), DOMAIN, "Source rows need labels"),
            (np.full(len(Y), -1), None, "No row has a label"),
            (np.full(len(Y), -1), -np.ones(len(Y)), "No row has a label"),
            (np.where(DOMAIN > 0, 3, Y), DOMAIN, "the source holds one class, 3"),
            (np.where((DOMAIN < 0) & (Y > 0), 7, Y), DOMAIN, "the labelled target rows hold one class, 7"),
            (Y, np.zeros(len(Y)), "got 0"),
            (Y, DOMAIN[:-1], "inconsistent numbers"),
            (Y + 0.5, None, "Unknown label type"),
            (None, DOMAIN, "requires y"),
        ],
    )
    def test_rows_that_cannot_be_divided(self, y, domain, message):
        with pytest.raises(ValueError, match=message):
            fitted(y=y, domain=domain)


class TestStages:
    def test_without_weights_the_student_is_the_teacher(self):
        source = DOMAIN > 0
        alone = startup(scaling=None).fit(X[source], Y[source])
        for model in (alone, fitted(scaling=None, distill_weight=0, ssl_weight=0)):
            assert model.loss_curve_ == []
            assert model.student_losses_.shape == (0, 3)
            assert model.n_iter_ == 3
            assert_array_equal(model.transform(X), alone.transform(X))
            assert_array_equal(model.pseudo_labels(X), alone.pseudo_labels(X))

    def test_each_weight_matters(self):
        settings = ({}, {"ssl_weight": 0}, {"distill_weight": 0}, {"ssl_weight": 0, "distill_weight": 0})
        models = [fitted(**kwargs) for kwargs in settings]
        for i, a in enumerate(models):
            assert_array_equal(a.pseudo_labels(X), models[0].pseudo_labels(X))  # one teacher for all
            for b in models[:i]:
                assert not np.allclose(a.transform(X), b.transform(X))

    def test_a_student_from_the_teacher_or_from_nothing(self):
        a = fitted()
        b = fitted(init="random")
        assert_array_equal(a.teacher_loss_curve_, b.teacher_loss_curve_)
        assert a.student_losses_[0, 0] < b.student_losses_[0, 0]  # it knows the source already

    def test_distillation_brings_the_student_to_the_teachers_labels(self):
        model = fitted(ssl_weight=0, **LONGER)
        assert model.student_losses_[-1, 1] < 0.5 * model.student_losses_[0, 1]

    def test_self_supervision_tells_rows_apart(self):
        model = fitted(distill_weight=0, **LONGER)
        assert model.student_losses_[-1, 2] < model.student_losses_[0, 2] - 0.3

    def test_loss_curves(self):
        model = fitted(distill_weight=0.7, ssl_weight=1.3)
        assert len(model.teacher_loss_curve_) == len(model.loss_curve_) == 3
        assert model.n_iter_ == 6
        assert_allclose(model.loss_curve_, model.student_losses_ @ [1, 0.7, 1.3], rtol=1e-12)

    def test_pseudo_labels_are_the_teachers_probabilities(self):
        model = fitted(**LONGER)
        q = model.pseudo_labels(X)
        source = DOMAIN > 0
        assert q.shape == (len(X), 5)
        assert_allclose(q.sum(axis=1), 1.0, rtol=1e-12)
        assert np.mean(q[source].argmax(axis=1) == TRUTH[source]) > 0.95

    def test_features_have_norm_one_by_default(self):
        features = fitted().transform(X)
        plain = fitted(normalize=False).transform(X)
        norms = np.linalg.norm(plain, axis=1, keepdims=True)
        assert np.ptp(norms) > 0.1
        assert_allclose(features, plain / norms, rtol=1e-12)

    def test_an_augmentation_of_ones_own(self):
        seen = []

        def rolled(rows, rng):
            seen.append(rows)
            return np.roll(rows.reshape(-1, 8, 8), rng.integers(-1, 2), axis=2).reshape(rows.shape)

        model = fitted(augment=rolled)
        rows = np.concatenate(seen)
        assert set(map(bytes, rows)) == set(map(bytes, X[DOMAIN < 0]))  # target rows, as they were given
        assert len(rows) == 2 * 3 * np.sum(DOMAIN < 0)
        assert_same_predictions(model, fitted(augment=rolled), X)
        assert not np.allclose(model.transform(X), fitted().transform(X))

    @pytest.mark.parametrize("name", ["jitter", "mask", "exchange", "jitter+exchange"])
    def test_named_augmentations(self, name):
        assert not np.allclose(fitted(augment=name).transform(X), fitted().transform(X))


class TestFinalEstimator:
    def test_it_is_fitted_on_the_features_of_labelled_target_rows(self):
        model = fitted()
        shown = Y >= 5
        final = LogisticRegression(C=10, max_iter=1000).fit(model.transform(X[shown]), Y[shown])
        for method in ("predict", "predict_proba", "decision_function"):
            assert_array_equal(getattr(model, method)(X), getattr(final, method)(model.transform(X)))

    def test_any_classifier(self):
        given = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
        model = fitted(final_estimator=given)
        assert not hasattr(given[0], "mean_")
        shown = Y >= 5
        assert model.score(X[shown], Y[shown]) == 1.0
        assert not hasattr(model, "decision_function")
        assert not hasattr(fitted(final_estimator=LinearSVC()), "predict_proba")

    def test_logarithms_of_probabilities(self):
        model = fitted()
        assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-9, atol=1e-12)
        assert not hasattr(startup(final_estimator=LinearSVC()), "predict_log_proba")
        assert not hasattr(fitted(final_estimator=LinearSVC()), "predict_log_proba")

    @pytest.mark.parametrize(
        ("final", "message"),
        [(LinearRegression(), "must be a classifier"), (FrozenEstimator(LogisticRegression()), "never fitted")],
    )
    def test_what_it_cannot_be(self, final, message):
        with pytest.raises(TypeError, match=message):
            fitted(final_estimator=final)

    def test_weights_reach_it(self):
        shown = Y >= 5
        weight = np.where(Y == 5, 1e3, 1.0)
        a = fitted(weight=weight)
        b = fitted()
        assert a.predict_proba(X[shown])[:, 0].mean() > b.predict_proba(X[shown])[:, 0].mean()
        piped = fitted(weight=weight, final_estimator=make_pipeline(StandardScaler(), LogisticRegression()))
        assert piped.predict_proba(X[shown])[:, 0].mean() > b.predict_proba(X[shown])[:, 0].mean()
        with pytest.raises(TypeError, match="takes no weights"):
            fitted(weight=weight, final_estimator=KNeighborsClassifier())


class TestWeights:
    def test_rows_of_weight_zero_are_left_out(self):
        weight = np.where(np.arange(len(X)) % 4 == 0, 0.0, 1.0)
        kept = weight > 0
        assert_same_predictions(fitted(weight=weight), fitted(X[kept], Y[kept], DOMAIN[kept]), X, atol=1e-12)

    def test_rows_of_weight_zero_may_lack_a_label(self):
        weight = np.where((DOMAIN > 0) & (np.arange(len(X)) % 4 == 0), 0.0, 1.0)
        assert_same_predictions(fitted(y=np.where(weight > 0, Y, -1), weight=weight), fitted(weight=weight), X)

    def test_some_row_with_a_label_must_weigh(self):
        with pytest.raises(ValueError, match="has a weight above 0"):
            fitted(weight=(Y == -1).astype(float))

    def test_equal_weights_leave_the_networks_alone(self):
        assert_allclose(fitted(weight=np.full(len(X), 3.0)).transform(X), fitted().transform(X), rtol=0, atol=1e-12)

    @pytest.mark.parametrize("scale", [2.0**40, 1e200, 1e-200])
    def test_a_common_factor_changes_no_feature(self, scale):
        weight = np.random.default_rng(0).uniform(0.5, 1.5, size=len(X))
        assert_allclose(
            fitted(weight=scale * weight).transform(X), fitted(weight=weight).transform(X), rtol=0, atol=1e-12
        )

    @pytest.mark.parametrize("scaling", ["standard", "robust"])
    def test_a_constant_column_has_no_part_whatever_comes_later(self, scaling):
        wide = np.insert(X, 1, 0.1, axis=1)
        model = fitted(X=wide, scaling=scaling)
        assert_array_equal(model.transform(wide), model.transform(np.insert(X, 1, 5.0, axis=1)))

    @pytest.mark.parametrize("scale", [1e-200, 1e9, 1e150])
    def test_the_unit_of_the_columns_changes_nothing(self, scale):
        unit = 2.0 ** np.round(np.log2(scale))
        assert_allclose(fitted(X=X * unit).transform(X * unit), fitted().transform(X), rtol=0, atol=1e-9)

    def test_strides_orders_and_dtypes_change_nothing(self):
        right = fitted().transform(X)
        for table in (X[::-1, ::-1].copy()[::-1, ::-1], np.asfortranarray(X), X.astype(np.float32), X.astype(np.uint8)):
            assert_array_equal(fitted(X=table).transform(table), right)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
    def test_the_default_dtype_of_torch_changes_nothing(self, dtype):
        right = fitted().transform(X)
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            assert_array_equal(fitted().transform(X), right)
        finally:
            torch.set_default_dtype(before)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_weights_of_source_and_of_target_rows_count(self, sign):
        weight = np.where(sign * DOMAIN > 0, np.random.default_rng(0).uniform(0.1, 3.0, len(X)), 1.0)
        weighted = fitted(weight=weight, scaling=None)
        plain = fitted(scaling=None)
        assert not np.allclose(weighted.transform(X), plain.transform(X))
        assert np.allclose(weighted.pseudo_labels(X), plain.pseudo_labels(X)) == (sign < 0)

    def test_weights_are_repeated_rows_for_the_teacher(self):
        times = 1 + np.arange(len(X)) % 3
        rows = np.repeat(np.arange(len(X)), times)
        whole = {"batch_size": 10**6, "batch_norm": False, "dtype": "float64", "ssl_weight": 0, "distill_weight": 0}
        final = LogisticRegression(solver="newton-cholesky", tol=1e-10)
        a = fitted(weight=times, final_estimator=final, **whole)
        b = fitted(X[rows], Y[rows], DOMAIN[rows], final_estimator=final, **whole)
        assert_same_predictions(a, b, X, atol=1e-9)


class TestFit:
    def test_a_seed_decides_everything_and_nothing_global_is_touched(self):
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        a = fitted()
        b = fitted()
        c = fitted(random_state=1)
        assert torch.equal(torch.get_rng_state(), state[0])
        assert_array_equal(np.random.get_state()[1], state[1])  # noqa: NPY002
        assert_same_predictions(a, b, X)
        assert not np.allclose(a.transform(X), c.transform(X))

    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, lambda: torch.device("meta")])
    def test_modes_of_torch_around_it_do_not_matter(self, mode):
        outside = fitted()
        with mode():
            inside = fitted()
            assert_array_equal(inside.predict_proba(X), outside.predict_proba(X))
        assert_array_equal(inside.transform(X), outside.transform(X))

    def test_prediction_is_pure_and_row_by_row(self):
        model = fitted()
        assert model.transform(X).dtype == np.float64
        assert_rows_are_independent(model, X)
        assert_allclose(model.transform(X[3:4])[0], model.transform(X)[3], rtol=0, atol=1e-12)
        assert_unchanged_by(lambda: (model.predict(X), model.transform(X), model.pseudo_labels(X)), model)

    def test_a_fitted_model_stays_what_it_is_when_parameters_are_set(self):
        model = fitted()
        before = pickle.loads(pickle.dumps(model))
        model.set_params(hidden_layer_sizes=(3,), activation="tanh", batch_norm=False, normalize=False, scaling=None)
        assert_same_predictions(model, before, X)

    def test_it_comes_back_from_pickle_and_skops(self):
        model = fitted()
        assert_same_predictions(pickle.loads(pickle.dumps(model)), model, X)
        data = skops.io.dumps(model)
        unknown = skops.io.get_untrusted_types(data=data)
        assert all(name.startswith("skpapers.") for name in unknown)
        assert_same_predictions(skops.io.loads(data, trusted=unknown), model, X)

    def test_it_goes_on_in_torch(self):
        model = fitted()
        module = model.to_torch()
        rows = torch.tensor(X, requires_grad=True)
        assert_allclose(module(rows).detach().numpy(), model.transform(X), rtol=0, atol=1e-12)
        module(rows).sum().backward()
        assert rows.grad.abs().sum() > 0

    def test_features_have_names(self):
        model = fitted()
        assert list(model.get_feature_names_out()) == [f"startupclassifier{i}" for i in range(8)]
        frame = clone(model).set_output(transform="pandas").fit(X, Y, sample_domain=DOMAIN)
        assert list(frame.transform(X).columns) == list(model.get_feature_names_out())
        assert_array_equal(frame.predict(X), model.predict(X))

    def test_one_hidden_layer(self):
        assert fitted(hidden_layer_sizes=7).transform(X).shape == (len(X), 7)
        for sizes in ((), (0,), (2.5,), ((2, 3),)):
            with pytest.raises(ValueError, match="hidden_layer_sizes must hold integers"):
                fitted(hidden_layer_sizes=sizes)

    @pytest.mark.parametrize("n_target", [1, 2, 5])
    def test_next_to_no_target_rows(self, n_target):
        rows = np.concatenate([np.flatnonzero(DOMAIN > 0), np.flatnonzero((DOMAIN < 0) & (Y == -1))[:n_target]])
        model = fitted(X[rows], Y[rows], DOMAIN[rows])
        assert np.isfinite(model.transform(X)).all()

    def test_a_column_of_one_value(self):
        wide = np.column_stack([X, np.full(len(X), 7.0)])
        assert np.isfinite(fitted(wide).predict_proba(wide)).all()

    def test_failures_leave_it_as_it_was(self):
        model = fitted()

        def fails(rows, rng):
            return rows * np.nan

        for kwargs, message in (
            ({"learning_rate_init": 1e30, "batch_norm": False}, "NaN or infinite in epoch . of the teacher; lower"),
            ({"augment": fails}, "augment returned NaN"),
            ({"max_iter": 0}, "max_iter"),
        ):
            broken = clone(model).set_params(**kwargs)
            broken.__dict__.update({k: v for k, v in vars(model).items() if k.endswith("_") or k[0] == "_"})
            with pytest.raises(ValueError, match=message):
                broken.fit(X, Y, sample_domain=DOMAIN)
            assert_same_predictions(broken, model, X)

    def test_nan_of_the_student_is_an_error(self):
        settings = {"batch_norm": False, "distill_weight": 1e300, "dtype": "float32"}
        with pytest.raises(ValueError, match="of the student"):
            fitted(**settings)
        with pytest.raises(ValueError, match=r"of the student; .* raise temperature=1e-40"):
            fitted(temperature=1e-40)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
    def test_a_gpu_that_is_not_there(self):
        with pytest.raises(ValueError, match="torch finds no GPU"):
            fitted(device="cuda")
        assert_same_predictions(fitted(device="auto"), fitted(), X)

    def test_a_line_for_each_epoch(self, capsys):
        fitted(verbose=True)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 6
        assert all(line.startswith("[STARTUPClassifier] teacher epoch ") for line in lines[:3])
        assert all("student epoch" in line and "self supervision" in line for line in lines[3:])


class Recorder:
    """A callback that records the tasks, scores the fitted estimators, and may raise an error or end a stage."""

    def __init__(self, at=None, stop=False):
        self.names = []
        self.scores = []
        self.at = at
        self.stop = stop

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.names.append(context.task_name)
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X, y))
        if len(self.names) == self.at:
            if self.stop:
                return True
            raise KeyboardInterrupt
        return False


class TestCallbacks:
    def test_they_see_every_stage_and_epoch(self):
        recorder = Recorder()
        model = startup(unlabeled=-1).set_callbacks(recorder)
        assert_same_predictions(model.fit(X, Y, sample_domain=DOMAIN), fitted(), X)
        teacher, student = (3 * [f"{stage} epoch"] + [stage] for stage in ("teacher", "student"))
        assert recorder.names == [*teacher, *student, "final estimator", "fit"]
        shown = Y >= 5
        assert len(recorder.scores) == 9
        assert recorder.scores[-1] == model.score(X[shown], Y[shown])

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_frames_are_scored_with_their_column_names(self, library):
        frames = pytest.importorskip(library)
        frame = frames.DataFrame(X, **{"columns" if library == "pandas" else "schema": [f"x{i}" for i in range(64)]})
        recorder = Recorder()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = startup(unlabeled=-1).set_callbacks(recorder).fit(frame, Y, sample_domain=DOMAIN)
        assert len(recorder.scores) == 9
        assert_array_equal(model.predict(frame), fitted().predict(X))

    @pytest.mark.parametrize("at", [2, 6])
    def test_an_interrupt_leaves_nothing(self, at):
        model = startup(unlabeled=-1).set_callbacks(Recorder(at))
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, sample_domain=DOMAIN)
        assert not [key for key in vars(model) if key.endswith("_") and not key.startswith("_")]

    def test_they_may_end_a_stage(self):
        model = startup(unlabeled=-1).set_callbacks(Recorder(at=2, stop=True)).fit(X, Y, sample_domain=DOMAIN)
        assert len(model.teacher_loss_curve_) == 2
        assert len(model.loss_curve_) == 3

    def test_a_progress_bar(self, capsys):
        startup(unlabeled=-1).set_callbacks(ProgressBar()).fit(X, Y, sample_domain=DOMAIN)
        assert "student" in capsys.readouterr().out


class TestSearches:
    GRID = {"startupclassifier__ssl_weight": [0.0, 1.0], "startupclassifier__distill_weight": [0.0, 1.0]}  # noqa: RUF012

    def test_a_pipeline_in_a_search_is_scored_on_target_rows(self):
        pipeline = make_pipeline(StandardScaler(), startup(unlabeled=-1))
        split = TargetDomainSplit(3, unlabeled=-1)
        with sklearn.config_context(enable_metadata_routing=True):
            search = GridSearchCV(pipeline, self.GRID, cv=split, n_jobs=2).fit(X, Y, sample_domain=DOMAIN)
        folds = list(split.split(X, Y, sample_domain=DOMAIN))
        assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), np.flatnonzero(Y >= 5))
        plain = GridSearchCV(pipeline, self.GRID, cv=folds).fit(X, Y, startupclassifier__sample_domain=DOMAIN)
        assert_allclose(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], rtol=1e-12)
        best = plain.best_estimator_
        assert_array_equal(search.predict(X), best.predict(X))
        assert_array_equal(best.classes_, [5, 6, 7, 8, 9])
        train, test = folds[0]
        by_hand = clone(pipeline).set_params(**plain.cv_results_["params"][3])
        by_hand.fit(X[train], Y[train], startupclassifier__sample_domain=DOMAIN[train])
        assert plain.cv_results_["split0_test_score"][3] == by_hand.score(X[test], Y[test])

    def test_cross_validation(self):
        with sklearn.config_context(enable_metadata_routing=True):
            scores = cross_val_score(
                startup(unlabeled=-1),
                X,
                Y,
                cv=TargetDomainSplit(3, unlabeled=-1),
                params={"sample_domain": DOMAIN},
                n_jobs=2,
            )
        assert scores.shape == (3,)

    def test_it_is_a_step_that_transforms(self):
        pipeline = make_pipeline(startup(unlabeled=-1), LogisticRegression())
        names = {"startupclassifier__sample_domain": DOMAIN}
        y = np.where(Y == -1, 4, Y)
        features = startup().fit_transform(X, y, sample_domain=DOMAIN)
        pipeline.set_params(startupclassifier__unlabeled=None).fit(X, y, **names)
        assert_array_equal(pipeline[0].transform(X), features)
        assert_array_equal(pipeline[:-1].get_feature_names_out(), [f"startupclassifier{i}" for i in range(8)])


@pytest.mark.slow
def test_the_papers_effect_shows_on_digits():
    gains = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        source = np.isin(DIGIT, rng.permutation(10)[:5])
        X = np.where(source[:, None], DIGITS, DIGITS @ rng.normal(size=(64, 64)) / 8)
        target = rng.permutation(np.flatnonzero(~source))
        half = len(target) // 2
        judged = target[half:]
        classes = np.unique(DIGIT[target])
        shown = np.array([judged[DIGIT[judged] == k][0] for k in classes])
        rows = np.concatenate([np.flatnonzero(source), shown, target[:half]])
        y = np.where(source | np.isin(np.arange(len(DIGIT)), shown), DIGIT, -1)[rows]
        domain = np.where(source, 1, -1)[rows]
        scores = []
        for kwargs in ({"distill_weight": 0, "ssl_weight": 0}, {"ssl_weight": 0}, {}):
            model = STARTUPClassifier(unlabeled=-1, random_state=seed, device="cpu", **kwargs)
            features = model.fit(X[rows], y, sample_domain=domain).transform(X[judged])
            labels = DIGIT[judged]
            episodes = np.random.default_rng(seed)
            found = []
            for _ in range(50):
                given = np.array([episodes.choice(np.flatnonzero(labels == k)) for k in classes])
                final = LogisticRegression(C=10, max_iter=1000).fit(features[given], labels[given])
                found.append(final.score(np.delete(features, given, axis=0), np.delete(labels, given)))
            scores.append(np.mean(found))
        gains.append([scores[2] - scores[0], scores[1] - scores[0]])
    whole, without_self_supervision = np.mean(gains, axis=0)
    assert whole >= 0.10
    assert without_self_supervision >= 0.05
