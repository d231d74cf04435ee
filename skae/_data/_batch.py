"""The parts of a row: what a network sees, and what it should return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Batch(NamedTuple):
    """Some rows, part by part.

    The same structure holds the user's arrays, a block on the device and one batch of
    it. Parts that are None are absent everywhere: no program computes with them.

    Parameters
    ----------
    input : array of shape (n_rows, n_features)
        What the network sees.

    target : array of shape (n_rows, n_features) or None
        What it should return. None where that is the input itself.

    label : array of shape (n_rows, n_outputs) or None
        What else the codes should predict.

    mask : array of shape (n_rows, n_features) or None
        1 for values that were observed, 0 for missing ones.
    """

    input: Any
    target: Any = None
    label: Any = None
    mask: Any = None

    @property
    def wanted(self) -> Any:
        """What the network should return."""
        return self.input if self.target is None else self.target

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.input.shape[0]

    @property
    def width(self) -> int:
        """Number of values in a row, over all parts."""
        return sum(part.shape[1] for part in self if part is not None)

    def map(self, function: Callable) -> Batch:
        """Return a batch with a function of every part that there is."""
        return Batch(*(None if part is None else function(part) for part in self))
