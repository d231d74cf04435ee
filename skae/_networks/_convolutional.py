"""Convolutional layers, with dense layers between them and the code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .. import _keras as keras
from ._convolutional_numpy import ConvolutionalForward
from ._dense import DenseLayers
from ._dense_numpy import ACTIVATIONS
from ._images import Convolution
from ._layers import CORRECTION, dense, last_dense
from ._spec import Family, NetworkSpec, Path

_LAST = "channels_last"
"""How rows hold images, whatever Keras' global ``image_data_format`` is."""


@dataclass(frozen=True)
class ConvolutionalLayers(Family):
    """Convolutions of images, then dense layers. The decoder mirrors the encoder.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width and channels.

    convolutions : tuple of Convolution
        The encoder's convolutional layers.

    dense_layers : DenseLayers
        Between these and the code. Their activation is also that of the convolutions.
    """

    image_shape: tuple[int, int, int]
    convolutions: tuple[Convolution, ...]
    dense_layers: DenseLayers

    def encoder_path(self, rows: Any, spec: NetworkSpec, standard: bool) -> Path:
        """Fold rows into images, convolve them and pass them through dense layers."""
        down, _ = _layer_types(standard)
        hidden = keras.layers.Reshape(self.image_shape, dtype="float32")(rows)
        for depth, convolution in enumerate(self.convolutions):
            hidden = down(
                **convolution._asdict(),
                padding="same",
                data_format=_LAST,
                activation=self.dense_layers.activation,
                kernel_initializer="zeros",
                dtype="float32",
                name=f"convolution_{depth}",
            )(hidden)
        hidden = keras.layers.Flatten(_LAST, dtype="float32")(hidden)
        hidden = self.dense_layers.hidden(hidden, self.dense_layers.sizes)
        return Path(last_dense(hidden, spec.n_components, spec), hidden)

    def decoder_path(self, codes: Any, spec: NetworkSpec, standard: bool) -> Path:
        """Mirror the encoder."""
        _, up = _layer_types(standard)
        activation = self.dense_layers.activation
        hidden = self.dense_layers.hidden(codes, self.dense_layers.sizes[::-1])
        cells = self.cells()
        folded = (*cells[-1], self.convolutions[-1].filters)
        hidden = dense(math.prod(folded), "cells", activation)(hidden)
        hidden = keras.layers.Reshape(folded, dtype="float32")(hidden)
        channels = [self.image_shape[2], *(one.filters for one in self.convolutions)]
        for depth in reversed(range(len(self.convolutions))):
            convolution = self.convolutions[depth]
            is_output = depth == 0
            is_correction = is_output and spec.linear_path
            hidden = up(
                **convolution._replace(filters=channels[depth])._asdict(),
                padding="same",
                data_format=_LAST,
                activation=None if is_output else activation,
                use_bias=not is_correction,
                kernel_initializer="zeros",
                dtype="float32",
                name=CORRECTION if is_correction else f"convolution_{depth}",
            )(hidden)
            hidden = _cropped(hidden, cells[depth])
        return Path(keras.layers.Flatten(_LAST, dtype="float32")(hidden), hidden)

    def numpy_forward_of_few(self, spec: NetworkSpec, side: str) -> Any:
        """Return the layers as a NumPy function, if NumPy has their activation."""
        layers = self.dense_layers
        if layers.activation not in ACTIVATIONS:
            return None
        return ConvolutionalForward(
            side,
            self.image_shape,
            self.convolutions,
            self.cells(),
            len(layers.sizes),
            layers.activation,
            spec.linear_path,
        )

    def cells(self) -> list[tuple[int, int]]:
        """Return rows and columns before the first convolution and after each."""
        found = [self.image_shape[:2]]
        for layer in self.convolutions:
            height, width = (
                math.ceil(size / step)
                for size, step in zip(found[-1], layer.strides, strict=True)
            )
            found.append((height, width))
        return found


def _layer_types(standard: bool) -> tuple[Any, Any]:
    """Return two classes of layers: those of Keras, or equal ones that train faster."""
    if standard:
        return keras.layers.Conv2D, keras.layers.Conv2DTranspose
    from ._products import ProductConv2D, ProductConv2DTranspose

    return ProductConv2D, ProductConv2DTranspose


def _cropped(images: Any, cells: tuple[int, int]) -> Any:
    extra = [have - want for have, want in zip(images.shape[1:3], cells, strict=True)]
    if not any(extra):
        return images
    # "same" padding sees one pixel more at the end than at the beginning.
    margins = tuple((size // 2, size - size // 2) for size in extra)
    return keras.layers.Cropping2D(margins, _LAST, dtype="float32")(images)
