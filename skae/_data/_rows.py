"""Rows and the parts of a row, taken some at a time so that nothing is copied whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

RESIDENT_BYTES = 2**28
"""Data up to this size stay on the device during the whole training."""

_ELEMENTS = 2**21
_FEWEST_ROWS, _MOST_ROWS = 128, 2**15

_CACHED_ELEMENTS = 2**16

_ALIGNMENT = 64
"""Bytes. A CPU backend computes in place on an array that starts at such an address."""


class Batch(NamedTuple):
    """Some rows, part by part.

    The same structure holds the user's arrays, a block on the device and one mini-batch
    of it. Parts that are None are absent everywhere: no program computes with them.

    Parameters
    ----------
    input : array of shape (n_rows, n_features)
        What the network sees.

    output : array of shape (n_rows, n_features) or None
        What it should return. None where that is the input itself.

    label : array of shape (n_rows, n_outputs) or None
        What else the codes should predict.

    mask : array of shape (n_rows, n_features) or None
        1 for values that were observed, 0 for missing ones.
    """

    input: Any
    output: Any = None
    label: Any = None
    mask: Any = None

    @property
    def target(self) -> Any:
        """What the network should return."""
        return self.input if self.output is None else self.output

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.input.shape[0]

    def map(self, function: Callable) -> Batch:
        """Return a batch with a function of every part that there is."""
        return Batch(*[None if part is None else function(part) for part in self])


@dataclass(frozen=True)
class ConcatenatedRows:
    """The rows of one set, then those of another, without a copy.

    Parameters
    ----------
    first, second : {array, CSR matrix} of shape (n_rows, n_features)
        Rows of equal width.
    """

    first: Any
    second: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self.first.shape[0] + self.second.shape[0], self.first.shape[1]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return some rows as an array."""
        numbers = np.arange(self.shape[0])[rows]
        is_first = numbers < self.first.shape[0]
        of_first = dense(self.first[numbers[is_first]])
        of_second = dense(self.second[numbers[~is_first] - self.first.shape[0]])
        dtype = np.result_type(of_first, of_second)
        taken = np.empty((len(numbers), self.shape[1]), dtype)
        taken[is_first], taken[~is_first] = of_first, of_second
        return taken


def is_dask(X: Any) -> bool:
    """Say whether ``X`` is an array or a data frame of Dask."""
    # Dask itself need not be installed.
    of_dask = type(X).__module__.partition(".")[0] in ("dask", "dask_expr")
    return of_dask and hasattr(X, "to_delayed") and len(getattr(X, "shape", ())) == 2


def reduce_rows(X: Any, function: Callable, merge: Callable) -> Any:
    """Return what is merged of a function of all rows, some at a time.

    Parameters
    ----------
    X : {array, CSR matrix, DaskRows} of shape (n_rows, n_features)
        The rows.

    function : callable
        What to compute of an array of some rows. For rows of Dask, workers call it.

    merge : callable
        Makes one result of two.
    """
    if hasattr(X, "reduced"):
        return X.reduced(function, merge)
    total = None
    for part in chunks(X):
        found = function(dense(X[part]))
        total = found if total is None else merge(total, found)
    return total


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


def chunks(X: Any) -> Iterator[slice]:
    """Yield slices that cover the rows of ``X``."""
    return slices(X.shape[0], chunk_rows(X.shape[1]))


def cached_chunks(X: Any) -> Iterator[slice]:
    """Yield slices so short that results for one of them stay in a core's cache."""
    return slices(X.shape[0], max(_CACHED_ELEMENTS // X.shape[1], 1))


def dense(rows: Any) -> np.ndarray:
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
