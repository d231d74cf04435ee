"""How rows reach the device: all of them once, or a block at a time at every pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from .._chunks import aligned_empty, chunk_rows, chunks, dense, slices
from .._scaling import Scaling

RESIDENT_BYTES = 2**28
"""Size up to which the rows lie on the device for as long as training lasts."""

BLOCK_BYTES = 2**26
"""Size of the blocks in which larger data stream through."""

SEGMENT = 256
"""Neighbouring rows that stay in one block: what a memory map reads in one go."""


class Block(NamedTuple):
    """Rows on the device, and which of them a model sees in which batch.

    Parameters
    ----------
    rows : array of shape (capacity, n_features)
        Rows in the network's units.

    order : ndarray of shape (n_batches, batch_size), int32
        Numbers of the rows in each batch.

    n_rows : int32
        How many of these count; the others fill up the last batch and the capacity.

    first : int
        Number of the block's first batch within the pass.
    """

    rows: Any
    order: np.ndarray
    n_rows: np.int32
    first: int

    @classmethod
    def of(cls, rows, numbers: np.ndarray, shape: tuple[int, int], first=0) -> Block:
        """Fold row numbers into batches, the first ones again where some lack."""
        order = np.resize(numbers, shape) if len(numbers) else np.zeros(shape)
        return cls(rows, order.astype(np.int32), np.int32(len(numbers)), first)

    def exact(self) -> Iterator[Block]:
        """Yield the whole batches, then the last one, in a shape of its own.

        For networks that mix the rows of a batch: nothing fills it up.
        """
        batch_size, n_rows = self.order.shape[1], int(self.n_rows)
        whole = n_rows // batch_size * batch_size
        if whole:
            yield self._replace(n_rows=np.int32(whole))
        if whole < n_rows:
            rest = self.order.reshape(1, -1)[:, whole:n_rows]
            first = self.first + whole // batch_size
            yield Block(self.rows, rest, np.int32(n_rows - whole), first)


class Feed(Protocol):
    """Passes over some of the rows, given by their numbers."""

    def in_order(self, rows: np.ndarray) -> Iterator[Block]:
        """Yield the given rows as they come."""

    def shuffled(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield as many of the given rows, in random order."""


@dataclass(frozen=True)
class Resident:
    """All rows on the device.

    Parameters
    ----------
    rows : array of shape (n_batches * batch_size, n_features)
        Rows in the network's units, filled up with zeros.

    batch_size, n_batches : int
        Shape of the order.

    place : callable
        Puts rows on the device.
    """

    rows: Any
    batch_size: int
    n_batches: int
    place: Callable

    @classmethod
    def of(cls, X, scaling: Scaling, batch_size: int, place: Callable) -> Resident:
        """Scale the rows of ``X`` and place them on the device."""
        n_batches = _capacity(X.shape[0], batch_size)
        shape = n_batches * batch_size, X.shape[1]
        rows = _scaled((X[chunk] for chunk in chunks(X)), scaling, shape)
        return cls(place(rows), batch_size, n_batches, place)

    def in_order(self, rows: np.ndarray) -> Iterator[Block]:
        """Yield one block."""
        yield Block.of(self.rows, rows, (self.n_batches, self.batch_size))

    def shuffled(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield one block; where there are fewer rows, the first of them again."""
        return self.in_order(np.resize(rng.permutation(rows), size))


@dataclass(frozen=True)
class Streamed:
    """A block on the device at a time, read, scaled and made dense on its way.

    Shuffling is by segments of neighbouring rows, then by rows within a block: a
    sequential read where a full shuffle would be a random one for every row.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Rows in the data's units.

    scaling : Scaling
        Between these and the network's.

    batch_size, n_batches : int
        Shape of a block.

    place : callable
        Puts rows on the device.
    """

    X: Any
    scaling: Scaling
    batch_size: int
    n_batches: int
    place: Callable

    @classmethod
    def of(cls, X, scaling: Scaling, batch_size: int, place: Callable) -> Streamed:
        """Choose the size of a block."""
        batch_bytes = 4 * X.shape[1] * batch_size
        return cls(X, scaling, batch_size, -(-BLOCK_BYTES // batch_bytes), place)

    def in_order(self, rows: np.ndarray) -> Iterator[Block]:
        """Yield blocks of rows."""
        for first, part in self._parts(rows):
            yield self._block(first, part, np.arange(len(part)))

    def shuffled(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield blocks of segments in random order, their rows mixed."""
        segments = np.array_split(np.sort(rows), -(-size // SEGMENT))
        order = rng.permutation(len(segments))
        rows = np.concatenate([segments[segment] for segment in order])
        for first, part in self._parts(rows):
            yield self._block(first, part, rng.permutation(len(part)))

    def _parts(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        size = self.n_batches * self.batch_size
        for start in range(0, len(rows), size):
            yield start // self.batch_size, rows[start : start + size]

    def _block(self, first: int, part: np.ndarray, order: np.ndarray) -> Block:
        shape = self.n_batches * self.batch_size, self.X.shape[1]
        taken = slices(len(part), chunk_rows(self.X.shape[1]))
        rows = _scaled((self.X[part[some]] for some in taken), self.scaling, shape)
        batches = self.n_batches, self.batch_size
        return Block.of(self.place(rows), order, batches, first)


def feed(X, scaling: Scaling, batch_size: int, n_models: int, place: Callable) -> Feed:
    """Return the feed for the rows of ``X``.

    With few rows, where several models train side by side, all are resident.
    """
    n_bytes = 4 * X.shape[0] * X.shape[1]
    fits = n_bytes <= RESIDENT_BYTES or n_models > 1
    return (Resident if fits else Streamed).of(X, scaling, batch_size, place)


def _capacity(n_rows: int, batch_size: int) -> int:
    """Return a number of batches that samples of about as many rows share.

    Steps of at most an eighth: all folds of a cross-validation, and most of the sizes
    of a learning curve, find their program compiled.
    """
    step = 2 ** max(int(np.log2(n_rows)) - 3, 0)
    return -(-(-(-n_rows // step) * step) // batch_size)


def _scaled(portions, scaling: Scaling, shape: tuple[int, int]) -> np.ndarray:
    """Return portions of rows in the network's units, filled up with zeros."""
    rows, stop = aligned_empty(shape), 0
    for portion in portions:
        start, stop = stop, stop + portion.shape[0]
        rows[start:stop] = scaling.apply_for_training(dense(portion))
    rows[stop:] = 0
    return rows
