"""Rows of a Dask collection, which no process holds as a whole."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ._chunks import RESIDENT_BYTES, chunks, dense
from ._moments import Moments

_MOST_FEATURES = 4000
"""With more features, a matrix of products between them is too large."""

_MERGED_AT_ONCE = 8
"""Results that one task merges."""


def is_collection(X: Any) -> bool:
    """Say whether ``X`` is an array or a data frame of Dask."""
    # Dask itself need not be installed.
    of_dask = type(X).__module__.partition(".")[0] in ("dask", "dask_expr")
    return of_dask and hasattr(X, "to_delayed") and len(getattr(X, "shape", ())) == 2


def few_or_collection(X: Any, estimator: Any, beside: dict[str, Any]) -> Any:
    """Return rows of Dask for ``fit``: an array or a frame if few, else a collection.

    Parameters
    ----------
    X : dask.array.Array or dask.dataframe.DataFrame
        The rows.

    estimator : estimator
        It is named in errors.

    beside : dict
        Arguments of ``fit`` that go with arrays only, by name.
    """
    name, (n_rows, n_features) = type(estimator).__name__, as_array(X).shape
    most = RESIDENT_BYTES // (4 * n_features)
    if n_rows <= most:
        return X.compute()
    if n_features > _MOST_FEATURES:
        raise ValueError(
            f"{name} takes at most {_MOST_FEATURES} features from Dask, since it "
            f"stores their products with each other. X has {n_features} features."
        )
    # The number of rows of a data frame is not known before the first pass.
    collection = Collection.of(X)
    if collection.shape[0] <= most:
        return X.compute()
    parameters = estimator.get_params(deep=False)
    beside = beside | {"density": parameters.get("density")}
    beside["target_weight"] = parameters.get("target_weight") or None
    for other, value in beside.items():
        if value is not None:
            raise ValueError(
                f"{other} cannot be combined with a Dask collection of more than "
                f"{RESIDENT_BYTES // 2**20} MiB. Leave it out, or give {name} an "
                "array or a memory map."
            )
    return collection


def as_array(X: Any) -> Any:
    """Return a Dask array whose blocks hold whole rows."""
    array = X.to_dask_array() if hasattr(X, "to_dask_array") else X
    return array.rechunk({1: -1}) if array.numblocks[1] > 1 else array


def header(X: Any) -> Any:
    """Return what has the feature names and the width of a Dask collection."""
    # scikit-learn knows no data frames of Dask, but the empty ones inside them.
    return X._meta if hasattr(X, "columns") else X


def floats(dtype: Any) -> np.dtype:
    """Return the dtype in which values of a dtype are computed."""
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


class Summary(NamedTuple):
    """What one pass finds out about rows.

    Parameters
    ----------
    moments : Moments
        Of the rows.

    low, high : ndarray of shape (n_features,)
        The smallest and the largest value of each feature. NaN where one is missing.
    """

    moments: Moments
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Summary:
        """Return the summary of some rows."""
        # Rows that are not finite are refused afterwards.
        with np.errstate(invalid="ignore", over="ignore"):
            moments = Moments.of(rows.astype(np.float64, copy=False))
            return cls(moments, rows.min(axis=0), rows.max(axis=0))

    def merged(self, other: Summary) -> Summary:
        """Return the summary of both sets of rows."""
        with np.errstate(invalid="ignore", over="ignore"):
            return Summary(
                self.moments.merged(other.moments),
                np.minimum(self.low, other.low),
                np.maximum(self.high, other.high),
            )


@dataclass(frozen=True, eq=False)
class Collection:
    """Rows that are in parts, each of which is computed when it is needed.

    Parameters
    ----------
    parts : tuple of dask.delayed.Delayed
        Blocks of rows.

    n_features : int
        Number of features.

    dtype : dtype
        float32 or float64, as which the rows are read.
    """

    parts: tuple
    n_features: int
    dtype: np.dtype

    @classmethod
    def of(cls, X: Any) -> Collection:
        """Return the rows of a Dask array or of a Dask data frame."""
        array = as_array(X)
        parts = tuple(array.to_delayed().ravel())
        return cls(parts, array.shape[1], floats(array.dtype))

    @functools.cached_property
    def summary(self) -> Summary:
        """What one pass finds out about the rows."""
        found = self.reduced(Summary.of, Summary.merged)
        if found is None:
            raise ValueError(
                f"Found array with 0 sample(s) (shape=(0, {self.n_features})) while a "
                "minimum of 1 is required."
            )
        return found

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self.summary.moments.count, self.n_features

    @property
    def extremes(self) -> np.ndarray:
        """The smallest and the largest value of each feature, (2, n_features)."""
        return np.stack([self.summary.low, self.summary.high])

    def min(self) -> Any:
        """Return the smallest value."""
        return self.summary.low.min()

    def max(self) -> Any:
        """Return the largest value."""
        return self.summary.high.max()

    def reduced(self, function: Callable, merge: Callable) -> Any:
        """Return what is merged of a function of all rows, computed by Dask.

        Parameters
        ----------
        function : callable
            What to compute of an array of some rows.

        merge : callable
            Makes one result of two.
        """
        import dask

        found = self.mapped(self.parts, function, merge)
        join = dask.delayed(functools.partial(_joined, merge))
        while len(found) > 1:
            starts = range(0, len(found), _MERGED_AT_ONCE)
            found = [join(found[start : start + _MERGED_AT_ONCE]) for start in starts]
        return dask.compute(found[0])[0]

    def mapped(self, parts: Any, function: Callable, merge: Callable) -> list:
        """Return tasks that reduce one part each. They give None of an empty part."""
        import dask

        task = dask.delayed(functools.partial(_of_part, self.dtype, function, merge))
        return [task(part) for part in parts]


def reduced(X: Any, function: Callable, merge: Callable) -> Any:
    """Return what is merged of a function of all rows, some at a time.

    Parameters
    ----------
    X : {array, CSR matrix, Collection} of shape (n_rows, n_features)
        The rows.

    function : callable
        What to compute of an array of some rows. For a collection, workers call it.

    merge : callable
        Makes one result of two.
    """
    if isinstance(X, Collection):
        return X.reduced(function, merge)
    return functools.reduce(merge, (function(dense(X[part])) for part in chunks(X)))


def _of_part(dtype: Any, function: Callable, merge: Callable, part: Any) -> Any:
    rows = part.tocsr() if hasattr(part, "tocsr") else part
    found = (
        function(dense(rows[some]).astype(dtype, copy=False)) for some in chunks(rows)
    )
    return _joined(merge, found)


def _joined(merge: Callable, found: Iterable) -> Any:
    total = None
    for one in found:
        if one is not None:
            total = one if total is None else merge(total, one)
    return total
