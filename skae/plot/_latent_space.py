"""Codes as points, coloured by label."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from .._pipelines import Parts
from ._drawing import BESIDE, Display, checked_components, pyplot

_NO_LABEL = "no label"

_IN_COLUMN, _MOST = 16, 40
"""Classes in a column of the legend, and most classes in a legend."""


class LatentSpaceDisplay(Display):
    """Codes as points, coloured by label.

    Two components are shown in a plane, more components in all pairs. Use
    :meth:`from_estimator` or :meth:`from_codes` to make one.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        The codes.

    labels : ndarray of shape (n_samples,) or None, default=None
        Labels. Floats are numbers, everything else is a class. As in ``fit``, the
        integer class -1 and NaN stand for rows without a label.

    label_name : str or None, default=None
        What the labels are called.

    Attributes
    ----------
    components_ : list of int
        The components that are shown.

    scatters_ : ndarray of matplotlib PathCollection
        The points of the rows that have a label, or of all rows if none has. In the
        shape of ``axes_``.

    axes_ : ndarray of matplotlib Axes
        All axes, in the shape of the pairs. It has None where there is no pair.

    ax_ : matplotlib Axes
        The axes. If there are several, those that they are drawn in.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    LatentTraversalDisplay : What each code does to a row.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import LatentSpaceDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
    >>> display = LatentSpaceDisplay.from_estimator(autoencoder, X, y)
    >>> display.ax_.get_xlabel()
    'code 0'
    """

    def __init__(self, *, codes, labels=None, label_name=None):
        self.codes = codes
        self.labels = labels
        self.label_name = label_name

    def plot(self, ax=None, *, components=None, scatter_kwargs=None):
        """Draw the codes.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure. For more than two components the axes
            have to be a part of a grid, as those of ``plt.subplots`` are.

        components : array-like of int or None, default=None
            Which components to show, from 0. One is shown against the labels, two in a
            plane, more in all pairs. None stands for the first two, or for the only
            one.

        scatter_kwargs : dict or None, default=None
            Keywords for ``scatter``.

        Returns
        -------
        self : LatentSpaceDisplay
        """
        shown = checked_components(components, self.codes.shape[1], n_default=2)
        n_sides = max(len(shown) - 1, 1)
        size = 2.2 * n_sides + 2
        ax = self._axes(ax, (size + 0.8, size))
        self.components_, self.axes_ = shown, _grid(ax, n_sides)
        self.scatters_ = np.full(self.axes_.shape, None)
        colours = _Colours(self.labels, scatter_kwargs)
        for i, j in zip(*np.tril_indices(n_sides), strict=True):
            cell = self.axes_[i, j]
            x = self.codes[:, shown[j]]
            y = self.codes[:, shown[i + 1]] if len(shown) > 1 else colours.heights(x)
            self.scatters_[i, j] = colours.draw(cell, x, y)
            if i == n_sides - 1:
                cell.set_xlabel(f"code {shown[j]}")
            if j == 0 and len(shown) > 1:
                cell.set_ylabel(f"code {shown[i + 1]}")
        if len(shown) == 1:
            cell.set_ylabel("row" if self.labels is None else self.label_name)
            if colours.classes is not None:
                cell.set_yticks(range(len(colours.classes)), colours.classes)
        colours.explain(self.axes_, self.scatters_[0, 0], self.label_name)
        return self

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, components=None, ax=None, scatter_kwargs=None
    ):
        """Encode rows and draw their codes.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder, a pipeline that contains one, or a search over one.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or None, default=None
            Labels, see :class:`LatentSpaceDisplay`.

        components : array-like of int or None, default=None
            Which components to show, from 0. None stands for the first two.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        scatter_kwargs : dict or None, default=None
            Keywords for ``scatter``.

        Returns
        -------
        display : LatentSpaceDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        return cls.from_codes(
            Parts.of(estimator).encode(X),
            y,
            components=components,
            ax=ax,
            scatter_kwargs=scatter_kwargs,
        )

    @classmethod
    def from_codes(
        cls, codes, y=None, *, components=None, ax=None, scatter_kwargs=None
    ):
        """Draw given codes.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)
            Codes.

        y : array-like of shape (n_samples,) or None, default=None
            Labels, see :class:`LatentSpaceDisplay`.

        components : array-like of int or None, default=None
            Which components to show, from 0. None stands for the first two.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        scatter_kwargs : dict or None, default=None
            Keywords for ``scatter``.

        Returns
        -------
        display : LatentSpaceDisplay
        """
        pyplot(f"{cls.__name__}.from_codes")
        codes = check_array(codes, input_name="codes")
        labels = name = None
        if y is not None:
            labels, name = column_or_1d(y), getattr(y, "name", None) or "label"
            check_consistent_length(codes, labels)
        display = cls(codes=codes, labels=labels, label_name=name)
        return display.plot(ax, components=components, scatter_kwargs=scatter_kwargs)


