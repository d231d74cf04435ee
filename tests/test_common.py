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

SMALL = {"max_iter": 10, "hidden_layer_sizes": (16,)}
CONFIGURATIONS = [
    AutoencoderTransformer(),
    AutoencoderTransformer(skip_connections="dense", corruption="gaussian", **SMALL),
    AutoencoderTransformer(skip_connections=None, whiten=True, **SMALL),
    AutoencoderTransformer(n_components=0.9, **SMALL),
    AutoencoderTransformer(hidden_layer_sizes=()),
    ConvolutionalAutoencoderTransformer(max_iter=10),
    VariationalAutoencoderTransformer(max_iter=10),
    VariationalAutoencoderTransformer(image_shape="auto", **SMALL),
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


@pytest.mark.parametrize(
    "estimator", [one for one in CONFIGURATIONS if one.hidden_layer_sizes], ids=repr
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_are_independent(estimator, dtype, curve):
    # The checks above fit a few dozen rows, where PCA is often kept. Here every
    # configuration has a network, of layers wide enough for each kernel of a product.
    fitted = clone(estimator).set_params(
        random_state=0, max_iter=60, learning_rate=0.006, hidden_layer_sizes=(64, 16)
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

    def both(selected):
        return fitted.transform(X[selected]), fitted.inverse_transform(codes[selected])

    rounding = dict(rtol=1e-5, atol=1e-6)
    # What is compiled adds up alike in all rows, but for the smaller block of few.
    compiled = estimator.get_params().get("image_shape") is not None
    many = dict(rtol=0, atol=0) if compiled else rounding
    sizes = {1: rounding, 7: rounding, 100: many, 2047: many, 2049: many}
    cases = [(slice(-size, None), tolerance) for size, tolerance in sizes.items()]
    for selected, tolerance in [(order, many), *cases]:
        for found, expected in zip(both(selected), (codes, rows), strict=True):
            np.testing.assert_allclose(found, expected[selected], **tolerance)
    # On few rows, as those who compare them by hand have, more is promised.
    few, shuffled = both(slice(None, 100)), np.random.default_rng(1).permutation(100)
    exact = dict(rtol=1e-12, atol=1e-13) if dtype == np.float64 else rounding
    for found, expected in zip(both(shuffled), few, strict=True):
        np.testing.assert_allclose(found, expected[shuffled], **exact)
