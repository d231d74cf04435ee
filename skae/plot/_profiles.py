"""Rows shown as lines over their features, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._axes import line_style

_FEW = 30
"""Up to so many features are drawn with markers and have names."""


def draw_profiles(
    ax: Any,
    grid: np.ndarray,
    names: Sequence[str],
    columns: Sequence[str],
    styles: Sequence[dict],
    given: dict | None,
    feature_names: Any = None,
) -> list:
    """Draw rows as lines over their features.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.

    grid : ndarray of shape (n_lines, n_columns, n_features)
        The rows of each line. Columns are side by side, with a gap between them.

    names, columns : sequence of str
        Names of lines and of columns.

    styles : sequence of dict
        Keywords for each line.

    given : dict or None
        Keywords of the user for all lines.

    feature_names : sequence of str or None
        Written below a single column of few features.

    Returns
    -------
    lines : list of matplotlib Line2D
    """
    n_lines, n_columns, n_features = grid.shape
    gap = max(1, n_features // 8)
    spaced = np.pad(
        grid.astype(np.float64), ((0, 0), (0, 0), (0, gap)), constant_values=np.nan
    )
    spaced = spaced.reshape(n_lines, -1)
    places = np.arange(spaced.shape[1])
    marker = {"marker": "."} if n_features <= _FEW else {}
    lines = [
        ax.plot(places, row, **line_style({"label": name, **marker, **style}, given))[0]
        for row, name, style in zip(spaced, names, styles, strict=True)
    ]
    if n_columns == 1 and n_features <= _FEW and feature_names is not None:
        ax.set_xticks(places[:n_features], feature_names, rotation=45, ha="right")
    else:
        middles = np.arange(n_columns) * (n_features + gap) + (n_features - 1) / 2
        ax.set_xticks(middles, columns)
        ax.tick_params(axis="x", length=0)
    ax.set_ylabel("feature value")
    return lines


def name_lines(ax: Any, title: str | None = None) -> None:
    """Write the names of the lines beside the axes."""
    ax.legend(title=title, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
