"""scikit-learn's estimator checks pass without expected failures."""

import os

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

SMALL = {"max_iter": 10, "hidden_layer_sizes": (16,)}
OF_EACH_NETWORK = [
    AutoencoderTransformer(),
    ConvolutionalAutoencoderTransformer(max_iter=10),
    VariationalAutoencoderTransformer(max_iter=10),
]
MORE = [
    AutoencoderTransformer(skip_connections="dense", corruption="gaussian", **SMALL),
    AutoencoderTransformer(skip_connections=None, whiten=True, **SMALL),
    AutoencoderTransformer(n_components=0.9, **SMALL),
    AutoencoderTransformer(hidden_layer_sizes=()),
    AutoencoderTransformer(target_weight=0.5, **SMALL),
    ConvolutionalAutoencoderTransformer(target_weight=0.5, **SMALL),
    VariationalAutoencoderTransformer(image_shape="auto", **SMALL),
]
OTHERS = [
    AutoencoderOutlierDetector(AutoencoderTransformer(0.9, **SMALL)),
    AutoencoderImputer(**SMALL),
    AutoencoderImputer(1, max_iter=0, add_indicator=True, keep_empty_features=True),
]
if os.environ["KERAS_BACKEND"] != "jax":
    # These differ in what NumPy computes, or in the step that all backends share.
    MORE = OTHERS = []
CONFIGURATIONS = OF_EACH_NETWORK + MORE
EXPECTED_FAILURES: dict[str, str] = {}


@parametrize_with_checks(
    CONFIGURATIONS + OTHERS,
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_estimator_checks(estimator, check):
    check(estimator)


def fit_linear(X, codes):
    """Return the linear function of X that is closest to the codes."""
    design = np.column_stack([X, np.ones(len(X))])
    return design @ np.linalg.lstsq(design, codes, rcond=None)[0]


@pytest.mark.parametrize(
    "estimator", [one for one in CONFIGURATIONS if one.hidden_layer_sizes], ids=repr
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_result_of_a_row_does_not_depend_on_the_other_rows(estimator, dtype, curve):
    # scikit-learn's checks fit a few dozen rows, and PCA is often kept. Here every
    # configuration keeps a network. Its layers are so wide that matrix products use
    # different kernels for different numbers of rows.
    fitted = clone(estimator).set_params(
        random_state=0, max_iter=10, learning_rate=0.01, hidden_layer_sizes=(64, 16)
    )
    if isinstance(fitted.n_components, int):
        fitted.set_params(n_components=1)
    X = np.tile(curve, (6, 1)).astype(dtype)
    some = X[: len(X) // 2]
    fitted.fit(some, (some[:, 0] > 0).astype(int))
    codes = fitted.transform(X)
    rows = fitted.inverse_transform(codes)
    assert codes.dtype == rows.dtype == dtype
    assert fitted.n_iter_ > 0
    assert not np.ptp(codes - fit_linear(X, codes)) < 1e-3  # a network, not PCA
    order = np.random.default_rng(0).permutation(len(X))

    def codes_and_rows(selected):
        return fitted.transform(X[selected]), fitted.inverse_transform(codes[selected])

    rounding = dict(rtol=1e-5, atol=1e-6)
    # Compiled inference adds up in the same order in every row of a block. Up to 128
    # rows are computed by NumPy, and the smaller block has another order.
    compiled = estimator.get_params().get("image_shape") is not None
    many = dict(rtol=0, atol=0) if compiled else rounding
    sizes = {1: rounding, 7: rounding, 100: rounding, 2047: many, 2049: many}
    cases = [(slice(-size, None), tolerance) for size, tolerance in sizes.items()]
    for selected, tolerance in [(order, many), *cases]:
        for found, expected in zip(
            codes_and_rows(selected), (codes, rows), strict=True
        ):
            np.testing.assert_allclose(found, expected[selected], **tolerance)
    # NumPy computes up to 128 rows in float64, so these agree more closely.
    few, shuffled = (
        codes_and_rows(slice(None, 100)),
        np.random.default_rng(1).permutation(100),
    )
    exact = dict(rtol=1e-12, atol=1e-13) if dtype == np.float64 else rounding
    for found, expected in zip(codes_and_rows(shuffled), few, strict=True):
        np.testing.assert_allclose(found, expected[shuffled], **exact)
