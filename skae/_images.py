"""Rows as images: their shape, and the convolutions that suit it."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from ._parameters import checked_sizes
from ._spec import Convolution

_LARGE, _SMALL = 16, 4
"""Sides in pixels from which the first stride is 4, and from which it is 2."""

_CELLS = 8
"""Most cells along a side that are left for the dense layers."""


def checked_image_shape(image_shape: Any, n_features: int) -> tuple[int, int, int]:
    """Return (height, width, channels) of the image that a row is.

    Parameters
    ----------
    image_shape : sequence of two or three int, or "auto"
        "auto" for a square image with one channel, where the features make one, else
        for a single line of pixels.

    n_features : int
        Values in a row.

    Raises
    ------
    ValueError
        If the shape is none, or not that of a row.
    """
    if isinstance(image_shape, str):
        side = math.isqrt(n_features)
        return (side, side, 1) if side**2 == n_features else (1, n_features, 1)
    shape = checked_sizes("image_shape", image_shape)
    if len(shape) not in (2, 3):
        raise ValueError(
            "image_shape must be (height, width) or (height, width, channels). "
            f"Got {image_shape!r} instead."
        )
    height, width, channels = (*shape, 1)[:3]
    if height * width * channels != n_features:
        raise ValueError(
            f"image_shape={image_shape!r} holds {height * width * channels} values, "
            f"but X has {n_features} features. Flattened images have as many features "
            "as height * width * channels."
        )
    return height, width, channels


def convolutions(
    shape: tuple[int, int, int],
    filters: Any,
    kernel_size: Any = None,
    strides: Any = None,
) -> tuple[Convolution, ...]:
    """Return the convolutional layers for images of a shape.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels.

    filters : int or sequence of int
        Filters of each layer; an integer is those of the first, of as many layers as
        leave at most 8 by 8 cells, each with twice as many as the one before.

    kernel_size, strides : int, sequence of int or None
        Side of the windows and distance between them, one for each layer or one for
        all. None for strides of 4 and then 2 (first 2 where a side has fewer than 16
        pixels, 1 where it has fewer than 4) and windows of twice the stride in the
        first layer, of the stride thereafter.

    Raises
    ------
    ValueError
        If the numbers do not go together or a window is larger than what it looks at.
    """
    grows = isinstance(filters, Integral)
    widths = list(checked_sizes("filters", filters))
    given = {
        "kernel_size": _each("kernel_size", kernel_size, widths, grows),
        "strides": _each("strides", strides, widths, grows),
    }
    grid = shape[:2]
    layers: list[Convolution] = []
    while len(layers) < len(widths):
        number = len(layers)
        steps = given["strides"](number) or _steps(grid, number)
        window = given["kernel_size"](number) or _window(grid, steps, number)
        _check(window, steps, grid)
        layers.append(Convolution(widths[number], window, steps))
        grid = tuple(math.ceil(n / s) for n, s in zip(grid, steps, strict=True))
        if grows and max(grid) > _CELLS and max(steps) > 1:
            widths.append(2 * widths[-1])
    return tuple(layers)


def _each(parameter: str, value: Any, widths: list[int], grows: bool):
    if value is None:
        return lambda number: None
    sizes = checked_sizes(parameter, value)
    if len(sizes) == 1:
        return lambda number: (sizes[0], sizes[0])
    if grows or len(sizes) != len(widths):
        raise ValueError(
            f"{parameter}={value!r} must be one integer, or one for each layer named "
            f"in filters={widths if not grows else widths[0]!r}."
        )
    return lambda number: (sizes[number], sizes[number])


def _steps(grid: tuple[int, ...], number: int) -> tuple[int, ...]:
    if number:
        return tuple(2 if size > _CELLS else 1 for size in grid)
    return tuple(4 if n >= _LARGE else 2 if n >= _SMALL else 1 for n in grid)


def _window(
    grid: tuple[int, ...], steps: tuple[int, ...], number: int
) -> tuple[int, ...]:
    reach = 1 if number else 2
    return tuple(min(reach * s, size) for s, size in zip(steps, grid, strict=True))


def _check(window, steps, grid) -> None:
    for size, step, cells in zip(window, steps, grid, strict=True):
        if size > cells:
            raise ValueError(
                f"kernel_size={size} must be at most {cells}, the side in pixels or "
                "cells of what the layer sees. Use smaller windows, or fewer layers."
            )
        if size < step:
            raise ValueError(
                f"kernel_size={size} must be at least strides={step}, or pixels "
                "between the windows would not be seen."
            )
