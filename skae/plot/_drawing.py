"""What the displays share: matplotlib on first use, styles, rows as images or lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from .._networks import checked_image_shape
from .._pipelines import Parts, as_array

_CHANNELS = 1, 3, 4
"""Numbers of channels that have colours."""

_GAP = 10
"""The gap between images is one pixel for so many of their shorter side."""

_OF_GREY = "vmin", "vmax", "cmap", "norm"
"""Keywords that do not apply to colours."""

_FEW = 30
"""Up to so many features are drawn with markers and have names."""

BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "frameon": False}
"""Keywords of a legend at the right of the axes."""

Shape = tuple[int, int, int]


def pyplot(caller: str) -> Any:
    """Return ``matplotlib.pyplot``.

    Raises
    ------
    ImportError
        If matplotlib is not installed. The error names the caller.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib. Install it by `pip install matplotlib`."
        ) from error
    return plt


def line_style(defaults: dict[str, Any], given: dict[str, Any] | None) -> dict:
    """Return keywords of a line. Those given replace defaults, by any of their names.

    matplotlib knows many properties by two names, for example "c" and "color".
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return defaults | normalize_kwargs(given or {}, Line2D)


def checked_components(components: Any, n_components: int, n_default: int) -> list[int]:
    """Return the components to show: those given, or the first ones."""
    if components is None:
        return list(range(min(n_default, n_components)))
    shown = np.atleast_1d(np.asarray(components))
    is_valid = (
        shown.ndim == 1
        and 0 < len(shown) == len(np.unique(shown))
        and np.issubdtype(shown.dtype, np.integer)
        and 0 <= shown.min() <= shown.max() < n_components
    )
    if not is_valid:
        raise ValueError(
            f"components must be different integers from 0 to {n_components - 1}. Got "
            f"{components!r} instead."
        )
    return shown.tolist()


def to_units_of(X: Any, standardize: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from rows to rows to show.

    If rows are standardized, it subtracts the means of ``X`` and divides by the
    standard deviations.
    """
    return StandardScaler().fit(as_array(X)).transform if standardize else np.asarray


def settings_of(
    estimator: Any, n_features: int, image_shape: Any, standardize: bool
) -> dict[str, Any]:
    """Return how a display shows rows of an estimator.

    If the autoencoder was made for images of as many features, these are the images.
    Lines of pixels are no images.
    """
    parts = Parts.of(estimator)
    made_for = getattr(parts.autoencoder, "image_shape", None)
    fits = made_for is not None and parts.autoencoder.n_features_in_ == n_features
    if image_shape is None and fits:
        shape = checked_image_shape(made_for, n_features)
        image_shape = shape if min(shape[:2]) > 1 and shape[2] in _CHANNELS else None
    return {
        "image_shape": image_shape,
        "feature_names": parts.feature_names,
        "standardize": standardize,
    }


class Display:
    """A display. It draws on axes of the user, or on those of a new figure."""

    def _axes(self, ax: Any, figsize: tuple[float, float] | None = None) -> Any:
        """Return the axes that the user gave to ``plot``, or those of a new figure."""
        plt = pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            ax = plt.subplots(figsize=figsize, layout="constrained")[1]
        if not isinstance(ax, plt.Axes):
            raise TypeError(
                "ax must be one matplotlib Axes, or None for a new figure. Got "
                f"{ax!r} instead."
            )
        self.ax_, self.figure_ = ax, ax.figure
        return ax


