"""Rows as images: their shape, and the convolutions for it."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from ._spec import Convolution, ConvolutionalLayers, DenseLayers, checked_sizes

_LARGE, _SMALL = 16, 4
"""Sides in pixels from which the first stride is 4, and from which it is 2. A side of
fewer cells than the second has no further strides."""

_CELLS = 64
"""Most cells that are left for the dense layers."""

_GROWTH = 4
"""Most filters of a layer, in those of the first."""

_AMBIGUOUS = 256
"""From so many features on a power of two may be a square image, or a signal."""

_POSITIVE = Interval(Integral, 1, None, closed="left")

IMAGE_CONSTRAINTS: dict[str, list] = {
    "image_shape": ["array-like", StrOptions({"auto"}), None],
    "filters": ["array-like", _POSITIVE],
    "kernel_size": ["array-like", _POSITIVE, None],
    "strides": ["array-like", _POSITIVE, None],
}
"""Constraints of the parameters that say that rows are images."""


def convolutional_layers(
    parameters: dict[str, Any], n_features: int, dense_layers: DenseLayers
) -> ConvolutionalLayers:
    """Return the layers that an estimator's parameters describe, if rows are images.

    Parameters
    ----------
    parameters : dict
        Those of the estimator.

    n_features : int
        Values in a row.

    dense_layers : DenseLayers
        Between the convolutions and the code.
    """
    shape = checked_image_shape(parameters["image_shape"], n_features)
    windows = [parameters[name] for name in ("filters", "kernel_size", "strides")]
    return ConvolutionalLayers(shape, convolutions(shape, *windows), dense_layers)


def checked_image_shape(image_shape: Any, n_features: int) -> tuple[int, int, int]:
    """Return (height, width, channels) of the image that a row is.

    Parameters
    ----------
    image_shape : sequence of two or three int, or "auto"
        "auto" is a square image with one channel if the number of features is a square.
        Otherwise it is a single line of pixels. Images and signals often have 256, 1024
        or 4096 values, so "auto" is refused for these.

    n_features : int
        Values in a row.

    Raises
    ------
    ValueError
        If this is no image shape, not that of a row, or if "auto" would be a guess.
    """
    if isinstance(image_shape, str):
        side = math.isqrt(n_features)
        if side**2 != n_features:
            return 1, n_features, 1
        if n_features >= _AMBIGUOUS and n_features.bit_count() == 1:
            raise ValueError(
                f"image_shape={image_shape!r} is ambiguous for {n_features} features: "
                f"they may be {side} by {side} pixels, or a signal. Set image_shape="
                f"({side}, {side}) for images, or image_shape=(1, {n_features}) for "
                "signals and spectra."
            )
        return side, side, 1
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
        Filters of each layer. An integer is the number in the first layer. Each further
        layer has twice as many, but at most four times as many as the first, until at
        most 64 cells are left.

    kernel_size, strides : int, sequence of int or None
        Side of the windows and distance between them: one for each layer, or one for
        all. None stands for strides of 4, then 2 until at most 64 cells are left. The
        first is 2 along sides of fewer than 16 pixels, and 1 along sides of fewer than
        4. With fewer than 4 cells along one side, the others are 4 along the other
        side. Windows are then as large as the stride, and twice as large in the first
        layer.

    Raises
    ------
    ValueError
        If the numbers do not fit together, or a window is larger than its input.
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
        if grows and math.prod(grid) > _CELLS and max(steps) > 1:
            widths.append(min(2 * widths[-1], _GROWTH * widths[0]))
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
    if number and math.prod(grid) <= _CELLS:
        return 1, 1
    if number and min(grid) < _SMALL:
        # As many cells become one as in an image.
        return tuple(4 if size >= _SMALL else 1 for size in grid)
    if number:
        return 2, 2
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
                f"kernel_size={size} must be at most {cells}, the side of the layer's "
                "input in pixels or cells. Use smaller windows, or fewer layers."
            )
        if size < step:
            raise ValueError(
                f"kernel_size={size} must be at least strides={step}. With smaller "
                "windows, some pixels would lie in none."
            )
