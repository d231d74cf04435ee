"""How rows reach the device: all of them once, or a block at a time in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from ._rows import (
    RESIDENT_BYTES,
    Batch,
    aligned_empty,
    cached_chunks,
    chunk_rows,
    dense,
    slices,
)
from ._scaling import Scaling

BLOCK_BYTES = 2**26
"""Size of the blocks in which larger data pass through the device."""

SEGMENT = 256
"""Neighbouring rows that stay in one block. A memory map reads them in one go."""

_MOST_SWAPPED = 0.4
"""Largest fraction of a row's values that are replaced."""

Place = Callable[[Batch], Batch]
"""Puts a batch on the device."""


class Block(NamedTuple):
    """Rows on the device, and the order in which a model sees them.

    Parameters
    ----------
    rows : Batch of arrays of shape (capacity, n_values)
        Rows in the network's units.

    order : ndarray of shape (n_batches, batch_size), int32
        Numbers of the rows in each mini-batch.

    n_rows : int32
        How many of these count. The others fill up the last mini-batch and the
        capacity.

    first : int
        Number of the block's first mini-batch within the epoch.
    """

    rows: Batch
    order: np.ndarray
    n_rows: np.int32
    first: int

    @classmethod
    def of(
        cls, rows: Batch, numbers: np.ndarray, shape: tuple[int, int], first: int = 0
    ) -> Block:
        """Fold row numbers into mini-batches. Where some are missing, repeat others."""
        order = np.resize(numbers, shape) if len(numbers) else np.zeros(shape)
        return cls(rows, order.astype(np.int32), np.int32(len(numbers)), first)

    def without_padding(self) -> Iterator[Block]:
        """Yield the full mini-batches, then the last one in its own shape."""
        batch_size, n_rows = self.order.shape[1], int(self.n_rows)
        n_full = n_rows // batch_size * batch_size
        if n_full:
            yield self._replace(n_rows=np.int32(n_full))
        if n_full < n_rows:
            rest = self.order.reshape(1, -1)[:, n_full:n_rows]
            first = self.first + n_full // batch_size
            yield Block(self.rows, rest, np.int32(n_rows - n_full), first)


