"""Convolutions computed as matrix products, and the convolutional estimator."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import ConvolutionalAutoencoderTransformer
from skae import _engines as engines


def small(**parameters):
    defaults = dict(n_components=4, filters=8, hidden_layer_sizes=(32,), random_state=0)
    return ConvolutionalAutoencoderTransformer(**{**defaults, **parameters})


@pytest.mark.parametrize(
    ("shape", "kernel_size", "strides"),
    [
        ((12, 12, 1), (8, 8), (4, 4)),
        ((7, 5, 3), (8, 8), (4, 4)),
        ((7, 5, 3), (5, 3), (3, 1)),
        ((9, 3, 1), (3, 3), (2, 2)),
        ((12, 12, 1), (2, 2), (2, 2)),
        ((1, 11, 2), (2, 2), (2, 2)),
        ((1, 11, 2), (5, 3), (3, 1)),
        ((9, 3, 1), 1, 1),
    ],
)
def test_matrix_products_equal_keras_convolutions(shape, kernel_size, strides):
    from skae import _engines as engines
    from skae import _keras as keras
    from skae._networks._products import ProductConv2D, ProductConv2DTranspose

    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, *shape)).astype(np.float32)
    for ours, theirs in (
        (ProductConv2D, keras.layers.Conv2D),
        (ProductConv2DTranspose, keras.layers.Conv2DTranspose),
    ):
        settings = dict(strides=strides, padding="same", activation="silu")
        expected = theirs(6, kernel_size, **settings)
        expected.build(images.shape)
        found = ours(6, kernel_size, **settings)
        found.build(images.shape)
        weights = [rng.normal(size=value.shape) for value in expected.weights]
        for layer in (expected, found):
            layer.set_weights(weights)
        # Each layer is compiled as a whole. This is faster than operation by operation.
        found, expected = (
            np.asarray(
                engines.backend().compiled(lambda rows, layer=layer: layer(rows))(
                    images
                )
            )
            for layer in (found, expected)
        )
        np.testing.assert_allclose(found, expected, atol=2e-5)


def error_ratios(estimator, train, test):
    """Yield the error relative to PCA's, of training rows and of test rows."""
    pca = PCA(estimator.n_components).fit(train)
    fitted = clone(estimator).fit(train)
    for X in (train, test):
        ours = np.square(X - fitted.reconstruct(X)).sum()
        theirs = np.square(X - pca.inverse_transform(pca.transform(X))).sum()
        yield ours / theirs


@pytest.mark.parametrize("n_components", [2, 8, 32])
def test_better_than_pca_on_digits(n_components, digits):
    train, test = train_test_split(digits, random_state=0)
    estimator = small(n_components=n_components, filters=16, image_shape=(8, 8))
    on_train, on_test = error_ratios(estimator, train, test)
    assert on_train < 0.9
    assert on_test < 0.95


@pytest.mark.parametrize("n_samples", [5, 30, 200])
def test_never_worse_than_pca_on_few_or_meaningless_images(n_samples, digits):
    rng = np.random.default_rng(n_samples)
    train, test = train_test_split(digits, train_size=n_samples, random_state=0)
    noise = rng.normal(size=(n_samples, 35)), rng.normal(size=(200, 35))
    for rows, held_out, shape in ((train, test, (8, 8)), (*noise, (7, 5))):
        estimator = small(n_components=2, image_shape=shape)
        for ratio in error_ratios(estimator, rows, held_out):
            assert ratio < 1.01


@pytest.mark.parametrize(
    "shape", [(8, 8), (5, 12), (4, 5, 3), (1, 60), (60, 1), (1, 1, 60)]
)
def test_images_of_any_shape_train_and_their_keras_models_agree(shape):
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 3, size=(300, 1))
    X = np.sin(angle * np.linspace(1, 4, np.prod(shape)))
    fitted = small(n_components=2, image_shape=shape, max_iter=30).fit(X)
    pca = PCA(2).fit(X)
    assert fitted.score(X) > pca.explained_variance_ratio_.sum() + 0.01
    codes = fitted.transform(X)
    layers = fitted.encoder_.get_layer("encoder_network").layers
    assert {type(layer).__module__.split(".")[0] for layer in layers} == {"keras"}
    assert "Conv2D" in {type(layer).__name__ for layer in layers}
    encoded = fitted.encoder_.predict(X, verbose=0)
    decoded = fitted.decoder_.predict(codes, verbose=0)
    np.testing.assert_allclose(encoded, codes, atol=1e-4)
    np.testing.assert_allclose(decoded, fitted.inverse_transform(codes), atol=1e-4)


def test_keras_models_load_without_skae(digits, tmp_path):
    import keras

    fitted = small().fit(digits)
    fitted.encoder_.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(
        loaded.predict(digits, verbose=0), fitted.encoder_.predict(digits, verbose=0)
    )


def test_channels_are_last(digits):
    # Digits in random colours. NumPy flattens an image with the channels last.
    ink = np.random.default_rng(0).uniform(size=(len(digits), 1, 3))
    X = (digits[:, :, None] * ink).reshape(len(digits), -1)
    channels_first = X.reshape(-1, 8, 8, 3).transpose(0, 3, 1, 2).reshape(X.shape)
    right, wrong = (
        small(n_components=12, image_shape=(8, 8, 3)).fit(rows).score(rows)
        for rows in (X, channels_first)
    )
    assert right > wrong + 0.005


def test_without_linear_path(digits):
    fitted = small(skip_connections=None, max_iter=40).fit(digits)
    assert fitted.score(digits) > PCA(4).fit(digits).explained_variance_ratio_.sum()
    assert fitted.transform(digits).shape == (1797, 4)


def test_all_windows_of_an_image_share_one_kernel(digits):
    # All windows share one kernel of 4 x 4 pixels and 8 filters.
    fitted = small(image_shape=(8, 8), n_components=3, max_iter=2)
    fitted.set_params(early_stopping=False).fit(digits)
    shapes = [np.shape(value) for value in fitted._codec.weights["encoder"][0]]
    assert (4, 4, 1, 8) in shapes


def test_the_global_image_data_format_changes_nothing(digits):
    import keras

    def fit():
        for cached in (engines.networks, engines.engine):
            cached.cache_clear()
        return ConvolutionalAutoencoderTransformer(
            3,
            image_shape=(8, 8),
            filters=6,
            kernel_size=3,
            hidden_layer_sizes=(16,),
            max_iter=3,
            random_state=0,
        ).fit(digits)

    expected = fit()
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        fitted = fit()
        codes = fitted.encoder_.predict(digits, verbose=0)
        rows = fitted.decoder_.predict(codes, verbose=0)
    finally:
        keras.config.set_image_data_format(before)
    assert fitted.selected_model_ == "network"
    assert fitted.loss_curve_ == expected.loss_curve_
    np.testing.assert_allclose(codes, expected.transform(digits), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(rows, expected.reconstruct(digits), rtol=1e-3, atol=1e-2)
