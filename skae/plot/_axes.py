"""matplotlib on first use, and axes to draw on."""

from __future__ import annotations

from typing import Any


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


def axes_for(display: Any, ax: Any, figsize: tuple[float, float] | None = None) -> Any:
    """Return the axes that the user gave to ``plot``, or those of a new figure."""
    plt = pyplot(f"{type(display).__name__}.plot")
    if ax is None:
        return plt.subplots(figsize=figsize, layout="constrained")[1]
    if not isinstance(ax, plt.Axes):
        raise TypeError(
            f"ax must be one matplotlib Axes, or None for a new figure. Got {ax!r} "
            "instead."
        )
    return ax


def line_style(defaults: dict[str, Any], given: dict[str, Any] | None) -> dict:
    """Return keywords of a line. Those given replace defaults, by any of their names.

    matplotlib knows many properties by two names, for example "c" and "color".
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return defaults | normalize_kwargs(given or {}, Line2D)


def points_style(defaults: dict[str, Any], given: dict[str, Any] | None) -> dict:
    """Return keywords of points, likewise."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import PathCollection

    return defaults | normalize_kwargs(given or {}, PathCollection)


def image_style(defaults: dict[str, Any], given: dict[str, Any] | None) -> dict:
    """Return keywords of an image. A norm replaces the default limits of colours."""
    given = given or {}
    if "norm" in given:
        defaults = {k: v for k, v in defaults.items() if k not in ("vmin", "vmax")}
    return defaults | given
