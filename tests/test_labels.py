"""Labels: what may be given, and what the codes learn from them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae._data import Batch, Scaling, Split
from skae._labels import Labels
from skae._losses import DataSummary
from skae._losses.target import Target


def linear(weight=0.5, k=2, **parameters):
    """Return an estimator without hidden layers."""
    return AutoencoderTransformer(
        k, hidden_layer_sizes=(), target_weight=weight, random_state=0, **parameters
    )


def small(**parameters):
    """Return an estimator that trains in about a second."""
    return AutoencoderTransformer(
        **{
            "hidden_layer_sizes": (16,),
            "max_iter": 10,
            "target_weight": 0.5,
            "random_state": 0,
            **parameters,
        }
    )


@pytest.fixture(scope="module")
def cancer():
    """Return 569 standardised rows of 30 features, and two classes."""
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def which():
    """Return which digit each image shows."""
    return load_digits().target


@pytest.fixture(scope="module")
def labelled(digits, which):
    """Return a network that learnt the labels of the first images."""
    network = small(
        n_components=3, hidden_layer_sizes=(128,), max_iter=25, whiten=True
    ).fit(digits[:1200], which[:1200])
    assert network.selected_model_ == "network"
    return network


def principal_covariates(X, y, k, weight):
    """Return codes by the definition of De Jong & Kiers (1992).

    Rows and numbers have a total variance of one there. The regression has a tiny ridge
    penalty.
    """
    unit = np.sqrt(X.var(axis=0).sum())
    rows, numbers = (X - X.mean(axis=0)) / unit, (y - y.mean()) / y.std()
    predicted = Ridge(1e-6, solver="svd").fit(rows, numbers).predict(rows)
    kernel = (1 - weight) * rows @ rows.T + weight * np.outer(predicted, predicted)
    values, vectors = np.linalg.eigh(kernel)
    return unit * vectors[:, : -k - 1 : -1] * np.sqrt(values[: -k - 1 : -1])


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("whiten", [False, True])
def test_without_hidden_layers_it_is_principal_covariates_regression(weight, whiten):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    fitted = linear(weight, whiten=whiten).fit(X, y)
    assert fitted.selected_model_ == "linear"
    codes = principal_covariates(X, y, 2, weight)
    restored = LinearRegression().fit(codes, X).predict(codes)
    np.testing.assert_allclose(fitted.reconstruct(X), restored, rtol=1e-6)
    predicted = fitted.transform(X) @ fitted.coef_ + fitted.intercept_
    expected = LinearRegression().fit(codes, y).predict(codes)
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)
    if whiten:
        codes = codes / codes.std(axis=0, ddof=1)
    found = fitted.transform(X)
    codes *= np.sign(np.sum(codes * found, axis=0))  # eigenvectors have no sign
    np.testing.assert_allclose(found, codes, atol=1e-6 * np.ptp(codes))


def test_the_weight_goes_from_pca_to_least_squares(cancer):
    X, _ = cancer
    y = X @ np.arange(30.0) + np.random.default_rng(0).normal(size=len(X))
    pca = PCA(1).fit(X)
    almost_pca = linear(1e-9, 1).fit(X, y)
    np.testing.assert_allclose(
        almost_pca.reconstruct(X),
        pca.inverse_transform(pca.transform(X)),
        atol=1e-6,
    )
    almost_regression = linear(1 - 1e-9, 1).fit(X, y)
    codes = almost_regression.transform(X)
    predicted = codes @ almost_regression.coef_ + almost_regression.intercept_
    expected = LinearRegression().fit(X, y).predict(X)
    np.testing.assert_allclose(predicted, expected, atol=1e-3 * y.std())


def test_without_a_weight_labels_change_nothing(digits, which):
    X, y = digits[:150], which[:150]
    with_labels, without = (
        small(target_weight=0.0, max_iter=2, early_stopping=False).fit(X, labels)
        for labels in (y, None)
    )
    np.testing.assert_array_equal(with_labels.transform(X), without.transform(X))
    assert with_labels.best_loss_ == without.best_loss_
    assert not hasattr(with_labels, "coef_")


def test_codes_predict_classes_and_still_reconstruct_better_than_pca(
    labelled, digits, which
):
    pca = PCA(3).fit(digits[:1200])
    of_pca = LogisticRegression(max_iter=1000).fit(
        pca.transform(digits[:1200]), which[:1200]
    )
    unseen, expected = digits[1200:], which[1200:]
    logits = labelled.transform(unseen) @ labelled.coef_.T + labelled.intercept_
    predicted = labelled.classes_[logits.argmax(axis=1)]
    accuracy = (predicted == expected).mean()
    assert accuracy > of_pca.score(pca.transform(unseen), expected) + 0.1
    assert labelled.score(unseen) > pca.explained_variance_ratio_.sum()


def test_codes_are_uncorrelated_and_sorted(labelled, digits):
    covariance = np.cov(labelled.transform(digits[:1200]).T)
    np.testing.assert_allclose(covariance, np.eye(3), atol=1e-3)
    assert (np.diff(labelled.explained_variance_) <= 0).all()


def unpredicted(fitted, X, y):
    """Return the fraction of the variance of numbers that the head leaves."""
    predicted = fitted.transform(X) @ fitted.coef_.T + fitted.intercept_
    return np.square(y - predicted).sum() / np.square(y - y.mean(axis=0)).sum()


@pytest.mark.slow
def test_numbers_are_predicted():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, size=(800, 2))
    X = np.hstack([t, np.sin(3 * t)]) @ rng.normal(size=(4, 12))
    X += 0.05 * rng.normal(size=X.shape)
    y = 100 + 30 * np.stack([t[:, 0] ** 2, t[:, 1]], axis=1)
    fitted = small(
        n_components=3,
        hidden_layer_sizes=(64,),
        target_weight=0.99,
        max_iter=60,
        early_stopping=False,
    )
    fitted.fit(X[:600], y[:600])
    assert fitted.coef_.shape == (2, 3)
    of_linear = unpredicted(linear(0.99, 3).fit(X[:600], y[:600]), X[600:], y[600:])
    assert unpredicted(fitted, X[600:], y[600:]) < 0.7 * of_linear


def test_numbers_are_predicted_from_rows_without_damage():
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X, y.astype(float), random_state=0)
    damaged = AutoencoderTransformer(
        4,
        target_weight=0.5,
        corruption="masking",
        corruption_level=0.6,
        max_iter=10,
        random_state=0,
    ).fit(train, y_train)
    assert damaged.selected_model_ == "network"
    # Oracle: linear regression on the codes of rows that nothing was masked in.
    regression = LinearRegression().fit(damaged.transform(train), y_train)
    np.testing.assert_allclose(damaged.coef_, regression.coef_, rtol=1e-5)
    np.testing.assert_allclose(damaged.intercept_, regression.intercept_, rtol=1e-5)
    assert regression.score(damaged.transform(test), y_test) > 0.4


@pytest.mark.parametrize(
    "encoded",
    [
        lambda y: np.array(["no", "yes"])[y],
        lambda y: np.array(["no", "yes"], dtype=object)[y],
        lambda y: y.astype(bool),
        lambda y: pd.Series(y).astype("category"),
        lambda y: pd.Series(np.array(["no", "yes"])[y]).astype("category"),
        lambda y: y.astype(np.uint8),
        lambda y: (5 * y - 3).tolist(),
    ],
)
def test_classes_of_any_type_give_the_same_codes(encoded, cancer):
    X, y = cancer
    expected = linear().fit(X, y)
    fitted = linear().fit(X, encoded(y))
    np.testing.assert_array_equal(fitted.transform(X), expected.transform(X))
    assert fitted.coef_.shape == (2, 2)
    assert len(fitted.classes_) == 2


def test_a_column_of_labels_is_flattened_with_a_warning(cancer):
    X, y = cancer
    with pytest.warns(UserWarning, match="column-vector"):
        fitted = linear().fit(X, y[:, None])
    np.testing.assert_array_equal(fitted.transform(X), linear().fit(X, y).transform(X))


@pytest.mark.parametrize("kind", ["classes", "numbers"])
@pytest.mark.parametrize("sizes", [(), (16,)])
def test_rows_without_labels_train_the_reconstruction(kind, sizes, cancer):
    X, y = cancer
    hidden = np.random.default_rng(0).uniform(size=len(X)) < 0.8
    y = np.where(hidden, -1 if kind == "classes" else np.nan, y)
    fitted = small(hidden_layer_sizes=sizes, early_stopping=False).fit(X, y)
    of_labelled_rows = linear().fit(X[~hidden], y[~hidden])
    np.testing.assert_allclose(fitted.mean_, X.mean(axis=0), atol=1e-12)
    assert fitted.score(X) > of_labelled_rows.score(X)
    assert np.isfinite(fitted.loss_curve_).all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (np.full(60, np.nan), "every row of y has a NaN"),
        (np.where(np.arange(60) < 30, -1, 1), "needs at least two"),
        (np.full(60, -1), "needs at least two"),
        (np.arange(59), "inconsistent numbers of samples"),
        (np.full(60, np.inf), "infinity"),
    ],
)
def test_impossible_labels_are_refused_before_any_work(y, message):
    X = np.random.default_rng(0).normal(size=(60, 5))
    with pytest.raises(ValueError, match=message):
        small().fit(X, y)


def test_rows_that_decide_need_labels(cancer):
    X, y = cancer
    with pytest.raises(ValueError, match="X_val needs target_weight=0"):
        small().fit(X, y, X_val=X)


def test_labels_go_with_other_parameters(cancer):
    X, y = cancer
    fitted = small(skip_connections=None, sparsity=0.1, early_stopping=False).fit(X, y)
    codes = fitted.transform(X)
    logits = codes @ fitted.coef_.T + fitted.intercept_
    assert (logits.argmax(axis=1) == y).mean() > 0.9


def test_one_class_gives_pca(cancer):
    X, _ = cancer
    fitted = linear().fit(X, np.ones(len(X), int))
    np.testing.assert_allclose(fitted.reconstruct(X), linear(0).fit(X).reconstruct(X))
    assert fitted.classes_.tolist() == [1]


@pytest.mark.parametrize("n_labelled", [1, 30])
def test_the_loss_of_a_single_class_counts_for_nothing(n_labelled):
    label = np.full((30, 2), np.nan)
    label[:n_labelled] = [1.0, 0.0]
    data = DataSummary(Batch(np.zeros((30, 3)), label=label), Scaling.none(3), 0.3)
    assert Target("classes").coefficients({"target_weight": 0.5}, data) == 0


@pytest.mark.slow
def test_a_class_with_one_member_is_possible(cancer):
    X, y = cancer
    rare = y.copy()
    rare[7] = 2
    fitted = small().fit(X, rare)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert np.isfinite(fitted.transform(X)).all()


def test_a_later_fit_without_labels_forgets_them(cancer):
    X, y = cancer
    fitted = linear().fit(X, y)
    fitted.set_params(target_weight=0).fit(X, y)
    for name in ("coef_", "intercept_", "classes_"):
        assert not hasattr(fitted, name)


def test_tags_say_that_labels_are_needed():
    assert small().__sklearn_tags__().target_tags.required
    assert not small(target_weight=0).__sklearn_tags__().target_tags.required


def test_a_pipeline_hands_labels_on(cancer):
    X, y = cancer
    accuracies = [
        cross_val_score(
            make_pipeline(linear(weight, 1), LogisticRegression()), X, y
        ).mean()
        for weight in (1e-6, 0.9)
    ]
    assert accuracies[1] > accuracies[0] + 0.02


def test_classes_are_held_out_in_equal_fractions():
    rng = np.random.RandomState(0)
    strata = rng.permutation(np.repeat([0, 1, 2], [500, 90, 10]))
    few = Split.draw(np.arange(600), 0.1, rng, strata)
    for fold in few.held_out[:-1]:
        assert np.bincount(strata[fold]).tolist() == [100, 18, 2]
    strata = np.resize(strata, 3000)
    many = Split.draw(np.arange(3000), 0.1, rng, strata)
    assert np.bincount(strata[many.held_out[0]]).tolist() == [250, 45, 5]


def test_keras_models_leave_the_head_out(labelled, digits):
    codes = labelled.transform(digits[:600])
    restored = labelled.decoder_.predict(codes, verbose=0)
    np.testing.assert_allclose(restored, labelled.inverse_transform(codes), atol=1e-3)


NAN = float("nan")


@pytest.mark.parametrize(
    "y",
    [
        pd.Series([1, None, 2, 1], dtype="Int64"),
        pd.Series([1, None, 2, 1], dtype="category"),
        pd.Series(["a", None, "b", "a"], dtype="category"),
        pd.Series(["a", None, "b", "a"], dtype="string"),
        pd.Series(["a", None, "b", "a"]),
        pd.Series([True, None, False, True], dtype="boolean"),
        pd.DataFrame({"y": pd.Series([1, None, 2, 1], dtype="Int64")}),
        pl.Series([1, None, 2, 1]),
        pl.Series(["a", None, "b", "a"]),
        ["a", NAN, "b", "a"],
        [True, None, False, True],
        np.array([1, -1, 2, 1]),
    ],
    ids=repr,
)
def test_gaps_mean_that_a_row_has_no_class(y):
    labels = Labels.of(small(), y, np.zeros((4, 2)))
    assert labels.known.tolist() == [True, False, True, True]
    assert len(labels.classes) == 2
    of_first = labels.values[0]
    np.testing.assert_array_equal(labels.values[[2, 3]], [1 - of_first, of_first])


@pytest.mark.parametrize(
    "y",
    [
        pd.Series([1.5, None, 2.5], dtype="Float64"),
        pd.Series([1.5, None, 2.5]),
        pl.Series([1.5, None, 2.5]),
        np.array([1.5, None, 2.5], dtype=object),
    ],
    ids=repr,
)
def test_gaps_mean_that_a_row_has_no_number(y):
    labels = Labels.of(small(), y, np.zeros((3, 2)))
    assert labels.classes is None
    np.testing.assert_array_equal(labels.values.ravel(), [1.5, NAN, 2.5])
