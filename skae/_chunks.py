"""Rows taken some at a time, so that no copy of all of them is ever made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

_ELEMENTS = 2**21
_FEWEST_ROWS, _MOST_ROWS = 128, 2**15

_CACHED_ELEMENTS = 2**16

_ALIGNMENT = 64
"""Bytes: from such an address a CPU backend computes on an array in place."""


def slices(n_rows: int, size: int) -> Iterator[slice]:
    """Yield slices of ``size`` rows, the last one of what is left.

    As scikit-learn's `gen_batches`, whose check of its arguments takes longer than to
    encode a row.
    """
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def chunk_rows(n_features: int) -> int:
    """Return how many rows a chunk has: a power of two of about two million values."""
    rows = 2 ** int(np.log2(_ELEMENTS / n_features))
    return min(max(rows, _FEWEST_ROWS), _MOST_ROWS)


def chunks(X) -> Iterator[slice]:
    """Yield slices that cover the rows of ``X``."""
    return slices(X.shape[0], chunk_rows(X.shape[1]))


def cached_chunks(X) -> Iterator[slice]:
    """Yield slices so short that what is computed of them stays in a core's cache."""
    return slices(X.shape[0], max(_CACHED_ELEMENTS // X.shape[1], 1))


def dense(rows) -> np.ndarray:
    """Return rows of an array or of a sparse matrix as an array, in C order.

    Sums depend, in the last bit, on the order in memory: results must not.
    """
    return rows.toarray() if issparse(rows) else np.ascontiguousarray(rows)


@dataclass(frozen=True)
class Pairs:
    """Two sets of rows, taken side by side.

    Parameters
    ----------
    seen, wanted : array or CSR matrix of shape (n_samples, n_features)
        Rows as they come, and as they should have been.
    """

    seen: Any
    wanted: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pairs, and of the values in one."""
        return self.seen.shape[0], 2 * self.seen.shape[1]

    def __getitem__(self, rows) -> np.ndarray:
        return np.hstack([dense(self.seen[rows]), dense(self.wanted[rows])])


def aligned_empty(shape: tuple[int, int]) -> np.ndarray:
    """Return a float32 array that a CPU backend need not copy."""
    size = int(np.prod(shape))
    spare = _ALIGNMENT // np.float32().itemsize
    buffer = np.empty(size + spare, np.float32)
    start = -buffer.ctypes.data % _ALIGNMENT // buffer.itemsize
    return buffer[start : start + size].reshape(shape)
