"""scikit-learn's own checks, with no exception listed."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)

CONFIGURATIONS = [
    AutoencoderTransformer(),
    AutoencoderTransformer(
        skip_connections="dense", corruption="gaussian", max_iter=10
    ),
    AutoencoderTransformer(skip_connections=None, whiten=True, max_iter=10),
    AutoencoderTransformer(n_components=0.9, max_iter=10),
    ConvolutionalAutoencoderTransformer(max_iter=10),
    VariationalAutoencoderTransformer(max_iter=10),
    VariationalAutoencoderTransformer(image_shape="auto", max_iter=10),
]
EXPECTED_FAILURES: dict[str, str] = {}


@parametrize_with_checks(
    CONFIGURATIONS, expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
def test_estimator_checks(estimator, check):
    check(estimator)


def fit_linear(X, codes):
    design = np.column_stack([X, np.ones(len(X))])
    return design @ np.linalg.lstsq(design, codes, rcond=None)[0]


@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_are_independent_bit_for_bit(estimator, dtype, curve):
    # The checks above fit a few dozen rows, where PCA is often kept. Here every
    # configuration has a network, and the results have to be equal, not close.
    fitted = clone(estimator).set_params(
        random_state=0, max_iter=60, learning_rate=0.006, hidden_layer_sizes=(64,)
    )
    if isinstance(fitted.n_components, int):
        fitted.set_params(n_components=1)
    X = np.tile(curve, (6, 1)).astype(dtype)
    fitted.fit(X)
    codes = fitted.transform(X)
    rows = fitted.inverse_transform(codes)
    assert codes.dtype == rows.dtype == dtype
    assert fitted.n_iter_ > 0
    assert not np.ptp(codes - fit_linear(X, codes)) < 1e-3  # a network, not PCA
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(fitted.transform(X[order]), codes[order])
    np.testing.assert_array_equal(fitted.inverse_transform(codes[order]), rows[order])
    for size in (100, 2047, 2049):
        np.testing.assert_array_equal(fitted.transform(X[-size:]), codes[-size:])
        np.testing.assert_array_equal(
            fitted.inverse_transform(codes[-size:]), rows[-size:]
        )
    # Few rows are products of another shape, which add up in another order.
    for size in (1, 7):
        few, back = fitted.transform(X[-size:]), fitted.inverse_transform(codes[-size:])
        np.testing.assert_allclose(few, codes[-size:], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(back, rows[-size:], rtol=1e-5, atol=1e-6)
