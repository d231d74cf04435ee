"""Rows are centred and divided by one global scale."""

import tracemalloc

import numpy as np
import pytest
from conftest import images, small_network
from scipy import sparse
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae._data import Moments, Scaling, _scaling, variances

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5)) * [1, 2, 3, 4, 5] + [0, 10, 20, 30, 40]


@pytest.mark.parametrize(("factor", "shift"), [(1, 0), (1e4, 0), (1e-9, 0), (1, 1e6)])
def test_scaled_rows_do_not_depend_on_units(factor, shift):
    scaling = Scaling.fit(X * factor + shift)
    rows = scaling.apply(X * factor + shift)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, Scaling.fit(X).apply(X), atol=1e-6)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)
    assert rows.var(axis=0).mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(
        scaling.invert(rows), X * factor + shift, rtol=1e-6, atol=1e-6 * factor
    )


@pytest.mark.parametrize("value", [0.0, 0.1, -1e8, 1e-300])
def test_constant_data_have_scale_one(value):
    scaling = Scaling.fit(np.full((7, 3), value))
    assert scaling.scale == 1.0
    np.testing.assert_allclose(scaling.apply(np.full((7, 3), value)), 0, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_constant_data_can_be_fitted(value):
    constant = np.full((40, 3), value)
    fitted = AutoencoderTransformer(1, whiten=True, random_state=0).fit(constant)
    np.testing.assert_allclose(fitted.reconstruct(constant), constant)
    np.testing.assert_allclose(fitted.transform(constant), 0, atol=1e-6)
    assert np.isfinite(fitted.explained_variance_ratio_).all()


@pytest.mark.parametrize("hidden_layer_sizes", [(), (32,)], ids=["pca", "network"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype, hidden_layer_sizes, digits):
    fitted = small_network(hidden_layer_sizes=hidden_layer_sizes)
    codes = fitted.fit_transform(digits.astype(dtype))
    assert codes.dtype == dtype
    assert fitted.inverse_transform(codes).dtype == dtype
    other = fitted.transform(digits.astype(np.float32))
    assert other.dtype == np.float32
    np.testing.assert_allclose(other, codes, atol=1e-4 * np.abs(codes).max())


def test_score_and_score_samples_agree(network, digits):
    errors = np.square(digits - network.reconstruct(digits))
    np.testing.assert_allclose(network.score_samples(digits), -errors.mean(axis=1))
    total = np.square(digits - digits.mean(axis=0)).sum()
    assert network.score(digits) == pytest.approx(1 - errors.sum() / total)
    # One row has no variance. Its score is 0.
    assert network.score(digits[:1]) == 0.0


SCALES = [
    (np.float64, 1e-135),
    (np.float64, 1e-39),
    (np.float64, 1e36),
    (np.float32, 1e-17),
    (np.float32, 1e17),
]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("dtype", "scale"), SCALES)
def test_pca_does_not_depend_on_the_units(dtype, scale, form):
    rows = form((X * scale).astype(dtype))
    fitted = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(rows)
    pca = PCA(2).fit(X)
    rtol = 1e-5 if dtype == np.float32 else 1e-10
    tolerance = dict(rtol=rtol, atol=100 * rtol)
    codes = pca.transform(X)
    np.testing.assert_allclose(fitted.transform(rows) / scale, codes, **tolerance)
    restored = pca.inverse_transform(codes)
    np.testing.assert_allclose(fitted.reconstruct(rows) / scale, restored, **tolerance)
    fractions = pca.explained_variance_ratio_
    np.testing.assert_allclose(fitted.explained_variance_ratio_, fractions, rtol=rtol)
    assert fitted.score(rows) == pytest.approx(fractions.sum(), rel=rtol)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize(("dtype", "scale"), SCALES)
def test_codes_and_samples_have_the_scale_of_the_data(dtype, scale, whiten):
    rows = (X * scale).astype(dtype)
    fitted = AutoencoderTransformer(2, hidden_layer_sizes=(), whiten=whiten).fit(rows)
    pca = PCA(2, whiten=whiten).fit(X)
    codes = fitted.transform(rows) / (1 if whiten else scale)
    np.testing.assert_allclose(codes, pca.transform(X), rtol=1e-4, atol=1e-4)
    sampled = fitted.sample(4000, random_state=0) / scale
    covariance = pca.components_.T * pca.singular_values_**2 / 299 @ pca.components_
    np.testing.assert_allclose(np.cov(sampled.T), covariance, atol=2.0)
    # Squares of these values are far below the smallest float32.
    np.testing.assert_allclose(
        fitted.singular_values_ / scale, pca.singular_values_, rtol=1e-4
    )


@pytest.mark.parametrize("scale", [1e-170, 1e-39, 1e-31, 1e31, 1e36])
@pytest.mark.parametrize(
    "estimator",
    [
        small_network(hidden_layer_sizes=(8,), max_iter=2),
        small_network(hidden_layer_sizes=(8,), max_iter=2, skip_connections=None),
        images(3, image_shape=(5, 1)),
    ],
    ids=["dense", "without skip connections", "images"],
)
def test_a_network_refuses_units_that_float32_cannot_divide_by(estimator, scale):
    message = r"Input X has a standard deviation of .* Rescale the data first"
    with pytest.raises(ValueError, match=message):
        estimator.fit(X * scale)
    assert not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float64, 1e-170), (np.float64, 1e-310), (np.float32, 1e-20)],
)
def test_pca_refuses_units_whose_squares_are_zero(dtype, scale, form):
    rows = form((X * scale).astype(dtype))
    with pytest.raises(ValueError, match="Input X has a standard deviation of"):
        AutoencoderTransformer(2, hidden_layer_sizes=()).fit(rows)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (8,)])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("scale", [1e20, 6e36])
