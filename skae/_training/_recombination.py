"""New rows for an encoder to learn from: each most of one row, the rest of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._chunks import aligned_empty, cached_chunks
from ._feed import BLOCK_BYTES, Block, Resident

_MOST_SWAPPED = 0.4
"""Largest share of a row's values that another row's replace."""

NEW_ROWS = 4
"""New rows made of each that is known: there is no end of them, and batches of more say
more exactly where to go."""


@dataclass(frozen=True)
class Recombined:
    """A feed of rows that were never seen, for training on few.

    Of every row a random share of the values is another's, which is how Bahri et al.
    (2022) corrupt rows: whatever the units and the kind of a feature, no value is new.

    Parameters
    ----------
    known : Resident
        The rows that there are.
    """

    known: Resident

    def in_order(self, rows: np.ndarray) -> Iterator[Block]:
        """Yield the given rows as they are."""
        return self.known.in_order(rows)

    def shuffled(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> Iterator[Block]:
        """Yield blocks of new rows, made of the given ones, in larger batches."""
        # Drawn where the block is wanted: models side by side draw side by side.
        seed = rng.randint(2**32, dtype=np.uint32)
        return self._drawn(rows, size, np.random.default_rng(seed))

    def _drawn(
        self, rows: np.ndarray, size: int, rng: np.random.Generator
    ) -> Iterator[Block]:
        known = np.asarray(self.known.rows)
        receivers = np.resize(rng.permutation(rows), size)
        donors = rng.permutation(receivers)
        shares = _MOST_SWAPPED * rng.random((size, 1), dtype=np.float32)
        batch_size = NEW_ROWS * self.known.batch_size
        fitting = BLOCK_BYTES // (batch_size * known[0].nbytes)
        n_batches = min(self.known.n_batches, max(fitting, 1))
        for start in range(0, size, n_batches * batch_size):
            drawn = aligned_empty((n_batches * batch_size, known.shape[1]))
            new = drawn[: size - start]
            for some in cached_chunks(new):
                each = slice(start + some.start, start + some.stop)
                swapped = rng.random(new[some].shape, dtype=np.float32) < shares[each]
                new[some] = np.where(
                    swapped, known[donors[each]], known[receivers[each]]
                )
            drawn[len(new) :] = 0
            order, shape = np.arange(len(new)), (n_batches, batch_size)
            yield Block.of(self.known.place(drawn), order, shape, start // batch_size)
