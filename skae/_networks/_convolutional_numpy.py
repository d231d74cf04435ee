"""Convolutional layers in NumPy: nothing to compile, and Keras is not imported."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .._data import slices
from ._dense_numpy import ACTIVATIONS, affine
from ._images import Convolution

_VALUES = 2**20
"""Most values of the windows of images that are computed at once."""


@dataclass(frozen=True)
class ConvolutionalForward:
    """Convolutional layers and the linear path as a function of weights and inputs.

    Parameters
    ----------
    side : {"encoder", "decoder"}
        Which of the two.

    image_shape : tuple of int
        Height, width and channels.

    convolutions : tuple of Convolution
        The encoder's convolutional layers.

    cells : list of tuple of int
        Rows and columns before the first of them and after each.

    n_layers : int
        Number of hidden dense layers.

    activation : str or None
        Of the hidden layers.

    linear_path : bool
        Whether there is a linear path.
    """

    side: str
    image_shape: tuple[int, int, int]
    convolutions: tuple[Convolution, ...]
    cells: list[tuple[int, int]]
    n_layers: int
    activation: Any
    linear_path: bool

    def __call__(self, weights: list[np.ndarray], inputs: np.ndarray) -> np.ndarray:
        """Return the outputs for inputs, with weights in Keras' order."""
        compute = self._encoded if self.side == "encoder" else self._decoded
        # The values of all windows together may be many times those of the images.
        n_rows = max(_VALUES // self._most_values(), 1)
        parts = [
            compute(iter(weights), inputs[part]) for part in slices(len(inputs), n_rows)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _encoded(self, left: Iterator[np.ndarray], rows: np.ndarray) -> np.ndarray:
        images = rows.reshape(-1, *self.image_shape)
        for depth, layer in enumerate(self.convolutions):
            images = _convolved(images, next(left), layer, self.cells[depth + 1])
            images = self._activated(images + next(left))
        hidden = self._hidden(left, images.reshape(len(rows), -1))
        if not self.linear_path:
            return affine(hidden, left)
        linear = affine(rows, left)
        return linear + hidden @ next(left)

    def _decoded(self, left: Iterator[np.ndarray], codes: np.ndarray) -> np.ndarray:
        hidden = self._activated(affine(self._hidden(left, codes), left))
        images = hidden.reshape(len(codes), *self.cells[-1], -1)
        for depth in reversed(range(len(self.convolutions))):
            layer, cells = self.convolutions[depth], self.cells[depth]
            images = _transposed(images, next(left), layer, cells)
            if depth:
                images = self._activated(images + next(left))
        # The last convolution has a bias only without a linear path.
        if not self.linear_path:
            images = images + next(left)
        rows = images.reshape(len(codes), -1)
        return rows + affine(codes, left) if self.linear_path else rows

    def _hidden(self, left: Iterator[np.ndarray], values: np.ndarray) -> np.ndarray:
        for _ in range(self.n_layers):
            values = self._activated(affine(values, left))
        return values

    def _activated(self, hidden: np.ndarray) -> np.ndarray:
        ACTIVATIONS[self.activation](hidden)
        return hidden

    def _most_values(self) -> int:
        """Return the number of values in all windows of the layer with most of them."""
        channels = [self.image_shape[2], *(one.filters for one in self.convolutions)]
        return max(
            math.prod(cells) * math.prod(layer.kernel_size) * width
            for cells, layer, width in zip(
                self.cells[1:], self.convolutions, channels[:-1], strict=True
            )
        )


def _convolved(
    images: np.ndarray, kernel: np.ndarray, layer: Convolution, cells: tuple[int, int]
) -> np.ndarray:
    """Return the convolution with Keras' padding "same", without bias."""
    margins = [
        (after - 1) * step + window - before
        for before, after, window, step in zip(
            images.shape[1:3], cells, layer.kernel_size, layer.strides, strict=True
        )
    ]
    around = [(size // 2, size - size // 2) for size in margins]
    padded = np.pad(images, [(0, 0), *around, (0, 0)])
    windows = sliding_window_view(padded, layer.kernel_size, axis=(1, 2))
    windows = windows[:, :: layer.strides[0], :: layer.strides[1]]
    # The axes of windows: image, row, column, channel, row and column in the window.
    return np.tensordot(windows, kernel.transpose(2, 0, 1, 3), axes=3)


def _transposed(
    images: np.ndarray, kernel: np.ndarray, layer: Convolution, cells: tuple[int, int]
) -> np.ndarray:
    """Return the transposed convolution, cropped as in Keras, without bias.

    Each window is split into blocks as large as the stride. Windows that overlap then
    add up block by block.
    """
    n_images, rows, columns, _ = images.shape
    (height, width), (down, right) = layer.kernel_size, layer.strides
    tall, wide = math.ceil(height / down), math.ceil(width / right)
    missing = (0, tall * down - height), (0, wide * right - width)
    kernel = np.pad(kernel, [*missing, (0, 0), (0, 0)])
    n_channels = kernel.shape[2]
    blocks = kernel.reshape(tall, down, wide, right, n_channels, -1)
    windows = np.tensordot(images, blocks, axes=(3, 5))
    shape = rows + tall - 1, down, columns + wide - 1, right, n_channels
    covered = np.zeros((n_images, *shape), images.dtype)
    for row in range(tall):
        for column in range(wide):
            part = windows[:, :, :, row, :, column].transpose(0, 1, 3, 2, 4, 5)
            covered[:, row : row + rows, :, column : column + columns] += part
    found = covered.reshape(n_images, shape[0] * down, shape[2] * right, n_channels)
    # Keras' padding "same", and then its cropping.
    top, edge = (
        (window - step) // 2 + (before * step - after) // 2
        for window, step, before, after in zip(
            layer.kernel_size, layer.strides, (rows, columns), cells, strict=True
        )
    )
    return found[:, top : top + cells[0], edge : edge + cells[1]]