def test_variances_beyond_float32_are_refused(scale, form, hidden_layer_sizes):
    rows = (X * scale).astype(np.float32)
    assert np.isfinite(rows).all()
    model = small_network(hidden_layer_sizes=hidden_layer_sizes)
    with pytest.raises(ValueError, match="Input X has a standard deviation of"):
        model.fit(form(rows))
    # Later batches may be at another scale.
    first = X.astype(np.float32)
    batches = small_network(hidden_layer_sizes=()).partial_fit(form(first))
    before = vars(batches).copy()
    with pytest.raises(ValueError, match="Input X has a standard deviation of"):
        batches.partial_fit(form(rows))
    assert vars(batches) == before


@pytest.mark.parametrize("scale", [1e-29, 1e29])
def test_a_network_does_not_depend_on_the_units(scale):
    fitted = [
        small_network(hidden_layer_sizes=(8,), max_iter=3, skip_connections=None).fit(
            X * factor
        )
        for factor in (1, scale)
    ]
    one, other = fitted
    codes = other.transform(X * scale) / scale
    np.testing.assert_allclose(codes, one.transform(X), rtol=1e-3, atol=1e-3)
    assert other.score(X * scale) == pytest.approx(one.score(X), abs=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1, 1e3), (1e-12, 0), (1e12, 1)])
def test_sparse_variances_are_those_of_the_array(scale, shift, dtype):
    stored = np.random.default_rng(1).random(X.shape) < 0.3
    rows = X * stored * scale + shift
    some = sparse.csr_array(rows, dtype=dtype)
    expected = some.toarray().astype(np.float64)
    np.testing.assert_allclose(variances(some), expected.var(axis=0), rtol=1e-9)
    found = Scaling.fit(some)
    np.testing.assert_allclose(found.mean, expected.mean(axis=0))
    assert found.scale == pytest.approx(np.sqrt(expected.var(axis=0).mean()))


def test_a_sparse_matrix_is_measured_without_a_copy(monkeypatch):
    monkeypatch.setattr(_scaling, "_STORED", 2**12)
    rows = np.random.default_rng(0).uniform(-1, 1, size=(4000, 500))
    rows = sparse.csr_array(np.maximum(rows, 0))
    for dtype in (np.float32, np.float64):
        some = rows.astype(dtype)
        tracemalloc.start()
        variances(some)
        Scaling.fit(some)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < some.data.nbytes / 4


@pytest.mark.parametrize("shift", [0, 1e6])
def test_moments_of_parts_are_merged_to_those_of_all_rows(shift):
    rows = X + shift
    moments = Moments.zero(5)
    for part in np.split(rows, [7, 7, 8, 100]):
        moments = moments.merged(Moments.of(part))
    assert moments.count == 300
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0))
    scatter = 299 * np.cov(rows.T)
    np.testing.assert_allclose(moments.scatter, scatter, atol=1e-9 * scatter.max())
    found = Scaling.of_moments(moments)
    assert found.scale == pytest.approx(np.sqrt(rows.var(axis=0).mean()))


@pytest.mark.parametrize("scale", [1e-200, 1, 1e200])
def test_observed_values_are_measured_without_the_missing_ones(scale):
    observed = np.random.default_rng(1).random(X.shape) < 0.7
    observed[:, 4] = False
    found = Scaling.of_observed(np.where(observed, X * scale, np.nan), observed)
    known = np.where(observed, X, np.nan)[:, :4]
    mean, variance = np.nanmean(known, axis=0), np.nanvar(known, axis=0)
    # A feature without any value counts as constant.
    np.testing.assert_allclose(found.mean / scale, [*mean, 0])
    assert found.scale / scale == pytest.approx(np.sqrt(variance.sum() / 5))
