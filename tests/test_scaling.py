"""Rows are centred and divided by one global scale."""

import numpy as np
import pytest
from conftest import small_network

from skae import AutoencoderTransformer
from skae._data import Scaling

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
