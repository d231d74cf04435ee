"""ONNX graphs, computed by ONNX Runtime, against the estimators they are made from."""

import copy
import doctest
import functools
from dataclasses import replace

import joblib
import numpy as np
import pytest
from conftest import images, run
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae._networks import CustomLayers
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

onnx = pytest.importorskip("onnx", reason="skae[onnx] is not installed")
runtime = pytest.importorskip("onnxruntime", reason="skae[onnx] is not installed")
skl2onnx = pytest.importorskip("skl2onnx", reason="skae[onnx] is not installed")

from skl2onnx.common.exceptions import MissingShapeCalculator  # noqa: E402

from skae.onnx import register_converters  # noqa: E402

SHORT = dict(max_iter=3, early_stopping=False, random_state=0)
ESTIMATORS = {
    "dense": AutoencoderTransformer(6, hidden_layer_sizes=(32, 16), **SHORT),
    "whitened": AutoencoderTransformer(
        6, hidden_layer_sizes=(32, 16), whiten=True, **SHORT
    ),
    "skips": AutoencoderTransformer(
        6, hidden_layer_sizes=(32, 16), skip_connections="dense", **SHORT
    ),
    "textbook": AutoencoderTransformer(
        6, hidden_layer_sizes=(32, 16), skip_connections=None, **SHORT
    ),
    "PCA": AutoencoderTransformer(6, hidden_layer_sizes=(), whiten=True),
    "principal covariates": AutoencoderTransformer(
        6, hidden_layer_sizes=(), target_weight=0.5
    ),
    "images": images(
        4, filters=8, hidden_layer_sizes=(16,), **{**SHORT, "max_iter": 8}
    ),
    "uneven windows": images(
        4,
        image_shape=(4, 8, 2),
        filters=(4, 3),
        kernel_size=(4, 2),
        strides=(3, 1),
        hidden_layer_sizes=(),
        skip_connections=None,
        target_weight=0.3,
        **SHORT,
    ),
    "bernoulli": VariationalAutoencoderTransformer(
        4, likelihood="bernoulli", hidden_layer_sizes=(32,), **SHORT
    ),
    "variational images": VariationalAutoencoderTransformer(
        4, image_shape="auto", filters=4, hidden_layer_sizes=(16,), **SHORT
    ),
}


def with_activation(spec, activation):
    return replace(
        spec,
        encoder=replace(spec.encoder, activation=activation),
        decoder=replace(spec.decoder, activation=activation),
    )


DERIVED = {
    "gelu": lambda spec: with_activation(spec, "gelu"),
    "silu": lambda spec: with_activation(spec, "silu"),
    "sigmoid outputs": lambda spec: replace(spec, output_activation="sigmoid"),
    "mish": lambda spec: with_activation(spec, "mish"),
    "custom": lambda spec: replace(spec, encoder=CustomLayers(print)),
}
"""Networks with the weights of "textbook" and other layers."""

LINEAR = "PCA", "principal covariates"


@pytest.fixture(scope="module", autouse=True)
def registered():
    register_converters()


@pytest.fixture(scope="module")
def pixels():
    """Return images with values from 0 to 1, and their digits."""
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@functools.cache
def fitted_as(name):
    """Return one of the estimators, fitted to the first images."""
    if name in DERIVED:
        estimator = copy.deepcopy(fitted_as("textbook"))
        model = estimator._model
        estimator._model = replace(model, spec=DERIVED[name](model.spec))
        return estimator
    X, y = load_digits(return_X_y=True)
    labels = {"y": y[:1200]} if getattr(ESTIMATORS[name], "target_weight", 0) else {}
    estimator = clone(ESTIMATORS[name]).fit(X[:1200] / 16, **labels)
    assert estimator.selected_model_ == ("linear" if name in LINEAR else "network")
    return estimator


SLOW = "images", "uneven windows", "variational images"
EACH = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in [*ESTIMATORS, "gelu", "silu", "sigmoid outputs"]
]


@pytest.fixture(scope="module", params=EACH)
def fitted(request):
    return fitted_as(request.param)


def session(estimator, rows, **options):
    """Return a function that computes an estimator by ONNX Runtime."""
    model = skl2onnx.to_onnx(estimator, rows[:1], **options)
    onnx.checker.check_model(model, full_check=True)
    found = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (given,) = found.get_inputs()
    return lambda X: found.run(None, {given.name: X})


