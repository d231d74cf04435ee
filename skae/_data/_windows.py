"""The feed of a Dask collection: a few of its parts at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._batch import Batch
from ._chunks import aligned_empty, slices
from ._feed import Block, Place, Resident
from ._parted import Parted
from ._scaling import Scaling

BLOCK_BYTES = 2**25
"""Size of a block. Beside it there are the rows of two windows in memory."""


@dataclass(frozen=True)
class Windows:
    """Blocks of the rows of a few parts of a collection.

    The numbers of held-out rows come first. The others have no numbers of their own:
    every pass reads all of them, part by part. A pass in random order shuffles the
    parts, then the rows of neighbouring parts.

    Parameters
    ----------
    X : Parted
        The rows, in the data's units.

    scaling : Scaling
        Between the data's units and the network's.

    held_out : Resident or None
        The held-out rows, if there are any.

    batch_size, n_batches : int
        Shape of a block's order.

    place : callable
        Puts a batch on the device.
    """

    X: Parted
    scaling: Scaling
    held_out: Resident | None
    batch_size: int
    n_batches: int
    place: Place

    @classmethod
    def of(cls, X: Parted, scaling: Scaling, batch_size: int, place: Place) -> Windows:
        """Place the held-out rows on the device, and choose the size of a block."""
        held_out = None
        if len(X.held_out):
            held_out = Resident.of(Batch(X.held_out), scaling, batch_size, place)
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
