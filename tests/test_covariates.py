"""Principal covariates regression agrees with its definition, written out in NumPy."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA

from skae._data import Scaling
from skae._linear import PrincipalCovariates, _covariates, _pca, fit_pca

LEAST_ALPHA = 1e-6


def fit(X, Y, k=2, weight=0.5, **parameters):
    start = np.random.RandomState(0)
    return PrincipalCovariates.fit(X, Y, Scaling.fit(X), k, weight, start, **parameters)


def by_definition(X, Y, k, weight, alpha=LEAST_ALPHA, labelled=None):
    """Return codes, reconstructions and predictions for all rows.

    This is ``PCovR`` of the package skmatter in sample space, with
    ``mixing = 1 - weight`` and the regressor ``Ridge(alpha, fit_intercept=False)``, for
    rows and targets that its ``StandardFlexibleScaler`` has scaled.
    """
    labelled = np.ones(len(X), bool) if labelled is None else labelled
    unit, y_unit = (np.sqrt(A.var(axis=0).sum()) for A in (X, Y[labelled]))
    rows = (X - X.mean(axis=0)) / unit
    targets = (Y - Y[labelled].mean(axis=0)) / y_unit
    A = rows[labelled] - rows[labelled].mean(axis=0)
    # The dual form of ridge regression.
    dual = np.linalg.solve(A @ A.T + alpha * np.eye(len(A)), targets[labelled])
    coefficients = A.T @ dual
    predicted = rows @ coefficients
    kernel = (1 - weight) * rows @ rows.T + weight * predicted @ predicted.T
    values, vectors = np.linalg.eigh(kernel)
    codes = (vectors * np.sqrt(np.maximum(values, 0)))[:, : -k - 1 : -1]
    # Rows without labels have predicted targets.
    targets[~labelled] = (predicted - rows[labelled].mean(axis=0) @ coefficients)[
        ~labelled
    ]
    mean = targets.mean(axis=0)
    head = np.linalg.lstsq(codes, targets - mean, rcond=None)[0]
    decoder = np.linalg.lstsq(codes, rows, rcond=None)[0]
    return (
        codes * unit,
        codes @ decoder * unit + X.mean(axis=0),
        (codes @ head + mean) * y_unit + Y[labelled].mean(axis=0),
    )


def outputs(found, X):
    """Return codes, reconstructions and predictions."""
    mean = X.mean(axis=0)
    codes = (X - mean) @ found.encoder
    return (
        codes,
        codes @ found.decoder + mean,
        codes @ found.head + found.target_mean,
    )


def assert_agrees(found, X, expected):
    codes, restored, predicted = outputs(found, X)
    np.testing.assert_allclose(
        np.abs(codes), np.abs(expected[0]), atol=1e-6 * np.abs(codes).max()
    )
    np.testing.assert_allclose(restored, expected[1], atol=1e-6 * np.ptp(X))
    spread = np.ptp(expected[2])
    np.testing.assert_allclose(predicted, expected[2], atol=1e-6 * spread)


def data(name):
    """Return rows and targets: one number, indicators of classes, or many numbers."""
    rng = np.random.default_rng(0)
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True, scaled=False)
        return X, y[:, None]
    n_samples, n_features, n_targets = {
        "classes": (300, 12, 3),
        "few rows": (40, 12, 2),
        "wide": (40, 100, 3),
        "many targets": (200, 10, 30),
    }[name]
    X = rng.normal(size=(n_samples, n_features)) @ rng.normal(
        size=(n_features, n_features)
    )
    Y = X @ rng.normal(size=(n_features, n_targets)) + 10 * rng.normal(
        size=(n_samples, n_targets)
    )
    if name == "classes":
        Y = (Y.max(axis=1, keepdims=True) == Y).astype(float)
    return X + 3, Y + 5


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    "name", ["diabetes", "classes", "few rows", "wide", "many targets"]
)
def test_the_result_is_that_of_the_definition(name, weight):
    X, Y = data(name)
    found = fit(X, Y, 3, weight, alpha=LEAST_ALPHA)
    assert_agrees(found, X, by_definition(X, Y, 3, weight))


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize("size", [1e7, 0])
def test_every_kind_of_array_gives_the_same(kind, size, monkeypatch):
    monkeypatch.setattr(_pca, "_EXACT_SIZE", size)
    for name in ("classes", "wide"):
        X, Y = data(name)
        X[X < 0] = 0
        labelled = np.arange(len(X)) % 3 > 0
        found = fit(kind(X), Y, labelled=labelled, alpha=LEAST_ALPHA)
        expected = by_definition(X, Y, 2, 0.5, labelled=labelled)
        assert_agrees(found, X, expected)


def test_memory_maps_are_read_in_chunks(tmp_path):
    X, Y = data("classes")
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_agrees(
        fit(mapped, Y), X, by_definition(mapped.astype(np.float64), Y, 2, 0.5)
    )


@pytest.mark.parametrize("name", ["diabetes", "wide"])
def test_without_weight_it_is_pca(name):
    X, Y = data(name)
    found, pca = fit(X, Y, 4, 0.0), PCA(4).fit(X)
    np.testing.assert_allclose(found.encoder, pca.components_.T, atol=1e-10)
    np.testing.assert_allclose(found.decoder, pca.components_, atol=1e-10)
    np.testing.assert_allclose(found.explained_variance, pca.explained_variance_)
    left = 1 - pca.explained_variance_ratio_.sum()
    np.testing.assert_allclose(found.unexplained, left, atol=1e-10)


def test_with_nearly_all_weight_the_codes_span_the_predictions_of_least_squares():
    X, Y = data("few rows")
    predicted = outputs(fit(X, Y, 2, 1 - 1e-9, alpha=1e-12), X)[2]
    centred = X - X.mean(axis=0)
    coefficients = np.linalg.lstsq(centred, Y - Y.mean(axis=0), rcond=None)[0]
    expected = centred @ coefficients + Y.mean(axis=0)
    np.testing.assert_allclose(predicted, expected, atol=1e-5)


def test_codes_are_uncorrelated_sorted_and_signed():
    X, Y = data("classes")
    found = fit(X, Y, 5)
    codes = outputs(found, X)[0]
    covariance = np.diag(found.explained_variance)
    scale = found.explained_variance[0]
    np.testing.assert_allclose(np.cov(codes.T), covariance, atol=1e-9 * scale)
    assert (np.diff(found.explained_variance) < 0).all()
    largest = np.abs(found.decoder).argmax(axis=1)
    assert (found.decoder[np.arange(5), largest] > 0).all()


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.02])
def test_rows_without_labels_have_predicted_targets(fraction):
    X, Y = data("classes")
    labelled = np.random.default_rng(1).uniform(size=len(X)) < fraction
    hidden = np.where(labelled[:, None], Y, np.nan)
    found = fit(X, hidden, labelled=labelled, alpha=0.1)
    assert_agrees(found, X, by_definition(X, Y, 2, 0.5, 0.1, labelled))


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.02])
def test_fractions_are_those_of_the_rows(fraction):
    X, Y = data("classes")
    labelled = np.random.default_rng(1).uniform(size=len(X)) < fraction
    found = fit(X, Y, labelled=labelled)
    _, restored, predicted = outputs(found, X)
    left = np.square(X - restored).sum() / np.square(X - X.mean(axis=0)).sum()
    np.testing.assert_allclose(found.unexplained, left)
    Y, predicted = Y[labelled], predicted[labelled]
    left = np.square(Y - predicted).sum() / np.square(Y - Y.mean(axis=0)).sum()
    np.testing.assert_allclose(found.unexplained_targets, left)


@pytest.mark.parametrize("scale", [1e-150, 1e-3, 1e6])
def test_units_do_not_matter(scale):
    X, Y = data("classes")
    found, other = fit(X, Y), fit((X - 3) * scale, 100 * Y)
    np.testing.assert_allclose(other.encoder, found.encoder, atol=1e-9)
    np.testing.assert_allclose(other.decoder, found.decoder, atol=1e-9)
    np.testing.assert_allclose(other.head * scale, 100 * found.head, rtol=1e-6)
    np.testing.assert_allclose(other.alpha, found.alpha)


def test_many_rows_have_the_least_penalty_and_few_a_larger_one():
    X, Y = data("classes")
    assert fit(X, Y).alpha == LEAST_ALPHA
    assert fit(X[:80], Y[:80]).alpha > LEAST_ALPHA


def test_the_penalty_minimises_generalised_cross_validation():
    X, Y = data("wide")
    rows = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0).sum())
    targets = Y - Y.mean(axis=0)

    def score(alpha):
        gram = rows @ rows.T
        hat = gram @ np.linalg.inv(gram + alpha * np.eye(len(gram)))
        free = len(X) - 1 - 1.4 * np.trace(hat)
        return np.square(targets - hat @ targets).sum() / free**2

    best = fit(X, Y).alpha
    assert score(best) < min(score(best / 1.5), score(best * 1.5))


def test_wide_rows_do_not_learn_the_targets_by_heart():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 100)) @ rng.normal(size=(100, 100))
    Y = X[:, :1] + 10 * rng.normal(size=(400, 1))
    errors = []
    for alpha in (None, LEAST_ALPHA):
        found = fit(X[:60], Y[:60], alpha=alpha)
        mean = X[:60].mean(axis=0)
        predicted = (X[60:] - mean) @ found.encoder @ found.head + found.target_mean
        errors.append(np.square(Y[60:] - predicted).mean())
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("n_labelled", [1, 20])
def test_constant_targets_leave_pca(n_labelled):
    X, Y = data("wide")
    Y[:20] = 0.1
    found = fit(X, Y, labelled=np.arange(len(X)) < n_labelled)
    np.testing.assert_allclose(found.decoder, PCA(2).fit(X).components_, atol=1e-9)
    np.testing.assert_array_equal(found.head, 0)
    np.testing.assert_allclose(found.target_mean, 0.1)
    assert found.unexplained_targets == 0


def test_constant_rows_and_features_are_no_obstacle():
    X, Y = data("classes")
    X[:, 3:6] = 7
    assert_agrees(fit(X, Y, 3), X, by_definition(X, Y, 3, 0.5))
    for labelled in (None, np.arange(len(X)) < 4):
        found = fit(np.full_like(X, 3), Y, 3, labelled=labelled)
        np.testing.assert_array_equal(found.head, 0)
        np.testing.assert_allclose(found.decoder @ found.encoder, np.eye(3), atol=1e-9)


def test_components_beyond_the_rank_are_those_of_pca():
    X, Y = data("few rows")
    X[:, 5:] = X[:, :1]
    found = fit(X, Y, 8, alpha=LEAST_ALPHA)
    np.testing.assert_allclose(found.explained_variance[5:], 0, atol=1e-9)
    np.testing.assert_allclose(found.decoder @ found.encoder, np.eye(8), atol=1e-7)
    expected = by_definition(X, Y, 5, 0.5)
    for one, other in zip(outputs(found, X)[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", ["few rows", "wide"])
def test_as_many_components_as_possible_restore_the_rows(name):
    X, Y = data(name)
    found = fit(X, Y, min(X.shape))
    np.testing.assert_allclose(outputs(found, X)[1], X, atol=1e-6)
    assert found.encoder.shape == (X.shape[1], min(X.shape))


def test_large_data_are_replaced_by_their_leading_axes(monkeypatch):
    monkeypatch.setattr(_covariates, "_ALL_AXES", 0)
    monkeypatch.setattr(_covariates, "_LEADING", 4)
    monkeypatch.setattr(_pca, "_EXACT_SIZE", 0)
    monkeypatch.setattr(_pca, "_WIDE", 0)
    X, Y = data("classes")
    pca = PCA(6).fit(X)
    restored = pca.inverse_transform(pca.transform(X))
    codes, _, predicted = outputs(fit(X, Y, alpha=LEAST_ALPHA), X)
    # The total variance of X scales it, not that of its leading axes.
    fraction = restored.var(axis=0).sum() / X.var(axis=0).sum()
    weight = 0.5 / (0.5 + 0.5 * fraction)
    expected = by_definition(restored, Y, 2, weight, LEAST_ALPHA / fraction)
    np.testing.assert_allclose(predicted, expected[2], atol=1e-6)
    assert abs(np.corrcoef(codes[:, 0], expected[0][:, 0])[0, 1]) > 1 - 1e-9


@pytest.mark.parametrize("name", ["classes", "wide", "many targets"])
def test_the_linear_model_has_the_attributes_of_pca(name):
    """Variances are those of the codes, and what the codes leave is noise."""
    X, Y = data(name)
    k, scaling = 4, Scaling.fit(X)
    pca = fit_pca(X, scaling, k, np.random.RandomState(0))
    head = np.ones((k, 2)), np.arange(2.0)
    model = fit(X, Y, k).linear_model(pca, head)
    codes = model.encode(X)
    restored = model.decode(codes)
    covariance = np.diag(model.explained_variance)
    np.testing.assert_allclose(
        np.cov(codes.T), covariance, atol=1e-8 * covariance.max()
    )
    total = np.square(X - X.mean(axis=0)).sum()
    left = np.square(X - restored).sum()
    assert 1 - model.explained_variance_ratio.sum() == pytest.approx(left / total)
    assert model.unexplained == pytest.approx(left / total)
    # Of each code alone, and of PCA with as many.
    alone = np.square(codes).sum(axis=0) * np.square(model.components).sum(axis=1)
    ratio = model.explained_variance_ratio
    np.testing.assert_allclose(ratio / ratio.sum(), alone / alone.sum())
    expected = PCA(k).fit(X).explained_variance_ratio_.sum()
    assert model.unexplained_by_pca == pytest.approx(1 - expected)
    assert model.unexplained > model.unexplained_by_pca
    n_left_out = min(X.shape) - k
    noise = left / (len(X) - 1) / n_left_out
    assert model.noise_variance == pytest.approx(noise)
    assert model.head is head
    assert not model.is_pca
