"""PCA by every method agrees with scikit-learn."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from skae._data import Scaling
from skae._linear import _pca, fit_incomplete_pca, fit_pca

rng = np.random.default_rng(0)
X = (
    rng.normal(size=(150, 20))
    @ rng.normal(size=(20, 20))
    * (rng.uniform(size=20) < 0.8)
)
X[rng.uniform(size=X.shape) < 0.5] = 0

METHODS = {
    "exact": {},
    "covariance": {"_EXACT_SIZE": 0},
    "operator": {"_EXACT_SIZE": 0, "_WIDE": 0},
}


def fit(method, X, n_components, monkeypatch):
    for name, value in METHODS[method].items():
        monkeypatch.setattr(_pca, name, value)
    start = np.random.RandomState(0)
    return fit_pca(X, Scaling.fit(X), n_components, start)


def assert_agrees(found, pca, tolerance=1e-8):
    for name in (
        "components",
        "explained_variance",
        "explained_variance_ratio",
        "noise_variance",
    ):
        np.testing.assert_allclose(
            getattr(found, name),
            getattr(pca, name + "_"),
            rtol=10 * tolerance,
            atol=tolerance,
            err_msg=name,
        )


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize("method", METHODS)
def test_components_equal_those_of_scikit_learn(method, kind, shift, monkeypatch):
    pca = PCA(5, svd_solver="full").fit(X)
    found = fit(method, kind(X + shift), 5, monkeypatch)
    # With values near 1e6, products keep about ten digits.
    assert_agrees(found, pca, 1e-4 if shift else 1e-8)


def test_a_feature_with_a_huge_variance_does_not_hide_the_others(monkeypatch):
    # These are the scales of a table of R with numbers of auctions. The variances
    # differ by 22 orders of magnitude.
    generator = np.random.default_rng(0)
    scales = [9e10, 3, 6, 16, 3.5, 28, 5e4, 0.9]
    X = generator.standard_normal((107, 8)) * scales
    pca = PCA(4, svd_solver="full").fit(X)
    found = fit("exact", X, 4, monkeypatch)
    centred = X - X.mean(axis=0)

    def residual(components):
        return np.square(centred - centred @ components.T @ components).sum()

    assert residual(found.components) < 1.001 * residual(pca.components_)


@pytest.mark.parametrize("n_components", [0.5, 0.95, None])
def test_the_number_of_components_is_that_of_pca(n_components, monkeypatch):
    pca = PCA(n_components, svd_solver="full").fit(X)
    for method in ("exact", "covariance"):
        found = fit(method, X, n_components, monkeypatch)
        assert found.n_components == pca.n_components_


@pytest.mark.parametrize("n_components", [0.5, None, 20])
def test_all_components_of_very_wide_data_raise(n_components, monkeypatch):
    with pytest.raises(ValueError, match=f"n_components={n_components} must be an int"):
        fit("operator", X, n_components, monkeypatch)


@pytest.mark.parametrize("n_components", [0.5, None, 30])
def test_all_components_of_few_wide_rows_equal_those_of_pca(n_components, monkeypatch):
    wide = np.random.default_rng(1).normal(size=(30, 5000))
    found = fit("covariance", wide, n_components, monkeypatch)
    pca = PCA(n_components, svd_solver="full").fit(wide)
    assert found.n_components == pca.n_components_
    np.testing.assert_allclose(
        found.explained_variance[:5], pca.explained_variance_[:5]
    )


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_some_components_of_few_wide_rows_equal_those_of_pca(kind, monkeypatch):
    wide = np.random.default_rng(1).normal(size=(30, 200)) + 3
    wide[20:] = wide[:10]  # only 19 components have variance
    found = fit("covariance", kind(wide), 22, monkeypatch)
    pca = PCA(22, svd_solver="full").fit(wide)
    np.testing.assert_allclose(
        found.explained_variance, pca.explained_variance_, atol=1e-9
    )
    np.testing.assert_allclose(found.components[:19], pca.components_[:19], atol=1e-9)
    gram = found.components @ found.components.T
    np.testing.assert_allclose(gram, np.eye(22), atol=1e-9)


@pytest.mark.parametrize("method", ["exact", "covariance"])
def test_constant_rows_have_no_variance(method, monkeypatch):
    found = fit(method, np.full((30, 4), 3.0), 2, monkeypatch)
    np.testing.assert_array_equal(found.explained_variance, [0, 0])
    np.testing.assert_array_equal(found.explained_variance_ratio, [0, 0])
    np.testing.assert_allclose(
        found.components @ found.components.T, np.eye(2), atol=1e-9
    )


@pytest.mark.parametrize("n_components", [3, 0.9, None])
def test_without_missing_values_probabilistic_pca_is_pca(n_components):
    rows = X[:, X.any(axis=0)]
    pca = PCA(n_components, svd_solver="full").fit(rows)
    found = fit_incomplete_pca(rows, np.ones(rows.shape, bool), n_components)
    assert_agrees(found, pca)
    np.testing.assert_allclose(found.scaling.mean, pca.mean_)


@pytest.mark.parametrize("unit", [1e-120, 1.0, 1e120])
def test_missing_values_are_filled_in_by_their_conditional_means(unit):
    generator = np.random.default_rng(2)
    rows = 5 + generator.normal(size=(90, 2)) @ generator.normal(size=(2, 6))
    rows += 0.1 * generator.normal(size=rows.shape)
    observed = generator.uniform(size=rows.shape) > 0.3
    observed[7] = False
    found = fit_incomplete_pca(np.where(observed, rows * unit, np.nan), observed, 2)
    # Variances are those of scikit-learn, divided by one row less. A row without values
    # does not count.
    assert found.n_rows == 89
    variances = found.explained_variance / unit**2 * 88 / 89
    noise = found.noise_variance / unit**2 * 88 / 89
    axes, mean = found.components, found.scaling.mean / unit
    covariance = (axes.T * (variances - noise)) @ axes + noise * np.identity(6)
    filled = found.fill(np.where(observed, rows * unit, np.nan), observed) / unit
    for row, seen, complete in zip(rows, observed, filled, strict=True):
        ahead = np.linalg.solve(covariance[np.ix_(seen, seen)], row[seen] - mean[seen])
        expected = mean[~seen] + covariance[np.ix_(~seen, seen)] @ ahead
        np.testing.assert_allclose(complete[~seen], expected, rtol=1e-9)
        np.testing.assert_allclose(complete[seen], row[seen])
    # The model is nearly that of the complete rows.
    error = np.abs(filled - rows)[~observed & observed.any(axis=1)[:, None]]
    assert np.median(error) < 0.2


def test_a_feature_without_values_has_no_pca():
    observed = np.ones((30, 4), bool)
    observed[:, [1, 3]] = False
    with pytest.raises(ValueError, match=r"nothing but NaN in the features \[1, 3\]"):
        fit_incomplete_pca(np.ones((30, 4)), observed, 2)
