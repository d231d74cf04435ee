"""Which values of each row are observed, with equal rows grouped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .._data import slices


class Patterns(NamedTuple):
    """The distinct patterns of observed values.

    What depends on the pattern only is computed once for all rows that share it.

    Parameters
    ----------
    observed : ndarray of shape (n_patterns, n_features), bool
        The distinct patterns.

    of_row : ndarray of shape (n_rows,), int
        Number of each row's pattern.

    counts : ndarray of shape (n_patterns,), int
        Number of rows of each pattern.
    """

    observed: np.ndarray
    of_row: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, observed: np.ndarray) -> Patterns:
        """Group the rows of a boolean array."""
        # Eight values fit into a byte, and sorting takes an eighth of the time.
        packed = np.packbits(observed, axis=1)
        _, first, of_row, counts = np.unique(
            packed, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        # NumPy 2.0 returned the inverse in two dimensions.
        return cls(observed[first], of_row.ravel(), counts)

    def parts(self, size: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield ``size`` patterns at a time, with the numbers of their rows."""
        order = np.argsort(self.of_row, kind="stable")
        ends = np.append(0, np.cumsum(self.counts))
        for part in slices(len(self.counts), size):
            yield part, order[ends[part.start] : ends[part.stop]]
