"""Image shapes, the convolutions for them, and invalid parameters."""

import numpy as np
import pytest

from skae import ConvolutionalAutoencoderTransformer
from skae._networks import Convolution, checked_image_shape, convolutions


@pytest.mark.parametrize(
    ("given", "n_features", "found"),
    [
        ("auto", 64, (8, 8, 1)),
        ("auto", 60, (1, 60, 1)),
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
        ((3, 40, 1), [Convolution(8, (2, 8), (1, 4)), Convolution(16, (1, 2), (1, 2))]),
        ((1, 2, 5), [Convolution(8, (1, 2), (1, 1))]),
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
        (dict(image_shape=None), "'image_shape' parameter of"),
        (dict(filters=0), "filters"),
        (dict(filters=(4, -1)), "filters must hold integers above 0"),
        (dict(kernel_size=9), "kernel_size=9 must be at most 8"),
        (dict(filters=(4, 4, 4), kernel_size=4, strides=2), "must be at most 2"),
        (dict(kernel_size=2, strides=3), "must be at least strides=3"),
        (dict(filters=(4, 4), strides=(1, 1, 1)), "one for each layer"),
        (dict(kernel_size=(2, 2)), "must be one integer"),
        (dict(skip_connections="dense"), "'skip_connections' parameter of"),
        (dict(hidden_layer_sizes=(0,)), "hidden_layer_sizes must hold"),
    ],
)
def test_invalid_parameters_raise_before_training(parameters, message, monkeypatch):
    import skae._base

    monkeypatch.setattr(skae._base, "Scaling", None)
    X = np.random.default_rng(0).normal(size=(30, 64))
    estimator = ConvolutionalAutoencoderTransformer(**parameters)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X)
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(X)
