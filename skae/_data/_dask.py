"""Rows of a Dask collection, which no process holds as a whole."""

from __future__ import annotations

import contextvars
import functools
import operator
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ._loaders import Block, InMemoryLoader, Place
from ._rows import Batch, aligned_empty, chunks, dense, slices
from ._scaling import Moments, Scaling

_MERGED_AT_ONCE = 8
"""Results that one task merges."""

_MOST_BYTES = 2**26
"""Size up to which rows are held out, as float32."""

BLOCK_BYTES = 2**25
"""Size of a block. Beside it there are the rows of two windows in memory."""


def as_array(X: Any) -> Any:
    """Return a Dask array whose blocks hold whole rows."""
    array = X.to_dask_array() if hasattr(X, "to_dask_array") else X
    return array.rechunk({1: -1}) if array.numblocks[1] > 1 else array


def meta(X: Any) -> Any:
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
class DaskRows:
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
    def of(cls, X: Any) -> DaskRows:
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
    def moments(self) -> Moments:
        """Number, mean and scatter matrix of the rows."""
        return self.summary.moments

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

        found = self.mapped(function, merge)
        join = dask.delayed(functools.partial(_joined, merge))
        while len(found) > 1:
            starts = range(0, len(found), _MERGED_AT_ONCE)
            found = [join(found[start : start + _MERGED_AT_ONCE]) for start in starts]
        return dask.compute(found[0])[0]

    def mapped(self, function: Callable, merge: Callable) -> list:
        """Return tasks that reduce one part each. They give None of an empty part."""
        import dask

        task = dask.delayed(functools.partial(_of_part, self.dtype, function, merge))
        return [task(part) for part in self.parts]


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