class RowsDisplay(Display):
    """A display that draws rows as images in a grid, or else as lines over features."""

    image_: Any
    lines_: Any

    def __init__(self, image_shape: Any, feature_names: Any, standardize: bool) -> None:
        self.image_shape = image_shape
        self.feature_names = feature_names
        self.standardize = standardize

    def _shape(self, n_features: int) -> Shape | None:
        """Return (height, width, channels), or None where rows are no images."""
        given = self.image_shape
        if given is None:
            return None
        if isinstance(given, str) and given != "auto":
            raise ValueError(
                "image_shape must be (height, width), (height, width, channels), "
                f"'auto' or None. Got {given!r} instead."
            )
        shape = checked_image_shape(given, n_features)
        if shape[2] not in _CHANNELS:
            raise ValueError(
                f"image_shape={given!r} has {shape[2]} channels. Images that can be "
                "shown have 1, 3 or 4. Use image_shape=None to show rows as lines."
            )
        return shape

    def _draw_images(
        self,
        ax: Any,
        shape: Shape,
        grid: np.ndarray,
        names: Sequence[str],
        columns: Sequence[str],
        image_kwargs: dict | None,
        limits_of: np.ndarray | None = None,
    ) -> None:
        """Draw rows as images.

        Parameters
        ----------
        ax : matplotlib Axes or None
            Where to draw.

        shape : tuple of int
            Height, width and channels of an image.

        grid : ndarray of shape (n_rows, n_columns, n_features)
            The images.

        names, columns : sequence of str
            Names of the rows and columns of the grid. There may be more columns, for
            signed images beside the others.

        image_kwargs : dict or None
            Keywords of the user for ``imshow``.

        limits_of : ndarray or None
            Values whose smallest is black and whose largest is white. None stands for
            those of all images.
        """
        height, width, _ = shape
        tile = min(1.1, 12.0 / len(columns))
        size = tile * len(columns) + 1.6, tile * len(names) * height / width + 1.0
        ax = self._axes(ax, size)
        values = grid if limits_of is None else limits_of
        low, high = float(values.min()), float(values.max())
        style = {"cmap": "gray", "vmin": low, "vmax": high}
        self.image_, self.lines_ = _sheet(ax, shape, grid, style, image_kwargs), None
        gap = _gap(shape)
        ax.set_yticks(_middles(len(names), height, gap), names)
        ax.set_xticks(_middles(len(columns), width, gap), columns)
        ax.tick_params(length=0)

    def _draw_signed(
        self, shape: Shape, rows: np.ndarray, image_kwargs: dict | None, first: int
    ) -> Any:
        """Draw signed rows as images from a column on, red above zero and blue below.

        Colours cannot be negative: the sum over the channels has a sign.
        """
        rows = rows.reshape(len(rows), -1, shape[2]).sum(axis=2)
        largest = float(np.abs(rows).max()) or 1.0
        style = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
        return _sheet(self.ax_, (*shape[:2], 1), rows[None], style, image_kwargs, first)

    def _draw_lines(
        self,
        ax: Any,
        grid: np.ndarray,
        names: Sequence[str],
        columns: Sequence[str],
        line_kwargs: dict | None,
        *,
        original: bool = False,
        palette: tuple[str, float] | None = None,
        title: str | None = None,
    ) -> None:
        """Draw rows as lines over their features, with a legend beside the axes.

        Parameters
        ----------
        ax : matplotlib Axes or None
            Where to draw.

        grid : ndarray of shape (n_lines, n_columns, n_features)
            The rows of each line. Columns are side by side, with a gap between them.

        names, columns : sequence of str
            Names of lines and of columns. A single column of few features has the names
            of the features in place of its own.

        line_kwargs : dict or None
            Keywords of the user for all lines.

        original : bool
            Whether the first line is the row itself, thick and grey.

        palette : tuple of str and float, or None
            Name of the colormap of the other lines, and the place of the last one in
            it. None stands for matplotlib's cycle of colours.

        title : str or None
            Title of the legend.
        """
        n_lines, n_columns, n_features = grid.shape
        width = min(max(n_columns * min(n_features, 50) / 20, 2.5), 12.0) + 3.5
        ax = self._axes(ax, (width, 3.8))
        n_others = n_lines - original
        colours: Any = [f"C{i}" for i in range(n_others)]
        if palette is not None:
            from matplotlib import colormaps

            colours = colormaps[palette[0]](np.linspace(0, palette[1], n_others))
        styles: list[dict] = [{"color": colour} for colour in colours]
        if original:
            styles.insert(0, {"color": "0.5", "linewidth": 3.0})
        gap = max(1, n_features // 8)
        spaces = (0, 0), (0, 0), (0, gap)
        spaced = np.pad(grid.astype(np.float64), spaces, constant_values=np.nan)
        x = np.arange(n_columns * (n_features + gap))
        marker = {"marker": "."} if n_features <= _FEW else {}
        self.image_, self.lines_ = None, []
        for row, name, style in zip(spaced, names, styles, strict=True):
            style = line_style({"label": name, **marker, **style}, line_kwargs)
            self.lines_ += ax.plot(x, row.ravel(), **style)
        if n_columns == 1 and n_features <= _FEW and self.feature_names is not None:
            ax.set_xticks(x[:n_features], self.feature_names, rotation=45, ha="right")
        else:
            ax.set_xticks(_middles(n_columns, n_features, gap), columns)
            ax.tick_params(axis="x", length=0)
        standardized = "standardized " if self.standardize else ""
        ax.set_ylabel(f"{standardized}feature value")
        ax.legend(title=title, **BESIDE)


def _sheet(
    ax: Any, shape: Shape, grid: np.ndarray, style: dict, given: Any, first: int = 0
) -> Any:
    """Draw a grid of images as one image, from a column of the axes on."""
    height, width, channels = shape
    gap = _gap(shape)
    tiles = grid.reshape(*grid.shape[:2], height, width, channels)
    spaces = (0, 0), (0, 0), (0, gap), (0, gap), (0, 0)
    tiles = np.pad(tiles.astype(np.float64), spaces, constant_values=np.nan)
    sheet = np.concatenate(np.concatenate(tiles, axis=1), axis=1)[:-gap, :-gap]
    if given and "norm" in given:
        # A norm has its own limits.
        style = {"cmap": style["cmap"]}
    style = {**style, **(given or {})}
    if channels == 1:
        sheet = sheet[:, :, 0]
    else:
        sheet, style = _coloured(sheet, style)
    left, bottom = first * (width + gap) - 0.5, len(sheet) - 0.5
    extent = left, left + sheet.shape[1], bottom, -0.5
    image = ax.imshow(sheet, **{"extent": extent, **style})
    ax.set_xlim(-0.5, extent[1])
    ax.set_ylim(bottom, -0.5)
    ax.spines[:].set_visible(False)
    return image


def _middles(n: int, size: int, gap: int) -> np.ndarray:
    """Return the middles of intervals of a size, with a gap between them."""
    return np.arange(n) * (size + gap) + (size - 1) / 2


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