class Loader(Protocol):
    """Passes over some of the rows, given by their numbers in an array or a range."""

    def in_order(self, rows: Any) -> Iterator[Block]:
        """Yield the given rows in the given order."""

    def shuffled(
        self, rows: Any, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield ``size`` of the given rows in random order."""


@dataclass(frozen=True)
class InMemoryLoader:
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
    def of(
        cls, X: Batch, scaling: Scaling, batch_size: int, place: Place
    ) -> InMemoryLoader:
        """Scale the rows of ``X`` and place them on the device."""
        n_batches = -(-shared_capacity(X.n_rows) // batch_size)
        rows = _scaled(X, scaling, slice(None), n_batches * batch_size)
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
class AugmentingLoader:
    """New rows for an encoder to learn from, made of pairs of known rows.

    In each new row some values are replaced by another row's. Bahri et al. (2022)
    corrupt rows in this way. Every value is one that its feature has, whatever the
    units and the kind of the feature.

    Parameters
    ----------
    known : InMemoryLoader
        The rows that there are.

    factor : int
        How many times more rows a mini-batch holds than one of ``known`` does.
    """

    known: InMemoryLoader
    factor: int

    def in_order(self, rows: np.ndarray) -> Iterator[Block]:
        """Yield the given rows unchanged."""
        return self.known.in_order(rows)

    def shuffled(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield blocks of ``size`` new rows, made of the given rows."""
        # Models that train at the same time draw their rows at the same time. So only
        # the seed is drawn here.
        seed = rng.randint(2**32, dtype=np.uint32)
        return self._drawn(rows, size, np.random.default_rng(seed))

    def _drawn(
        self, rows: np.ndarray, size: int, rng: np.random.Generator
    ) -> Iterator[Block]:
        # Draw pairs of rows, and which fraction of its values each row receives.
        known = self.known.on_host
        receivers = np.resize(rng.permutation(rows), size)
        donors = rng.permutation(receivers)
        fractions = _MOST_SWAPPED * rng.random((size, 1), dtype=np.float32)

        # Make the new rows in blocks.
        batch_size = self.factor * self.known.batch_size
        fitting = BLOCK_BYTES // (4 * batch_size * _width(known))
        n_batches = min(self.known.n_batches, max(fitting, 1))
        capacity = n_batches * batch_size
        for start in range(0, size, capacity):
            new = known.map(lambda part: aligned_empty((capacity, part.shape[1])))
            n_new = min(capacity, size - start)
            for some in cached_chunks(new.input[:n_new]):
                here = slice(start + some.start, start + some.stop)
                shape = new.input[some].shape
                swapped = rng.random(shape, dtype=np.float32) < fractions[here]
                self._fill(new, some, receivers[here], donors[here], swapped)
            new.map(lambda part, n=n_new: part[n:].fill(0))
            order, shape = np.arange(n_new), (n_batches, batch_size)
            yield Block.of(self.known.place(new), order, shape, start // batch_size)

    def _fill(self, new: Batch, some: slice, receivers, donors, swapped) -> None:
        """Make some rows. Target and label stay those of the receiver."""
        for name, part in new._asdict().items():
            if part is None:
                continue
            known = getattr(self.known.on_host, name)
            if name in ("input", "mask"):
                part[some] = np.where(swapped, known[donors], known[receivers])
            else:
                part[some] = known[receivers]


@dataclass(frozen=True)
class StreamingLoader:
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
    def of(
        cls, X: Batch, scaling: Scaling, batch_size: int, place: Place
    ) -> StreamingLoader:
        """Choose the size of a block."""
        n_batches = -(-BLOCK_BYTES // (4 * _width(X) * batch_size))
        return cls(X, scaling, batch_size, n_batches, place)

    def in_order(self, rows: np.ndarray) -> Iterator[Block]:
        """Yield blocks of rows."""
        for part in slices(len(rows), self.n_batches * self.batch_size):
            yield self._block(rows[part], part.start, None)

    def shuffled(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield blocks of segments in random order. Mix the rows of each block."""
        segments = np.array_split(np.sort(rows), -(-len(rows) // SEGMENT))
        order = rng.permutation(len(segments))
        rows = np.concatenate([segments[segment] for segment in order])[:size]
        for part in slices(len(rows), self.n_batches * self.batch_size):
            yield self._block(rows[part], part.start, rng)

    def _block(
        self, numbers: np.ndarray, start: int, rng: np.random.RandomState | None
    ) -> Block:
        """Return a block of rows, mixed if there is a generator."""
        n_rows, shape = len(numbers), (self.n_batches, self.batch_size)
        order = np.arange(n_rows) if rng is None else rng.permutation(n_rows)
        rows = _scaled(
            self.X, self.scaling, np.asarray(numbers), self.n_batches * self.batch_size
        )
        return Block.of(self.place(rows), order, shape, start // self.batch_size)


def loader(
    X: Batch, scaling: Scaling, batch_size: int, n_models: int, place: Place
) -> InMemoryLoader | StreamingLoader:
    """Return the loader for the rows of ``X``.

    With few rows several models train at once. All rows are then in memory.
    """
    fits = 4 * X.n_rows * _width(X) <= RESIDENT_BYTES or n_models > 1
    kind = InMemoryLoader if fits else StreamingLoader
    return kind.of(X, scaling, batch_size, place)


def shared_capacity(n_rows: int) -> int:
    """Return a number of rows, at least this many, that data of this size share.

    It grows in steps of at most an eighth. So all folds of a cross-validation, and most
    sizes of a learning curve, share a compiled program.
    """
    step = 2 ** max(int(np.log2(n_rows)) - 3, 0)
    return -(-n_rows // step) * step


def _width(rows: Batch) -> int:
    """Return the number of values in a row, over all parts."""
    width = 0
    for part in rows:
        width += 0 if part is None else part.shape[1]
    return width


def _scaled(
    X: Batch, scaling: Scaling, numbers: slice | np.ndarray, capacity: int
) -> Batch:
    """Return numbered rows in the network's units, filled up to ``capacity`` rows."""
    parts: list[np.ndarray | None] = []
    for name, part in X._asdict().items():
        if part is None:
            parts.append(None)
            continue
        # Labels and masks have no units.
        has_units = name in ("input", "output")
        convert = scaling.apply_for_training if has_units else np.float32
        n_rows = part.shape[0] if isinstance(numbers, slice) else len(numbers)
        rows = aligned_empty((capacity, part.shape[1]))
        for some in slices(n_rows, chunk_rows(part.shape[1])):
            chosen = some if isinstance(numbers, slice) else numbers[some]
            rows[some] = convert(dense(part[chosen]))
        rows[n_rows:] = 0
        parts.append(rows)
    return Batch(*parts)
