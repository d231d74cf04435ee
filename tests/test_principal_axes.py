"""Every method to compute principal axes agrees with scikit-learn."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from skae._data import Scaling
from skae._linear import PrincipalAxes, _principal_axes

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


def fit_axes(method, X, n_components, monkeypatch):
    for name, value in METHODS[method].items():
        monkeypatch.setattr(_principal_axes, name, value)
    start = np.random.RandomState(0)
    return PrincipalAxes.fit(X, Scaling.fit(X), n_components, start)


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize("method", METHODS)
def test_axes_equal_those_of_scikit_learn(method, kind, shift, monkeypatch):
    pca = PCA(5, svd_solver="full").fit(X)
    found = fit_axes(method, kind(X + shift), 5, monkeypatch)
    # With values near 1e6, products keep about ten digits.
    tolerance = (
        {"rtol": 1e-8, "atol": 1e-8} if not shift else {"rtol": 1e-3, "atol": 1e-4}
    )
    np.testing.assert_allclose(found.components, pca.components_, **tolerance)
    np.testing.assert_allclose(
        found.explained_variance, pca.explained_variance_, **tolerance
    )
    np.testing.assert_allclose(
        found.explained_variance_ratio, pca.explained_variance_ratio_, **tolerance
    )


def test_a_feature_with_a_huge_variance_does_not_hide_the_others(monkeypatch):
    # These are the scales of a table of R with numbers of auctions. The variances
    # differ by 22 orders of magnitude.
    generator = np.random.default_rng(0)
    scales = [9e10, 3, 6, 16, 3.5, 28, 5e4, 0.9]
    X = generator.standard_normal((107, 8)) * scales
    pca = PCA(4, svd_solver="full").fit(X)
    found = fit_axes("exact", X, 4, monkeypatch)
    centred = X - X.mean(axis=0)

    def residual(components):
        return np.square(centred - centred @ components.T @ components).sum()

    assert residual(found.components) < 1.001 * residual(pca.components_)


@pytest.mark.parametrize("n_components", [0.5, 0.95, None])
def test_the_number_of_axes_is_that_of_pca(n_components, monkeypatch):
    pca = PCA(n_components, svd_solver="full").fit(X)
    for method in ("exact", "covariance"):
        found = fit_axes(method, X, n_components, monkeypatch)
        assert found.n_components == pca.n_components_


@pytest.mark.parametrize("n_components", [0.5, None, 20])
def test_all_axes_of_very_wide_data_raise(n_components, monkeypatch):
    with pytest.raises(ValueError, match=f"n_components={n_components} must be an int"):
        fit_axes("operator", X, n_components, monkeypatch)


@pytest.mark.parametrize("n_components", [0.5, None, 30])
def test_all_axes_of_few_wide_rows_equal_those_of_pca(n_components, monkeypatch):
    wide = np.random.default_rng(1).normal(size=(30, 5000))
    found = fit_axes("covariance", wide, n_components, monkeypatch)
    pca = PCA(n_components, svd_solver="full").fit(wide)
    assert found.n_components == pca.n_components_
    np.testing.assert_allclose(
        found.explained_variance[:5], pca.explained_variance_[:5]
    )


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_some_axes_of_few_wide_rows_equal_those_of_pca(kind, monkeypatch):
    wide = np.random.default_rng(1).normal(size=(30, 200)) + 3
    wide[20:] = wide[:10]  # only 19 axes have variance
    found = fit_axes("covariance", kind(wide), 22, monkeypatch)
    pca = PCA(22, svd_solver="full").fit(wide)
    np.testing.assert_allclose(
        found.explained_variance, pca.explained_variance_, atol=1e-9
    )
    np.testing.assert_allclose(found.components[:19], pca.components_[:19], atol=1e-9)
    gram = found.components @ found.components.T
    np.testing.assert_allclose(gram, np.eye(22), atol=1e-9)


@pytest.mark.parametrize("method", ["exact", "covariance"])
def test_constant_rows_have_no_variance(method, monkeypatch):
    found = fit_axes(method, np.full((30, 4), 3.0), 2, monkeypatch)
    np.testing.assert_array_equal(found.explained_variance, [0, 0])
    np.testing.assert_array_equal(found.explained_variance_ratio, [0, 0])
    np.testing.assert_allclose(
        found.components @ found.components.T, np.eye(2), atol=1e-9
    )
