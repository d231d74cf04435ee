"""Rows as images: their shapes, the convolutions for them, and fits."""

import numpy as np
import pytest
from conftest import images
from sklearn.decomposition import PCA

import skae._base
from skae import AutoencoderTransformer
from skae._networks import (
    Convolution,
    ConvolutionalLayers,
    DenseLayers,
    checked_image_shape,
    convolutions,
)
from skae._validation import validate_fit


@pytest.mark.parametrize(
    ("given", "n_features", "found"),
    [
        ("auto", 64, (8, 8, 1)),
        ("auto", 60, (1, 60, 1)),
        ("auto", 512, (1, 512, 1)),
        ("auto", 784, (28, 28, 1)),
        ((32, 32), 1024, (32, 32, 1)),
        ((1, 1024), 1024, (1, 1024, 1)),
        ("auto", 1, (1, 1, 1)),
        ((5, 12), 60, (5, 12, 1)),
        ([2, 10, 3], 60, (2, 10, 3)),
        (np.array([4, 4, 4]), 64, (4, 4, 4)),
    ],
)
def test_image_shapes_are_completed_with_channels(given, n_features, found):
    assert checked_image_shape(given, n_features) == found


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((28, 28, 1), [Convolution(8, (8, 8), (4, 4))]),
        ((8, 8, 1), [Convolution(8, (4, 4), (2, 2))]),
        ((32, 32, 1), [Convolution(8, (8, 8), (4, 4))]),
        ((3, 40, 1), [Convolution(8, (2, 8), (1, 4))]),
        ((1, 2, 5), [Convolution(8, (1, 2), (1, 1))]),
        (
            (1, 1000, 1),
            [Convolution(8, (1, 8), (1, 4)), Convolution(16, (1, 4), (1, 4))],
        ),
        (
            (300, 16, 1),
            [
                Convolution(8, (8, 8), (4, 4)),
                Convolution(16, (2, 2), (2, 2)),
                Convolution(32, (4, 1), (4, 1)),
            ],
        ),
        (
            (97, 100, 3),
            [
                Convolution(8, (8, 8), (4, 4)),
                Convolution(16, (2, 2), (2, 2)),
                Convolution(32, (2, 2), (2, 2)),
            ],
        ),
    ],
)
def test_default_convolutions_depend_on_the_image_shape(shape, found):
    assert list(convolutions(shape, 8)) == found


@pytest.mark.parametrize("shape", [(224, 224, 3), (1, 20_000, 1), (4, 5_000, 1)])
def test_large_images_and_lines_end_with_few_cells_and_filters(shape):
    layers = ConvolutionalLayers(shape, convolutions(shape, 32), DenseLayers(()))
    assert np.prod(layers.cells()[-1]) <= 64
    assert max(layer.filters for layer in layers.convolutions) == 128


@pytest.mark.parametrize("n_features", [256, 1024, 4096])
def test_what_may_be_an_image_or_a_signal_needs_a_shape(n_features):
    side = int(n_features**0.5)
    message = rf"image_shape=\({side}, {side}\).*image_shape=\(1, {n_features}\)"
    with pytest.raises(ValueError, match=message):
        images().fit(np.zeros((30, n_features)))


