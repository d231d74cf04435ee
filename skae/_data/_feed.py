"""How rows reach the device: all of them once, or a block at a time in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from ._batch import Batch
from ._chunks import RESIDENT_BYTES, aligned_empty, chunk_rows, chunks, dense, slices
from ._scaling import Scaling

BLOCK_BYTES = 2**26
"""Size of the blocks in which larger data pass through the device."""

SEGMENT = 256
"""Neighbouring rows that stay in one block. A memory map reads them in one go."""

Place = Callable[[Batch], Batch]
"""Puts a batch on the device."""


class Block(NamedTuple):
    """Rows on the device, and the order in which a model sees them.

    Parameters
    ----------
    rows : Batch of arrays of shape (capacity, n_values)
        Rows in the network's units.

    order : ndarray of shape (n_batches, batch_size), int32
        Numbers of the rows in each batch.

    n_rows : int32
        How many of these count. The others fill up the last batch and the capacity.

    first : int
        Number of the block's first batch within the epoch.
    """

    rows: Batch
    order: np.ndarray
    n_rows: np.int32
    first: int

    @classmethod
    def of(
        cls, rows: Batch, numbers: np.ndarray, shape: tuple[int, int], first: int = 0
    ) -> Block:
        """Fold row numbers into batches. Where some are missing, repeat the first."""
        order = np.resize(numbers, shape) if len(numbers) else np.zeros(shape)
        return cls(rows, order.astype(np.int32), np.int32(len(numbers)), first)

    def without_padding(self) -> Iterator[Block]:
        """Yield the full batches, then the last one in its own shape."""
        batch_size, n_rows = self.order.shape[1], int(self.n_rows)
        n_full = n_rows // batch_size * batch_size
        if n_full:
            yield self._replace(n_rows=np.int32(n_full))
        if n_full < n_rows:
            rest = self.order.reshape(1, -1)[:, n_full:n_rows]
            first = self.first + n_full // batch_size
            yield Block(self.rows, rest, np.int32(n_rows - n_full), first)


class Feed(Protocol):
    """Passes over some of the rows, given by their numbers in an array or a range."""

    def in_order(self, rows: Any) -> Iterator[Block]:
        """Yield the given rows in the given order."""

    def shuffled(
        self, rows: Any, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield ``size`` of the given rows in random order."""


@dataclass(frozen=True)
class Resident:
    """All rows on the device.

    Parameters
    ----------
    rows : Batch of arrays of shape (n_batches * batch_size, n_values)
        Rows on the device, in the network's units, filled up with zeros.

    on_host : Batch of ndarray
        The same rows in NumPy. A CPU backend shares the memory.

    batch_size, n_batches : int
        Shape of the order.

    place : callable
        Puts a batch on the device.
    """

    rows: Batch
    on_host: Batch
    batch_size: int
    n_batches: int
    place: Place

    @classmethod
    def of(cls, X: Batch, scaling: Scaling, batch_size: int, place: Place) -> Resident:
        """Scale the rows of ``X`` and place them on the device."""
        n_batches = -(-shared_capacity(X.n_rows) // batch_size)
        rows = _in_units(X, scaling, chunks, n_batches * batch_size)
        return cls(place(rows), rows, batch_size, n_batches, place)

    def in_order(self, rows: np.ndarray) -> Iterator[Block]:
        """Yield one block."""
        yield Block.of(self.rows, rows, (self.n_batches, self.batch_size))

    def shuffled(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield one block. Where there are fewer rows than ``size``, repeat some."""
        return self.in_order(np.resize(rng.permutation(rows), size))


@dataclass(frozen=True)
class Streamed:
    """One block on the device at a time. Its rows are read, scaled and made dense then.

    Shuffling moves segments of neighbouring rows, then rows within a block. So reading
    is sequential. A full shuffle would read every row from a random place.

    Parameters
    ----------
    X : Batch of arrays or CSR matrices
        Rows in the data's units.

    scaling : Scaling
        Between the data's units and the network's.

    batch_size, n_batches : int
        Shape of a block's order.

    place : callable
        Puts a batch on the device.
    """

    X: Batch
    scaling: Scaling
    batch_size: int
    n_batches: int
    place: Place

    @classmethod
    def of(cls, X: Batch, scaling: Scaling, batch_size: int, place: Place) -> Streamed:
        """Choose the size of a block."""
        batch_bytes = 4 * X.width * batch_size
        return cls(X, scaling, batch_size, -(-BLOCK_BYTES // batch_bytes), place)

    def in_order(self, rows: np.ndarray) -> Iterator[Block]:
        """Yield blocks of rows."""
        for first, part in self._parts(rows):
            yield self._block(first, part, np.arange(len(part)))

    def shuffled(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield blocks of segments in random order. Mix the rows of each block."""
        segments = np.array_split(np.sort(rows), -(-size // SEGMENT))
        order = rng.permutation(len(segments))
        rows = np.concatenate([segments[segment] for segment in order])
        for first, part in self._parts(rows):
            yield self._block(first, part, rng.permutation(len(part)))

    def _parts(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        size = self.n_batches * self.batch_size
        for part in slices(len(rows), size):
            yield part.start // self.batch_size, rows[part]

    def _block(self, first: int, numbers: np.ndarray, order: np.ndarray) -> Block:
        def selections(part):
            for some in slices(len(numbers), chunk_rows(part.shape[1])):
                yield np.asarray(numbers[some])

        capacity = self.n_batches * self.batch_size
        rows = _in_units(self.X, self.scaling, selections, capacity)
        batches = self.n_batches, self.batch_size
        return Block.of(self.place(rows), order, batches, first)


def feed(
    X: Batch, scaling: Scaling, batch_size: int, n_models: int, place: Place
) -> Feed:
    """Return the feed for the rows of ``X``.

    With few rows several models train at once. All rows are then resident.
    """
    n_bytes = 4 * X.n_rows * X.width
    fits = n_bytes <= RESIDENT_BYTES or n_models > 1
    return (Resident if fits else Streamed).of(X, scaling, batch_size, place)


def shared_capacity(n_rows: int) -> int:
    """Return a number of rows, at least this many, that samples of this size share.

    It grows in steps of at most an eighth. So all folds of a cross-validation, and most
    sizes of a learning curve, share a compiled program.
    """
    step = 2 ** max(int(np.log2(n_rows)) - 3, 0)
    return -(-n_rows // step) * step


def _in_units(
    X: Batch, scaling: Scaling, selections: Callable[..., Iterable], size: int
) -> Batch:
    """Return selected rows in the network's units, filled up to ``size`` rows."""

    def filled(part, convert):
        rows, stop = aligned_empty((size, part.shape[1])), 0
        for selection in selections(part):
            portion = dense(part[selection])
            start, stop = stop, stop + len(portion)
            rows[start:stop] = convert(portion)
        rows[stop:] = 0
        return rows

    # Labels and masks have no units.
    scaled = X._replace(label=None, mask=None)
    plain = Batch(None, None, X.label, X.mask)
    in_units = scaled.map(lambda part: filled(part, scaling.apply_for_training))
    as_they_are = plain.map(lambda part: filled(part, np.float32))
    return in_units._replace(label=as_they_are.label, mask=as_they_are.mask)
