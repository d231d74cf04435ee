"""Invalid input raises scikit-learn's error messages before any training."""

import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import small_network
from scipy import sparse
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.outliers import AutoencoderOutlierDetector


def fail_if_training_starts(*args, **kwargs):
    raise AssertionError("training was reached")


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    import skae._training._trainer

    monkeypatch.setattr(skae._training._trainer, "train", fail_if_training_starts)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


def with_value(value, dtype=np.float64):
    X = normal(30, 64).astype(dtype)
    X[3, 1] = value
    return X


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (with_value(np.inf), "Input X contains infinity"),
        (with_value(-np.inf, np.float32), "Input X contains infinity"),
        (with_value(1e39), "a value too large for dtype\\('float32'\\)"),
        (with_value(-1e39), "a value too large for dtype\\('float32'\\)"),
        ([["a", "b"], ["c", "d"]], "could not convert string to float"),
        (normal(30), "Expected 2D array, got 1D array instead"),
        (normal(3, 4, 5), "Found array with dim 3"),
        (np.empty((0, 4)), "Found array with 0 sample\\(s\\)"),
        (np.empty((4, 0)), "0 feature\\(s\\)"),
        (normal(30, 4) + 1j, "Complex data not supported"),
    ],
)
def test_invalid_rows_raise(X, message, network):
    with pytest.raises(ValueError, match=message):
        AutoencoderTransformer().fit(X)
    for method in (network.transform, network.score, network.reconstruct):
        with pytest.raises(ValueError, match=message):
            method(X)
    with pytest.raises(ValueError, match=message):
        network.inverse_transform(X)


TOO_LARGE = r"Input X contains values too large for dtype\('float32'\): what"
KINDS = {
    "pca": dict(hidden_layer_sizes=()),
    "whitened": dict(hidden_layer_sizes=(), whiten=True),
    "network": dict(),
    "compiled": dict(activation="gelu", max_iter=5, early_stopping=False),
}