def test_given_parameters_set_the_convolutions():
    layers = convolutions((16, 16, 1), (4, 6), kernel_size=(5, 3), strides=2)
    assert layers == (Convolution(4, (5, 5), (2, 2)), Convolution(6, (3, 3), (2, 2)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (dict(image_shape=(8, 9)), "holds 72 values, but X has 64 features"),
        (dict(image_shape=(8, 8, 3)), "holds 192 values, but X has 64 features"),
        (dict(image_shape=(64,)), r"must be \(height, width\)"),
        (dict(image_shape=(1, 2, 4, 8)), r"must be \(height, width\)"),
        (dict(image_shape=(-8, -8)), "image_shape must hold integers above 0"),
        (dict(image_shape=(0, 8)), "image_shape must hold integers above 0"),
        (dict(image_shape=(8.0, 8.0)), "image_shape must hold integers above 0"),
        (dict(image_shape=8), "'image_shape' parameter of"),
        (dict(filters=0), "filters"),
        (dict(filters=(4, -1)), "filters must hold integers above 0"),
        (dict(kernel_size=9), "kernel_size=9 must be at most 8"),
        (dict(filters=(4, 4, 4), kernel_size=4, strides=2), "must be at most 2"),
        (dict(kernel_size=2, strides=3), "must be at least strides=3"),
        (dict(filters=(4, 4), strides=(1, 1, 1)), "one for each layer"),
        (dict(kernel_size=(2, 2)), "must be one integer"),
        (dict(skip_connections="dense"), "which is not possible for images"),
        (dict(hidden_layer_sizes=(0,)), "hidden_layer_sizes must hold"),
    ],
)
def test_invalid_parameters_raise_before_training(parameters, message, monkeypatch):
    monkeypatch.setattr(skae._base, "Scaling", None)
    X = np.random.default_rng(0).normal(size=(30, 64))
    estimator = images(**parameters)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X)
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(X)


def small(**parameters):
    """Return an estimator for images with a small network."""
    return images(
        **{
            "n_components": 4,
            "filters": 8,
            "hidden_layer_sizes": (16,),
            "max_iter": 12,
            "random_state": 0,
            **parameters,
        },
    )


@pytest.fixture(scope="module")
def fitted(digits):
    """Return an estimator that was fitted to images of digits."""
    return small().fit(digits)


def relative_error(model, X):
    """Return the squared error of reconstructions relative to PCA's."""
    pca = PCA(model.n_components_).fit(X)
    errors = [
        np.square(X - one.inverse_transform(one.transform(X))).sum()
        for one in (model, pca)
    ]
    return errors[0] / errors[1]


def test_images_are_reconstructed_better_than_by_pca(fitted, digits):
    assert relative_error(fitted, digits) < 0.9
    # That is the square image which "auto" found, with windows of 4 by 4 pixels.
    shapes = [np.shape(value) for value in fitted._model.weights["encoder"][0]]
    assert (4, 4, 1, 8) in shapes


def test_images_of_noise_are_reconstructed_as_well_as_by_pca(digits):
    noise = np.random.default_rng(0).normal(size=digits.shape)
    model = small().fit(noise)
    assert model.selected_model_ == "linear"
    assert relative_error(model, noise) == pytest.approx(1)


def test_keras_models_of_images_agree_with_the_estimator(fitted, digits):
    codes = fitted.transform(digits)
    layers = fitted.encoder_.get_layer("encoder_network").layers
    assert {type(layer).__module__.split(".")[0] for layer in layers} == {"keras"}
    assert "Conv2D" in {type(layer).__name__ for layer in layers}
    for found, expected in (
        (fitted.encoder_.predict(digits, verbose=0), codes),
        (fitted.decoder_.predict(codes, verbose=0), fitted.inverse_transform(codes)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_images_with_channels_need_no_linear_path():
    angles = np.random.default_rng(0).uniform(0, 3, size=(1700, 1))
    X = np.sin(angles * np.linspace(1, 4, 60))
    model = small(n_components=2, image_shape=(4, 5, 3), skip_connections=None)
    model.fit(X)
    assert relative_error(model, X) < 0.9


def test_the_first_learning_rate_follows_from_the_kind_of_rows(digits):
    def first_rate(estimator):
        rng = np.random.RandomState(0)
        data = validate_fit(estimator, digits, None, None, None, None)
        data = estimator._fit_linear(data, rng)
        trainer = estimator._trainer(estimator._problem(data), data, rng)
        return trainer.phases[0].schedule.learning_rate

    assert first_rate(images()) == 0.006
    assert first_rate(AutoencoderTransformer()) == 0.004
    assert first_rate(images(learning_rate=0.1)) == 0.1
