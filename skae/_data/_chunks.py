"""Rows taken some at a time, so that no copy of all of them is ever made."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import issparse

RESIDENT_BYTES = 2**28
"""Data up to this size stay on the device during the whole training."""

_ELEMENTS = 2**21
_FEWEST_ROWS, _MOST_ROWS = 128, 2**15

_CACHED_ELEMENTS = 2**16

_ALIGNMENT = 64
"""Bytes. A CPU backend computes in place on an array that starts at such an address."""


def slices(n_rows: int, size: int) -> Iterator[slice]:
    """Yield slices of ``size`` rows; the last one holds the rest.

    scikit-learn's `gen_batches` does the same, but the checks of its arguments take
    longer than it takes to encode a row.
    """
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def chunk_rows(n_features: int) -> int:
    """Return the rows in a chunk: a power of two, for about two million values."""
    rows = 2 ** int(np.log2(_ELEMENTS / n_features))
    return min(max(rows, _FEWEST_ROWS), _MOST_ROWS)


def chunks(X) -> Iterator[slice]:
    """Yield slices that cover the rows of ``X``."""
    return slices(X.shape[0], chunk_rows(X.shape[1]))


def cached_chunks(X) -> Iterator[slice]:
    """Yield slices so short that results for one of them stay in a core's cache."""
    return slices(X.shape[0], max(_CACHED_ELEMENTS // X.shape[1], 1))


def dense(rows) -> np.ndarray:
    """Return rows of an array or of a sparse matrix as an array in C order.

    The last bits of a sum depend on the order in memory. Results must not.
    """
    return rows.toarray() if issparse(rows) else np.ascontiguousarray(rows)


def aligned_empty(shape: tuple[int, int]) -> np.ndarray:
    """Return an uninitialised float32 array that a CPU backend need not copy."""
    size = int(np.prod(shape))
    spare = _ALIGNMENT // np.float32().itemsize
    buffer = np.empty(size + spare, np.float32)
    start = -buffer.ctypes.data % _ALIGNMENT // buffer.itemsize
    return buffer[start : start + size].reshape(shape)