@pytest.fixture(scope="module", params=KINDS)
def fitted(request, network, digits):
    """Return an estimator of each kind of inference."""
    if request.param == "network":
        return network
    estimator = small_network(**KINDS[request.param]).fit(digits)
    is_linear = estimator.hidden_layer_sizes == ()
    assert estimator.selected_model_ == ("linear" if is_linear else "network")
    return estimator


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    "method", ["transform", "reconstruct", "score", "score_samples"]
)
def test_rows_whose_codes_exceed_float32_are_refused(method, form, fitted):
    # 64 values add up to a code that is several times as large.
    rows = np.sign(fitted.components_[:1]).repeat(5, axis=0) * np.float32(3e38)
    with pytest.raises(ValueError, match=TOO_LARGE):
        getattr(fitted, method)(form(rows.astype(np.float32)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_codes_are_decoded(dtype, fitted):
    # So far from the data every model is linear.
    codes = np.array([[1, 1, 1], [1, -1, 1], [-1, 1, 1]], dtype)
    expected = fitted.inverse_transform(codes * dtype(1e30))
    found = fitted.inverse_transform(codes * dtype(1e37))
    np.testing.assert_allclose(
        found, expected * 1e7, rtol=1e-3, atol=1e-5 * np.abs(found).max()
    )


def test_codes_whose_rows_exceed_float32_are_refused():
    t = np.linspace(-1, 1, 40)[:, None]
    X = np.hstack([t, t + 0.1 * np.sin(9 * t)])
    pca = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
    # The axes lie half-way between the features, so a row is longer than its codes.
    codes = np.array([[3e38, 3e38], [3e38, -3e38]])
    with pytest.raises(ValueError, match=TOO_LARGE):
        pca.inverse_transform(codes.astype(np.float32))
    np.testing.assert_allclose(
        pca.inverse_transform(codes), codes @ pca.components_ + pca.mean_
    )


@pytest.mark.parametrize(
    ("shape", "flatten", "image_shape"),
    [
        ((20, 5, 6), "X.reshape(len(X), -1)", (5, 6)),
        ((20, 5, 6, 3), "X.reshape(len(X), -1)", (5, 6, 3)),
        ((20, 3, 5, 6), "numpy.moveaxis(X, 1, -1).reshape(len(X), -1)", (5, 6, 3)),
    ],
)
def test_the_error_for_images_says_how_to_flatten_them(shape, flatten, image_shape):
    X = normal(20, int(np.prod(shape[1:]))).reshape(shape)
    with pytest.raises(ValueError, match="Found array with dim") as error:
        AutoencoderTransformer().fit(X)
    assert f"image_shape={image_shape} to AutoencoderTransformer" in str(error.value)
    assert f"Flatten images by {flatten}." in str(error.value)
    # The advice works: a pixel is where image_shape expects it.
    flat = eval(flatten, {"X": X, "numpy": np})
    last = np.moveaxis(X, 1, -1) if shape[1] == 3 else X
    np.testing.assert_array_equal(flat.reshape(20, *image_shape), last)
    with pytest.raises(ValueError, match=r"image_shape=\(.* to Variational"):
        VariationalAutoencoderTransformer().fit(X)
    with pytest.raises(ValueError, match="X_clean has shape .* Flatten"):
        AutoencoderTransformer().fit(flat, X_clean=X)


def test_a_wrong_number_of_columns_raises(network):
    with pytest.raises(
        ValueError, match="X has 4 features, but AutoencoderTransformer"
    ):
        network.transform(normal(3, 4))
    with pytest.raises(ValueError, match=r"inverse_transform is expecting 3 features"):
        network.inverse_transform(normal(3, 4))


@pytest.mark.parametrize(
    "method",
    ["transform", "inverse_transform", "reconstruct", "score", "score_samples"],
)
def test_an_unfitted_estimator_raises(method):
    with pytest.raises(ValueError, match="is not fitted yet"):
        getattr(AutoencoderTransformer(), method)(normal(3, 4))
    with pytest.raises(ValueError, match="is not fitted yet"):
        _ = AutoencoderTransformer().encoder_


INVALID = {
    "n_components": [0, -1, 1.5, 0.0, 1.0, "2", "mle"],
    "image_shape": ["square", 4, (2, 3), (4,), (1, 2, 2, 1), (0, 4)],
    "filters": [0, -1, 2.5, "8", None],
    "kernel_size": [0, -1, 2.5, "auto"],
    "strides": [0, -1, 2.5, "auto"],
    "hidden_layer_sizes": [(0,), (3, -1), (2.5,), ("8",), "8", None, [[8]], True],
    "activation": ["rellu", 3, None, "glu"],
    "skip_connections": ["residual", True, 1],
    "encoder": ["mlp", 3],
    "decoder": ["mlp", 3],
    "output_activation": ["sigmoyd", 3],
    "whiten": ["yes", 2],
    "loss": ["mean_square", 3, None],
    "optimizer": ["adamm", 3, None],
    "learning_rate": [0, -1e-3, "fast", np.inf, np.nan],
    "batch_size": [0, -5, 2.5, "all"],
    "max_iter": [0, -1, 2.5, "all", None],
    "alpha": [-1e-3, "none", np.nan],
    "dropout": [-0.1, 1, 1.5, "half"],
    "corruption": ["blur", True],
    "corruption_level": [-0.1, "high", None],
    "sparsity": [-1, "high"],
    "contraction": [-1, "high"],
    "target_weight": [-0.1, 1, "half"],
    "density": ["normal", 3],
    "early_stopping": ["auto", None],
    "validation_fraction": [0, 1, -0.2, 1.5],
    "n_iter_no_change": [0, -1, 2.5],
    "tol": [-1, "none"],
    "warm_start": ["yes", 3],
    "random_state": ["seed", -1, 1.5],
    "verbose": ["loud", -1],
}


@pytest.mark.parametrize(("name", "values"), INVALID.items())
def test_invalid_parameters_raise(name, values):
    # Those of convolutions count only if rows are images.
    others = (
        {"image_shape": (2, 2)} if name in ("filters", "kernel_size", "strides") else {}
    )
    for value in values:
        with pytest.raises(ValueError, match=name) as error:
            AutoencoderTransformer(**{**others, name: value}).fit(normal(30, 4))
        assert repr(value) in str(error.value) or name == "random_state"


def test_all_parameters_are_tested_here():
    assert INVALID.keys() == AutoencoderTransformer().get_params().keys()


def test_invalid_combinations_of_parameters_raise():
    X = normal(30, 4)
    with pytest.raises(ValueError, match=r"n_components=5 must be between 1 and min"):
        AutoencoderTransformer(5).fit(X)
    with pytest.raises(ValueError, match=r"n_components=4 .* min\(n_samples, n_feat"):
        AutoencoderTransformer(4).fit(X[:3])
    for corruption in ("masking", "salt_and_pepper"):
        with pytest.raises(ValueError, match="corruption_level=1.5 must be at most 1"):
            AutoencoderTransformer(corruption=corruption, corruption_level=1.5).fit(X)
    with pytest.raises(ValueError, match="skip_connections='dense' connects to"):
        AutoencoderTransformer(
            skip_connections="dense", encoder=encoder_of_width(3)
        ).fit(X)


def encoder_of_width(width, n_inputs=None):
    def encoder(n_features, n_components):
        import keras

        return keras.Sequential(
            [keras.Input((n_inputs or n_features,)), keras.layers.Dense(width)]
        )

    return encoder


@pytest.mark.parametrize("skip_connections", ["linear", None])
def test_custom_networks_of_the_wrong_shape_raise(skip_connections):
    def fit(**networks):
        AutoencoderTransformer(2, skip_connections=skip_connections, **networks).fit(
            normal(30, 4)
        )

    with pytest.raises(ValueError, match=r"'encoder' .* output shape \(None, 2\). Got"):
        fit(encoder=encoder_of_width(3))
    with pytest.raises(ValueError, match=r"'encoder' .* input shape \(None, 4\). Got"):
        fit(encoder=encoder_of_width(2, n_inputs=7))
    with pytest.raises(ValueError, match=r"'decoder' .* output shape \(None, 4\). Got"):
        fit(decoder=encoder_of_width(3, n_inputs=2))
    with pytest.raises(TypeError, match="'encoder' callable must return a keras.Model"):
        fit(encoder=lambda n_features, n_components: "model")


def test_valid_parameters_reach_training():
    with pytest.raises(AssertionError, match="training was reached"):
        AutoencoderTransformer().fit(normal(30, 4))


# Rows beside X that a pipeline left untransformed, and honest damage.

IMAGES = load_digits().data[:500]
STANDARDISED = StandardScaler().fit_transform(IMAGES)
GENERATOR = np.random.default_rng(3)
NOISE = GENERATOR.normal(size=IMAGES.shape) * IMAGES.std()
KELVIN = 290 + GENERATOR.normal(size=(200, 8))


def masked(X, fraction):
    return np.where(np.random.default_rng(4).random(X.shape) < fraction, 0, X)


def blurred(X, width):
    pixels = gaussian_filter(X.reshape(-1, 8, 8), (0, width, width))
    return pixels.reshape(X.shape)


def warnings_of_fit(X, **beside):
    """Return the messages of the warnings before training starts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(AssertionError, match="training was reached"):
            AutoencoderTransformer(2).fit(X, **beside)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    "scaler",
    [StandardScaler(), MinMaxScaler(), Normalizer(), StandardScaler(with_mean=False)],
    ids=repr,
)
@pytest.mark.parametrize("clean", [IMAGES, 255 * IMAGES, KELVIN], ids=range(3))
def test_clean_rows_that_a_pipeline_left_as_they_were_are_noticed(scaler, clean):
    X = scaler.fit_transform(clean + 0.3 * clean.std() * normal(*clean.shape))
    (message,) = warnings_of_fit(X, X_clean=clean)
    assert "transform_input=['X_clean']" in message
    (message,) = warnings_of_fit(X, X_clean=sparse.csr_matrix(clean))
    assert "transform_input=['X_clean']" in message


@pytest.mark.parametrize(
    "X",
    [
        IMAGES + 0.3 * NOISE,
        IMAGES + 3 * NOISE,
        IMAGES + 30 * NOISE,
        masked(IMAGES, 0.1),
        masked(IMAGES, 0.7),
        masked(IMAGES, 0.98),
        blurred(IMAGES, 1),
        blurred(IMAGES, 2),
        IMAGES / 2,
        IMAGES + IMAGES.std(),
    ],
    ids=lambda X: f"{X.std():.1f}",
)
def test_honest_damage_is_no_reason_to_warn(X):
    assert warnings_of_fit(X, X_clean=IMAGES) == []


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_masked_rows_far_from_zero_are_no_reason_to_warn(fraction):
    assert warnings_of_fit(masked(KELVIN, fraction), X_clean=KELVIN) == []


def test_held_out_rows_in_other_units_are_noticed():
    (message,) = warnings_of_fit(STANDARDISED, X_val=IMAGES)
    assert "transform_input=['X_val']" in message
    assert warnings_of_fit(STANDARDISED[:400], X_val=STANDARDISED[400:]) == []
    one_class = load_digits().target[:500] == 0
    assert warnings_of_fit(IMAGES[~one_class], X_val=IMAGES[one_class]) == []
    assert warnings_of_fit(IMAGES, X_val=IMAGES[:2]) == []


def test_clean_rows_of_another_width_name_the_remedy():
    with pytest.raises(ValueError, match="transform_input=\\['X_clean'\\]"):
        AutoencoderTransformer(2).fit(IMAGES[:, :9], X_clean=IMAGES)


@pytest.mark.parametrize("name", ["X_clean", "X_val"])
def test_frames_beside_x_need_the_same_columns_in_the_same_order(name):
    frame = pd.DataFrame(normal(30, 3), columns=list("abc"))
    with pytest.raises(ValueError, match="feature names should match"):
        AutoencoderTransformer(2).fit(frame, **{name: frame[["c", "b", "a"]]})
    # Arrays have no names.
    assert warnings_of_fit(frame, **{name: frame.to_numpy()}) == []


@pytest.mark.parametrize(
    "kind", [AutoencoderTransformer, VariationalAutoencoderTransformer]
)
def test_rows_in_the_place_of_labels_are_noticed(kind):
    pca = AutoencoderTransformer(2, hidden_layer_sizes=())
    with pytest.warns(UserWarning, match="by the keyword X_clean"):
        pca.fit(IMAGES, IMAGES)
    with pytest.warns(UserWarning, match="by the keyword X_clean"):
        pca.score(IMAGES, IMAGES)
    pca.fit(IMAGES, IMAGES[:, :10]).score(IMAGES, IMAGES[:, 0])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a", None, "b"], "groups contains missing values"),
        (pd.array([1, None, 2], dtype="Int64"), "groups contains NaN"),
        ([1.0, np.nan, 2.0], "groups contains NaN"),
        ([[1], [2], [3]], "groups must have one dimension"),
    ],
)
def test_every_row_needs_a_group(groups, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderTransformer(1).fit(normal(3, 2), groups=groups)


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (AutoencoderTransformer(image_shape=(8, 8)), "with image_shape=\\(8, 8\\)"),
        (VariationalAutoencoderTransformer(), "VariationalAutoencoderTransformer does"),
        (
            AutoencoderOutlierDetector(VariationalAutoencoderTransformer()),
            "AutoencoderOutlierDetector does not take",
        ),
    ],
    ids=repr,
)
def test_missing_values_are_refused_with_a_remedy(estimator, words):
    with pytest.raises(ValueError, match=words) as raised:
        estimator.fit(with_value(np.nan), np.arange(30) % 2)
    assert "skae.impute.AutoencoderImputer" in str(raised.value)