def with_distant_rows(X):
    """Return rows like the training rows, and rows far outside them."""
    new = X[1200:1260]
    return np.concatenate([new, new[:20] * 3, new[:10] * -1e3, new[:10] * 1e6])


def largest_error(found, expected):
    """Return the largest distance, as a fraction of a row's largest value."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    largest = np.abs(expected).max(axis=1, keepdims=True)
    return (np.abs(found - expected) / largest).max()


@pytest.mark.parametrize("method", ["transform", "reconstruct", "inverse_transform"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 2e-6)]
)
def test_the_graph_computes_what_the_estimator_does(
    fitted, pixels, method, dtype, tolerance
):
    if getattr(fitted, "filters", None) is not None:
        # ONNX Runtime has no convolution in float64.
        tolerance = 1e-5
    values = with_distant_rows(pixels[0]).astype(dtype)
    if method == "inverse_transform":
        values = fitted.transform(values)
    options = {id(fitted): {"method": method}}
    compute = session(fitted, values, options=options)
    assert len(values) == 100
    for some in (values, values[:1], values[-1:]):
        expected = getattr(fitted, method)(some)
        assert largest_error(compute(some)[0], expected) < tolerance


def test_in_float64_dense_networks_agree_to_rounding_errors_of_float64(pixels):
    X = pixels[0]
    estimator = fitted_as("textbook")
    compute = session(estimator, X)
    expected = estimator.transform(X[1200:1300])
    assert largest_error(compute(X[1200:1300])[0], expected) < 1e-12


@pytest.mark.slow
def test_data_far_from_the_origin(pixels):
    """The mean is 1e4 times the scale, so that float32 loses digits."""
    X = pixels[0] + 1e4
    estimator = AutoencoderTransformer(4, hidden_layer_sizes=(16,), **SHORT).fit(X)
    rows = X[:100].astype(np.float32)
    options = {id(estimator): {"method": "reconstruct"}}
    for dtype in (np.float32, np.float64):
        some = rows.astype(dtype)
        found = session(estimator, some)(some)[0]
        assert largest_error(found, estimator.transform(some)) < 1e-5
        found = session(estimator, some, options=options)(some)[0]
        assert largest_error(found, estimator.reconstruct(some)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("opset", [13, 15, 18, 21])
def test_older_operator_sets(pixels, opset):
    X = pixels[0].astype(np.float32)
    for name in ("dense", "images"):
        estimator = fitted_as(name)
        found = session(estimator, X, target_opset=opset)(X[1200:1300])[0]
        assert largest_error(found, estimator.transform(X[1200:1300])) < 1e-5


@pytest.mark.parametrize(
    "name", ["dense", "PCA", pytest.param("images", marks=pytest.mark.slow)]
)
def test_a_pipeline_predicts_the_same_labels(name):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, _ = train_test_split(
        X, y, train_size=1200, random_state=0
    )
    pipeline = make_pipeline(
        StandardScaler(), clone(ESTIMATORS[name]), LogisticRegression(max_iter=2000)
    ).fit(X_train, y_train)
    for dtype in (np.float32, np.float64):
        rows = X_test.astype(dtype)
        compute = session(pipeline, rows, options={"zipmap": False})
        for some in (rows, rows[:1]):
            labels, probabilities = compute(some)
            np.testing.assert_array_equal(labels, pipeline.predict(some))
            expected = pipeline.predict_proba(some)
            np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_an_imputer_with_a_converter_fills_in_missing_values(pixels):
    X = pixels[0][:300].astype(np.float32)
    X[np.random.default_rng(0).uniform(size=X.shape) < 0.1] = np.nan
    pipeline = make_pipeline(
        SimpleImputer(), AutoencoderTransformer(4, hidden_layer_sizes=())
    ).fit(X)
    found = session(pipeline, X)(X)[0]
    np.testing.assert_allclose(found, pipeline.transform(X), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool_])
def test_integers_are_computed_in_float32(dtype, pixels):
    counts = np.rint(pixels[0] * 16).astype(dtype)
    estimator = AutoencoderTransformer(4, hidden_layer_sizes=(16,), **SHORT)
    estimator.fit(counts)
    found = session(estimator, counts)(counts)[0]
    assert found.dtype == np.float32
    expected = estimator.transform(counts.astype(np.float32))
    assert largest_error(found, expected) < 1e-5


def test_values_that_are_not_finite_do_not_get_finite_codes(pixels):
    estimator = fitted_as("dense")
    rows = pixels[0][:2].astype(np.float32)
    rows[0, 3] = np.nan
    codes = session(estimator, rows)(rows)[0]
    assert np.isnan(codes[0]).all()
    assert np.isfinite(codes[1]).all()


@pytest.fixture(
    scope="module",
    params=[(1.0, "combined"), (0.5, "combined"), (0.5, "likelihood")],
    ids=str,
)
def detector(request, pixels):
    X, y = pixels
    bandwidth, method = request.param
    sizes = (16,) if bandwidth == 1 else ()
    autoencoder = AutoencoderTransformer(4, hidden_layer_sizes=sizes, max_iter=3)
    found = AutoencoderOutlierDetector(
        autoencoder, method=method, bandwidth=bandwidth, random_state=0
    )
    return found.fit(X[y < 5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("opset", [15, 18])
def test_a_detector_of_outliers(detector, pixels, dtype, opset):
    rows = pixels[0][:300].astype(dtype)
    compute = session(detector, rows, target_opset={"": opset, "ai.onnx.ml": 1})
    for some in (rows, rows[:1]):
        labels, scores = compute(some)
        np.testing.assert_array_equal(labels[:, 0], detector.predict(some))
        expected = detector.decision_function(some)
        np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-5, atol=1e-4)
    assert set(detector.predict(rows)) == {-1, 1}


def test_a_detector_with_a_variational_autoencoder_is_refused(pixels):
    autoencoder = AutoencoderTransformer(4, hidden_layer_sizes=())
    detector = AutoencoderOutlierDetector(autoencoder, bandwidth=1.0, random_state=0)
    detector.fit(pixels[0][:200]).estimator_ = fitted_as("bernoulli")
    with pytest.raises(NotImplementedError, match="VariationalAutoencoderTransformer"):
        skl2onnx.to_onnx(detector, pixels[0][:1])


def test_an_imputer_has_no_converter(pixels):
    rows = np.where(pixels[0][:50, :4] > 0.5, np.nan, pixels[0][:50, :4] + 1)
    imputer = AutoencoderImputer(1, max_iter=0).fit(rows)
    with pytest.raises(MissingShapeCalculator, match="AutoencoderImputer"):
        skl2onnx.to_onnx(imputer, rows[:1])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("custom", r"encoder_\.export\(.*'onnx'"),
        ("mish", "'mish'.*'leaky_relu'"),
    ],
)
def test_layers_without_a_converter_are_refused(name, message, pixels):
    with pytest.raises(NotImplementedError, match=message):
        skl2onnx.to_onnx(fitted_as(name), pixels[0][:1])


def test_wrong_widths_and_estimators_that_are_not_fitted(pixels):
    X = pixels[0]
    with pytest.raises(NotFittedError):
        skl2onnx.to_onnx(AutoencoderTransformer(), X[:1])
    fitted = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
    with pytest.raises(ValueError, match="must have 64 columns. Got 5"):
        skl2onnx.to_onnx(fitted, X[:1, :5])


@pytest.mark.slow
def test_import_registers_nothing_and_conversion_needs_neither_keras_nor_a_backend(
    tmp_path,
):
    path = tmp_path / "fitted.joblib"
    joblib.dump(fitted_as("images"), path)
    code = f"""
import sys, skae, skae.outliers
assert "skl2onnx" not in sys.modules
import joblib, numpy as np, skae.onnx, skl2onnx
from skl2onnx.common.exceptions import MissingShapeCalculator
fitted, row = joblib.load({str(path)!r}), np.zeros((1, 64), np.float32)
try:
    skl2onnx.to_onnx(fitted, row)
except MissingShapeCalculator:
    pass
else:
    raise AssertionError("a converter was registered")
skae.onnx.register_converters()
skl2onnx.to_onnx(fitted, row)
assert not {{"keras", "jax", "tensorflow", "torch"}} & sys.modules.keys()
"""
    result = run(code)
    assert result.returncode == 0, result.stderr


def test_the_example_in_the_docstring_runs():
    (example,) = doctest.DocTestFinder().find(
        register_converters, "register_converters"
    )
    runner = doctest.DocTestRunner()
    assert runner.run(example) == (0, len(example.examples))
