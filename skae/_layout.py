"""Stored estimators: which layout they have, and whether this skae can read it."""

from __future__ import annotations

import warnings
from typing import Any

from ._version import __version__

LAYOUT = 1
"""Number of the layout in which estimators are stored.

It grows with every change after which older code would misread a stored estimator.
Then ``without_layout`` has to turn the layouts before into the new one.
Layout 0 had no number. Its arrays are those of layout 1.
"""

_KEY = "_skae_layout"


class Layout:
    """The layout of a stored estimator, and the skae that stored it.

    It comes first in the state. So a newer layout is refused before its other parts,
    which may be of classes that this skae does not have, are read.

    Parameters
    ----------
    number : int
        Number of the layout.

    version : str
        Version of skae.
    """

    def __init__(self, number: int, version: str) -> None:
        self.number, self.version = number, version

    def __setstate__(self, state: dict) -> None:
        number, version = state["number"], state["version"]
        if number > LAYOUT:
            raise ValueError(
                f"This estimator was stored by skae {version} in layout {number}. "
                f"The installed skae {__version__} reads the layouts 0 to {LAYOUT}. "
                f"Install skae {version} or later, or fit the estimator again."
            )
        self.number, self.version = number, version


def with_layout(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an estimator for a file: with its layout."""
    return {_KEY: Layout(LAYOUT, __version__), **state}


def without_layout(estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes in the state of a file.

    Warns
    -----
    UserWarning
        If another version of skae stored it, or an unknown one.
    """
    state = dict(state)
    layout = state.pop(_KEY, None)
    # Layout 0 had at most the version.
    version = state.pop("_skae_version", "an unknown version")
    if layout is not None:
        version = layout.version
    if version != __version__:
        warnings.warn(
            f"This {type(estimator).__name__} was stored by skae {version} and is "
            f"loaded by skae {__version__}. It may give other results.",
            UserWarning,
            stacklevel=3,
        )
    return state
