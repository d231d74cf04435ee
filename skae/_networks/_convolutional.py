"""Convolutional networks, with the linear path of the dense ones."""

from __future__ import annotations

import math
from typing import NamedTuple

from .._backend import keras
from .._spec import NetworkSpec
from ._dense import (
    CORRECTION,
    LINEAR,
    dense,
    hidden_layers,
    with_likelihood,
    with_linear_path,
    with_posterior,
)
from ._products import ProductConv2D, ProductConv2DTranspose


class ConvolutionLayers(NamedTuple):
    """Two classes of Keras layers with the same weights and the same results."""

    down: type
    up: type


PRODUCTS = ConvolutionLayers(ProductConv2D, ProductConv2DTranspose)
"""Fast to train on a CPU."""

STANDARD = ConvolutionLayers(keras.layers.Conv2D, keras.layers.Conv2DTranspose)
"""For models that users save and load."""


def build_convolutional_encoder(
    spec: NetworkSpec, layers: ConvolutionLayers
) -> keras.Model:
    """Rows, folded into images, to codes."""
    inputs = keras.Input((spec.n_features,), dtype="float32", name="rows")
    hidden = keras.layers.Reshape(spec.image_shape, dtype="float32")(inputs)
    for depth, convolution in enumerate(spec.convolutions):
        hidden = layers.down(
            **convolution._asdict(),
            padding="same",
            activation=spec.activation,
            kernel_initializer="zeros",
            dtype="float32",
            name=f"convolution_{depth}",
        )(hidden)
    hidden = keras.layers.Flatten(dtype="float32")(hidden)
    hidden = hidden_layers(hidden, spec.hidden_layer_sizes, spec)
    codes = with_linear_path(inputs, hidden, spec.n_components, spec)
    return keras.Model(inputs, with_posterior(codes, hidden, spec), name="encoder")


def build_convolutional_decoder(
    spec: NetworkSpec, layers: ConvolutionLayers
) -> keras.Model:
    """Codes to rows, mirroring the encoder."""
    assert spec.image_shape is not None
    inputs = keras.Input((spec.n_components,), dtype="float32", name="codes")
    hidden = hidden_layers(inputs, spec.hidden_layer_sizes[::-1], spec)
    cells = spec.cells
    folded = (*cells[-1], spec.convolutions[-1].filters)
    hidden = dense(math.prod(folded), "cells", spec.activation)(hidden)
    hidden = keras.layers.Reshape(folded, dtype="float32")(hidden)
    channels = [spec.image_shape[2], *(one.filters for one in spec.convolutions)]
    for depth in reversed(range(len(spec.convolutions))):
        convolution = spec.convolutions[depth]
        is_output = depth == 0
        is_correction = is_output and spec.starts_at_pca
        hidden = layers.up(
            **convolution._replace(filters=channels[depth])._asdict(),
            padding="same",
            activation=None if is_output else spec.activation,
            use_bias=not is_correction,
            kernel_initializer="zeros",
            dtype="float32",
            name=CORRECTION if is_correction else f"convolution_{depth}",
        )(hidden)
        hidden = _cropped(hidden, cells[depth])
    rows = keras.layers.Flatten(dtype="float32")(hidden)
    if spec.starts_at_pca:
        linear = dense(spec.n_features, LINEAR)(inputs)
        rows = keras.layers.Add(dtype="float32")([linear, rows])
    return keras.Model(inputs, with_likelihood(rows, inputs, spec), name="decoder")


def _cropped(images, cells: tuple[int, int]):
    extra = [have - want for have, want in zip(images.shape[1:3], cells, strict=True)]
    if not any(extra):
        return images
    # "same" padding looks at one pixel more at the end than at the beginning.
    margins = tuple((size // 2, size - size // 2) for size in extra)
    return keras.layers.Cropping2D(margins, dtype="float32")(images)