class _Colours:
    """Colours and heights of points, from labels and the user's keywords."""

    def __init__(self, labels: np.ndarray | None, style: dict | None) -> None:
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.collections import PathCollection

        style = normalize_kwargs(style or {}, PathCollection)
        self.style = {"s": 9, "linewidth": 0, "alpha": 0.8, **style}
        self.classes = self.values = None
        if labels is None:
            return
        for name in ("c", "color"):
            if name in self.style:
                raise ValueError(
                    f"scatter_kwargs={{{name!r}: ...}} and y both set the colours. "
                    "Leave one of them out."
                )
        if labels.dtype.kind == "f":
            self.values = labels.astype(np.float64)
            return
        is_integer = labels.dtype.kind == "i"
        known = labels != -1 if is_integer else np.full(len(labels), True)
        self.classes, places = np.unique(labels[known], return_inverse=True)
        self.values = np.full(len(labels), np.nan)
        self.values[known] = places
        n_classes = len(self.classes)
        few = "tab10" if n_classes <= 10 else "tab20"
        scale = {"cmap": few, "vmin": -0.5, "vmax": 9.5 if few == "tab10" else 19.5}
        if n_classes > 20:
            scale = {"cmap": "turbo", "vmin": 0, "vmax": n_classes - 1}
        self.style = scale | self.style

    def heights(self, x: np.ndarray) -> np.ndarray:
        """Return where points stand that have one code only."""
        none = np.arange(len(x))
        return none if self.values is None else np.nan_to_num(self.values, nan=-1.0)

    def draw(self, ax: Any, x: np.ndarray, y: np.ndarray) -> Any:
        """Draw points. Those without a label are grey and behind the others."""
        if self.values is None:
            return ax.scatter(x, y, **self.style)
        known = np.isfinite(self.values)
        if not known.all():
            grey = {k: v for k, v in self.style.items() if k not in _OF_COLOURS}
            ax.scatter(x[~known], y[~known], label=_NO_LABEL, color="0.8", **grey)
        return ax.scatter(x[known], y[known], c=self.values[known], **self.style)

    def explain(self, axes: np.ndarray, scatter: Any, name: str | None) -> None:
        """Draw a legend of classes, or a bar of numbers, at the right."""
        if self.values is None:
            return
        if self.classes is None:
            shown = [ax for ax in axes.ravel() if ax is not None]
            axes[0, 0].figure.colorbar(scatter, ax=shown, label=name)
            return
        if len(self.classes) > _MOST:
            return
        handles = []
        if len(self.classes):
            alpha = scatter.get_alpha()
            handles, _ = scatter.legend_elements(num=None, alpha=alpha)
        grey, grey_names = axes[0, 0].get_legend_handles_labels()
        legend = axes[0, 0].legend(
            [*handles, *grey],
            [*map(str, self.classes), *grey_names],
            title=name,
            ncols=1 + len(handles) // _IN_COLUMN,
            **BESIDE,
        )
        # In a grid the cell beside it is empty.
        legend.set_in_layout(len(axes) == 1)


_OF_COLOURS = "c", "color", "cmap", "norm", "vmin", "vmax"


def _grid(ax: Any, n_sides: int) -> np.ndarray:
    """Return axes for pairs, a lower triangle, in the place of the given ones."""
    if n_sides == 1:
        return np.array([[ax]], dtype=object)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "For more than two components ax must be a part of a grid, as the axes of "
            "plt.subplots are. Got axes that are not."
        )
    ax.set_axis_off()
    grid = place.subgridspec(n_sides, n_sides)
    axes = np.full((n_sides, n_sides), None)
    for i, j in zip(*np.tril_indices(n_sides), strict=True):
        shared = {"sharex": axes[j, j], "sharey": axes[i, 0]}
        axes[i, j] = ax.figure.add_subplot(grid[i, j], **shared)
        axes[i, j].tick_params(labelbottom=i == n_sides - 1, labelleft=j == 0)
    return axes
