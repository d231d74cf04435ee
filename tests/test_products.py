"""Convolutions computed as matrix products equal those of Keras."""

import numpy as np
import pytest

from skae import _keras as keras
from skae._backends import backend


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
    from skae._networks._products import ProductConv2D, ProductConv2DTranspose

    settings = dict(strides=strides, padding="same", activation="silu")
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, *shape)).astype(np.float32)
    layers = []
    for kinds in (
        (ProductConv2D, keras.layers.Conv2D),
        (ProductConv2DTranspose, keras.layers.Conv2DTranspose),
    ):
        pair = [
            kind(6, kernel_size, kernel_initializer="zeros", **settings)
            for kind in kinds
        ]
        for layer in pair:
            layer.build(images.shape)
        weights = [rng.normal(size=value.shape) for value in pair[0].weights]
        for layer in pair:
            layer.set_weights(weights)
        layers += pair

    def compute(images):
        results = [keras.ops.reshape(layer(images), (-1,)) for layer in layers]
        return keras.ops.concatenate(results)

    # Compiled as a whole, this is faster than operation by operation.
    found = np.asarray(backend().compiled(compute)(images))
    # Images of 6 channels, smaller by the stride and larger by the stride.
    height, width = np.ceil(np.divide(shape[:2], strides)).astype(int)
    n_smaller = 3 * 6 * height * width
    n_larger = 3 * 6 * np.prod(np.multiply(shape[:2], strides))
    ends = np.cumsum([n_smaller, n_smaller, n_larger])
    ours, theirs, ours_back, theirs_back = np.split(found, ends)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    np.testing.assert_allclose(ours_back, theirs_back, atol=2e-5)
