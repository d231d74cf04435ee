"""Rows shown as images, in a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._networks import checked_image_shape

_CHANNELS = 1, 3, 4
"""Numbers of channels that have colours."""

_GAP = 10
"""The gap between images is one pixel for so many of their shorter side."""

_OF_GREY = "vmin", "vmax", "cmap", "norm"
"""Keywords that do not apply to colours."""

Shape = tuple[int, int, int]


def shape_of_images(image_shape: Any, n_features: int) -> Shape | None:
    """Return (height, width, channels), or None where rows are no images."""
    if image_shape is None:
        return None
    if isinstance(image_shape, str) and image_shape != "auto":
        raise ValueError(
            "image_shape must be (height, width), (height, width, channels), 'auto' or "
            f"None. Got {image_shape!r} instead."
        )
    shape = checked_image_shape(image_shape, n_features)
    if shape[2] not in _CHANNELS:
        raise ValueError(
            f"image_shape={image_shape!r} has {shape[2]} channels. Images that can be "
            "shown have 1, 3 or 4. Use image_shape=None to show rows as lines."
        )
    return shape


def shape_of_estimator(autoencoder: Any, n_features: int) -> Shape | None:
    """Return the shape of the images that an autoencoder was made for.

    It is None if there is none, if the images are lines of pixels, or if they have
    other features than the rows to show.
    """
    image_shape = getattr(autoencoder, "image_shape", None)
    if image_shape is None or autoencoder.n_features_in_ != n_features:
        return None
    height, width, channels = checked_image_shape(image_shape, n_features)
    if min(height, width) == 1 or channels not in _CHANNELS:
        return None
    return height, width, channels


def size_of_figure(grid: np.ndarray, shape: Shape | None) -> tuple[float, float]:
    """Return the size in inches of a figure for a grid of rows."""
    n_rows, n_columns, n_features = grid.shape
    if shape is None:
        return min(max(n_columns * min(n_features, 50) / 20, 2.5), 12.0) + 3.5, 3.8
    tile = min(1.1, 12.0 / n_columns)
    return tile * n_columns + 1.6, tile * n_rows * shape[0] / shape[1] + 1.0


def limits_of(rows: np.ndarray) -> dict[str, float]:
    """Return the smallest and the largest value, as limits of colours."""
    return {"vmin": float(rows.min()), "vmax": float(rows.max())}


def symmetric_limits_of(rows: np.ndarray) -> dict[str, float]:
    """Return limits of colours with zero in the middle."""
    largest = float(np.abs(rows).max()) or 1.0
    return {"vmin": -largest, "vmax": largest}


def draw_images(
    ax: Any, grid: np.ndarray, shape: Shape, style: dict[str, Any], first: int = 0
) -> Any:
    """Draw a grid of images as one image.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.

    grid : ndarray of shape (n_rows, n_columns, n_features)
        The images.

    shape : tuple of int
        Height, width and channels of each.

    style : dict
        Keywords for ``imshow``.

    first : int
        The column of the axes at which to begin.

    Returns
    -------
    image : matplotlib AxesImage
    """
    height, width, channels = shape
    gap = _gap(shape)
    tiles = grid.reshape(*grid.shape[:2], height, width, channels)
    spaces = (0, 0), (0, 0), (0, gap), (0, gap), (0, 0)
    tiles = np.pad(tiles.astype(np.float64), spaces, constant_values=np.nan)
    n_rows, n_columns, tall, wide, _ = tiles.shape
    sheet = tiles.swapaxes(1, 2).reshape(n_rows * tall, n_columns * wide, channels)
    sheet = sheet[: n_rows * tall - gap, : n_columns * wide - gap]
    if channels == 1:
        sheet = sheet[:, :, 0]
    else:
        sheet, style = _coloured(sheet, style)
    left, bottom = first * wide - 0.5, len(sheet) - 0.5
    extent = left, left + sheet.shape[1], bottom, -0.5
    image = ax.imshow(sheet, **{"extent": extent, **style})
    ax.set_xlim(-0.5, extent[1])
    ax.set_ylim(bottom, -0.5)
    for side in ax.spines.values():
        side.set_visible(False)
    return image


def name_images(ax: Any, rows: list[str], columns: list[str], shape: Shape) -> None:
    """Write a name at each row and under each column of a grid of images."""
    height, width, _ = shape
    gap = _gap(shape)
    ax.set_yticks(np.arange(len(rows)) * (height + gap) + (height - 1) / 2, rows)
    ax.set_xticks(np.arange(len(columns)) * (width + gap) + (width - 1) / 2, columns)
    ax.tick_params(length=0)


def _gap(shape: Shape) -> int:
    return max(1, min(shape[:2]) // _GAP)


def _coloured(sheet: np.ndarray, style: dict) -> tuple[np.ndarray, dict]:
    """Return colours between 0 and 1, transparent between the images."""
    low = style.get("vmin", np.nanmin(sheet))
    high = style.get("vmax", np.nanmax(sheet))
    style = {k: v for k, v in style.items() if k not in _OF_GREY}
    colours = np.clip((sheet - low) / ((high - low) or 1.0), 0, 1)
    alpha = np.isfinite(sheet).all(axis=2, keepdims=True).astype(float)
    if sheet.shape[2] == 3:
        colours = np.concatenate([colours, alpha], axis=2)
    return np.nan_to_num(colours), style