class HoldOutRule(NamedTuple):
    """Which rows are held out: those with a low mark, a number computed of their bits.

    Every worker finds the same rows without being told. Equal rows have equal marks, so
    copies are on the same side. The marks are a random linear function of the 32-bit
    words of a row, modulo 2^64. They are pairwise independent (Lemire & Kaser 2014).

    Parameters
    ----------
    keys : ndarray of uint64
        The factors of the words, and behind them a constant.

    most : uint64
        Rows with a mark below this are held out.
    """

    keys: np.ndarray
    most: np.uint64

    @classmethod
    def draw(
        cls, collection: DaskRows, fraction: float, rng: np.random.RandomState
    ) -> HoldOutRule:
        """Draw a rule that holds out a fraction of the rows, but not too many."""
        n_rows, n_features = collection.shape
        fraction = min(fraction, _MOST_BYTES / (4 * n_features * n_rows))
        n_keys = n_features * collection.dtype.itemsize // 4 + 1
        keys = np.frombuffer(rng.bytes(8 * n_keys), np.uint64)
        return cls(keys, np.uint64(fraction * 2**64))

    def marks(self, rows: np.ndarray) -> np.ndarray:
        """Return the mark of each row."""
        # Adding zero turns a negative zero into a positive one.
        words = np.ascontiguousarray(rows + 0.0).view(np.uint32)
        return words.astype(np.uint64) @ self.keys[:-1] + self.keys[-1]

    def training(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows that train."""
        return rows[self.marks(rows) >= self.most]


class HeldOutRows(NamedTuple):
    """Held-out rows without copies, and the number of the others.

    Parameters
    ----------
    marks : ndarray of shape (n_held_out,), uint64
        Sorted.

    rows : ndarray of shape (n_held_out, n_features)
        The rows, in this order. It does not depend on the parts of the collection.

    n_training : int
        Number of the rows that are not held out.
    """

    marks: np.ndarray
    rows: np.ndarray
    n_training: int

    @classmethod
    def of(cls, rule: HoldOutRule, rows: np.ndarray) -> HeldOutRows:
        """Return those of some rows."""
        marks = rule.marks(rows)
        held_out = np.flatnonzero(marks < rule.most)
        marks, first = np.unique(marks[held_out], return_index=True)
        return cls(marks, rows[held_out[first]], len(rows) - len(held_out))

    def merged(self, other: HeldOutRows) -> HeldOutRows:
        """Return those of both."""
        marks, first = np.unique(
            np.concatenate([self.marks, other.marks]), return_index=True
        )
        rows = np.concatenate([self.rows, other.rows])[first]
        return HeldOutRows(marks, rows, self.n_training + other.n_training)


@dataclass(frozen=True, eq=False)
class DaskSplit:
    """A collection of which some rows are held out.

    Parameters
    ----------
    collection : DaskRows
        All rows.

    rule : HoldOutRule
        Which are held out.

    held_out : ndarray of shape (n_held_out, n_features)
        These rows, without copies.

    n_training : int
        Number of the others.
    """

    collection: DaskRows
    rule: HoldOutRule
    held_out: np.ndarray
    n_training: int

    @classmethod
    def draw(
        cls, collection: DaskRows, fraction: float, rng: np.random.RandomState
    ) -> DaskSplit:
        """Draw rows to hold out, and gather them."""
        rule = HoldOutRule.draw(collection, fraction, rng)
        found = collection.reduced(
            functools.partial(HeldOutRows.of, rule), HeldOutRows.merged
        )
        return cls(collection, rule, found.rows, found.n_training)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, copies of held-out rows left out, and of features."""
        n_rows = self.n_training + len(self.held_out)
        return n_rows, self.collection.n_features

    @property
    def extremes(self) -> np.ndarray:
        """The smallest and the largest value of each feature, (2, n_features)."""
        return self.collection.extremes

    def windows(
        self, order: np.ndarray, convert: Callable, size: int
    ) -> Iterator[list[np.ndarray]]:
        """Yield the converted training rows of a few parts at a time.

        While the rows of a window are used, those of the next are computed.

        Parameters
        ----------
        order : ndarray of int
            Numbers of the parts.

        convert : callable
            What the workers make of the rows.

        size : int
            How many rows a window should have at least.
        """
        import dask

        converted = functools.partial(_converted, self.rule, convert)
        tasks = self.collection.mapped(converted, operator.add)
        mean_rows = max(self.shape[0] // len(tasks), 1)
        at_once = -(-size // mean_rows)
        windows = [
            [tasks[number] for number in order[start : start + at_once]]
            for start in range(0, len(order), at_once)
        ]
        with ThreadPoolExecutor(1) as thread:

            def begin(window):
                # Dask's scheduler may be set in the context of this thread.
                context = contextvars.copy_context()
                return thread.submit(context.run, dask.compute, *window)

            # Nothing here keeps the rows of a window after it was yielded.
            coming = deque([begin(windows[0])])
            for following in [*windows[1:], None]:
                found = coming.popleft().result()
                if following is not None:
                    coming.append(begin(following))
                arrays = [array for part in found for array in part or ()]
                del found
                yield arrays


def _converted(rule: HoldOutRule, convert: Callable, rows: np.ndarray) -> list:
    return [convert(rule.training(rows))]


@dataclass(frozen=True)
class DaskLoader:
    """Blocks of the rows of a few parts of a collection.

    The numbers of held-out rows come first. The others have no numbers of their own:
    every pass reads all of them, part by part. A pass in random order shuffles the
    parts, then the rows of neighbouring parts.

    Parameters
    ----------
    X : DaskSplit
        The rows, in the data's units.

    scaling : Scaling
        Between the data's units and the network's.

    held_out : InMemoryLoader or None
        The held-out rows, if there are any.

    batch_size, n_batches : int
        Shape of a block's order.

    place : callable
        Puts a batch on the device.
    """

    X: DaskSplit
    scaling: Scaling
    held_out: InMemoryLoader | None
    batch_size: int
    n_batches: int
    place: Place

    @classmethod
    def of(
        cls, X: DaskSplit, scaling: Scaling, batch_size: int, place: Place
    ) -> DaskLoader:
        """Place the held-out rows on the device, and choose the size of a block."""
        held_out = None
        if len(X.held_out):
            held_out = InMemoryLoader.of(Batch(X.held_out), scaling, batch_size, place)
        n_batches = -(-BLOCK_BYTES // (4 * X.shape[1] * batch_size))
        return cls(X, scaling, held_out, batch_size, n_batches, place)

    def in_order(self, rows: Any) -> Iterator[Block]:
        """Yield the held-out rows, or these and all others."""
        n_held_out, first = len(self.X.held_out), 0
        if self.held_out is not None:
            yield from self.held_out.in_order(np.arange(n_held_out))
            first = -(-n_held_out // self.batch_size)
        if len(rows) > n_held_out:
            order = np.arange(len(self.X.collection.parts))
            yield from self._blocks(order, np.arange, first)

    def shuffled(
        self, rows: Any, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield the rows that train in random order."""
        return self._blocks(
            rng.permutation(len(self.X.collection.parts)), rng.permutation, 0
        )

    def _blocks(self, order: np.ndarray, arranged, first: int) -> Iterator[Block]:
        capacity = self.n_batches * self.batch_size
        rest = np.empty((0, self.X.shape[1]), np.float32)
        convert = self.scaling.apply_for_training
        for window in self.X.windows(order, convert, 2 * capacity):
            rows = np.concatenate([rest, *window])
            # The generator has this list, too.
            window.clear()
            numbers = arranged(len(rows))
            n_full = len(rows) // capacity * capacity
            for part in slices(n_full, capacity):
                yield self._block(rows, numbers[part], first)
                first += self.n_batches
            rest = rows[numbers[n_full:]]
            del rows
        if len(rest):
            yield self._block(rest, np.arange(len(rest)), first)

    def _block(self, rows: np.ndarray, numbers: np.ndarray, first: int) -> Block:
        shape = self.n_batches, self.batch_size
        chosen = aligned_empty((self.n_batches * self.batch_size, rows.shape[1]))
        np.take(rows, numbers, axis=0, out=chosen[: len(numbers)], mode="clip")
        chosen[len(numbers) :] = 0
        placed = self.place(Batch(chosen))
        return Block.of(placed, np.arange(len(numbers)), shape, first)
