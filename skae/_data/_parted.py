"""The rows of a Dask collection that train, and those that are held out."""

from __future__ import annotations

import contextvars
import functools
import operator
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._collection import Collection

_MOST_BYTES = 2**26
"""Size up to which rows are held out, as float32."""


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
        cls, collection: Collection, fraction: float, rng: np.random.RandomState
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
class Parted:
    """A collection of which some rows are held out.

    Parameters
    ----------
    collection : Collection
        All rows.

    rule : HoldOutRule
        Which are held out.

    held_out : ndarray of shape (n_held_out, n_features)
        These rows, without copies.

    n_training : int
        Number of the others.
    """

    collection: Collection
    rule: HoldOutRule
    held_out: np.ndarray
    n_training: int

    @classmethod
    def of(
        cls, collection: Collection, fraction: float, rng: np.random.RandomState
    ) -> Parted:
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

        tasks = self.collection.mapped(
            self.collection.parts,
            functools.partial(_converted, self.rule, convert),
            operator.add,
        )
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
