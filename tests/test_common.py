"""scikit-learn's estimator checks pass without expected failures."""

import os

import numpy as np
import pytest
from conftest import images
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector
from skae.tables import TableEncoder

ON_JAX = os.environ["KERAS_BACKEND"] == "jax"

# Nearly all the time goes into compilation: the checks have fourteen data shapes, and
# a network needs three programs for each. So networks are small.
SMALL = {"max_iter": 1, "hidden_layer_sizes": (4,)}
SMALL_IMAGES = {"max_iter": 1, "hidden_layer_sizes": (), "filters": 2}
QUICK = [
    TableEncoder(),
    AutoencoderTransformer(**SMALL),
    AutoencoderTransformer(0.9, hidden_layer_sizes=()),
    AutoencoderTransformer(hidden_layer_sizes=(), whiten=True, target_weight=0.5),
    AutoencoderOutlierDetector(AutoencoderTransformer(0.9, hidden_layer_sizes=())),
    AutoencoderImputer(1, max_iter=0, add_indicator=True, keep_empty_features=True),
]
MORE = [
    images(**SMALL_IMAGES),
    VariationalAutoencoderTransformer(**SMALL),
    AutoencoderImputer(**SMALL),
]
EXPECTED_FAILURES: dict[str, str] = {}


@pytest.fixture(scope="module")
def quick_compilation():
    """Let XLA optimise less. Checks take two thirds of the time then."""
    if not ON_JAX:
        yield
        return
    import jax

    name = "jax_disable_most_optimizations"
    before = jax.config.read(name)
    jax.config.update(name, True)
    yield
    jax.config.update(name, before)


@parametrize_with_checks(
    QUICK, expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
def test_estimator_checks(estimator, check, quick_compilation):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    MORE, expected_failed_checks=lambda estimator: EXPECTED_FAILURES
)
def test_estimator_checks_of_more(estimator, check, quick_compilation):
    check(estimator)


def fit_linear(X, codes):
    """Return the linear function of X that is closest to the codes."""
    design = np.column_stack([X, np.ones(len(X))])
    return design @ np.linalg.lstsq(design, codes, rcond=None)[0]


@pytest.mark.parametrize(
    "estimator",
    [
        AutoencoderTransformer(),
        AutoencoderTransformer(skip_connections="dense"),
        AutoencoderTransformer(skip_connections=None, whiten=True),
        pytest.param(images(filters=4), marks=pytest.mark.slow),
    ],
    ids=repr,
)
def test_the_result_of_a_row_does_not_depend_on_the_other_rows(estimator, curve):
    # scikit-learn's checks fit a few dozen rows, and PCA is often kept. Here a network
    # is kept. Its layers are so wide that matrix products use different kernels for
    # different numbers of rows.
    fitted = clone(estimator).set_params(
        n_components=1,
        hidden_layer_sizes=(64, 16),
        max_iter=10,
        learning_rate=0.01,
        early_stopping=False,
        random_state=0,
    )
    X = np.tile(curve, (6, 1))
    fitted.fit(X[: len(X) // 2])
    assert fitted.selected_model_ == "network"
    codes = fitted.transform(X)
    assert np.ptp(codes - fit_linear(X, codes)) > 1e-3
    is_compiled = estimator.image_shape is not None
    for dtype in (np.float64, np.float32):
        check_rows_and_blocks(fitted, X.astype(dtype), is_compiled)


def check_rows_and_blocks(fitted, X, is_compiled):
    codes = fitted.transform(X)
    rows = fitted.inverse_transform(codes)
    assert codes.dtype == rows.dtype == X.dtype
    order = np.random.default_rng(0).permutation(len(X))

    def codes_and_rows(selected):
        return fitted.transform(X[selected]), fitted.inverse_transform(codes[selected])

    rounding = dict(rtol=1e-5, atol=1e-6)
    # Compiled inference adds up in the same order in every row of a block. Up to 128
    # rows are computed by NumPy, and the smaller block has another order.
    many = dict(rtol=0, atol=0) if is_compiled else rounding
    sizes = {1: rounding, 7: rounding, 100: rounding, 2047: many, 2049: many}
    cases = [(slice(-size, None), tolerance) for size, tolerance in sizes.items()]
    for selected, tolerance in [(order, many), *cases]:
        for found, expected in zip(
            codes_and_rows(selected), (codes, rows), strict=True
        ):
            np.testing.assert_allclose(found, expected[selected], **tolerance)
    # NumPy computes up to 128 rows in float64, so these agree more closely.
    few = codes_and_rows(slice(None, 100))
    shuffled = np.random.default_rng(1).permutation(100)
    exact = dict(rtol=1e-12, atol=1e-13) if X.dtype == np.float64 else rounding
    for found, expected in zip(codes_and_rows(shuffled), few, strict=True):
        np.testing.assert_allclose(found, expected[shuffled], **exact)
