"""New rows for an encoder to learn from, made of pairs of known rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ._batch import Batch
from ._chunks import aligned_empty, cached_chunks
from ._feed import BLOCK_BYTES, Block, Resident

_MOST_SWAPPED = 0.4
"""Largest share of a row's values that are replaced."""


@dataclass(frozen=True)
class FeatureSwaps:
    """A feed of new rows: in each row some values are replaced by another row's.

    Bahri et al. (2022) corrupt rows in this way. Every value is one that its feature
    has, whatever the units and the kind of the feature.

    Parameters
    ----------
    known : Resident
        The rows that there are.

    factor : int
        How many times more rows a batch holds than one of ``known`` does.
    """

    known: Resident
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
        known = self.known.on_host
        receivers = np.resize(rng.permutation(rows), size)
        donors = rng.permutation(receivers)
        shares = _MOST_SWAPPED * rng.random((size, 1), dtype=np.float32)
        batch_size = self.factor * self.known.batch_size
        fitting = BLOCK_BYTES // (batch_size * known.width * np.float32().itemsize)
        n_batches = min(self.known.n_batches, max(fitting, 1))
        capacity = n_batches * batch_size
        for start in range(0, size, capacity):
            new = known.map(lambda part: aligned_empty((capacity, part.shape[1])))
            n_new = min(capacity, size - start)
            for some in cached_chunks(new.input[:n_new]):
                here = slice(start + some.start, start + some.stop)
                shape = new.input[some].shape
                swapped = rng.random(shape, dtype=np.float32) < shares[here]
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
