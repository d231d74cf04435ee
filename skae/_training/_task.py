"""What to train on and by which numbers, gathered once for training and selection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._objective import Strengths
from ._feed import Block, Feed
from ._jax_training import TrainingProgram
from ._split import Split


@dataclass(frozen=True)
class Task:
    """Data and hyper-parameters of one fit.

    Parameters
    ----------
    feed : Feed
        All rows, on their way to the device.

    split : Split
        Which of them train and which judge.

    strengths : Strengths
        Hyper-parameters of the objective.

    batch_size : int
        Rows in a batch.
    """

    feed: Feed
    split: Split
    strengths: Strengths
    batch_size: int

    @property
    def n_batches(self) -> int:
        """Number of steps in an epoch."""
        return -(-len(self.split.train[-1]) // self.batch_size)

    def lesson(
        self, rows: np.ndarray, size: int, rng: np.random.RandomState
    ) -> tuple[np.uint32, Iterator[Block]]:
        """Return the seed of the noise and the blocks of a pass over some rows."""
        seed = rng.randint(2**32, dtype=np.uint32)
        return seed, self.feed.shuffled(rows, size, rng)

    def row_losses(
        self, program: TrainingProgram, weights: dict, rows: np.ndarray
    ) -> np.ndarray:
        """Return the loss of each of the rows, given by their numbers."""
        if len(rows) == 0:
            return np.zeros(0)
        parts = [
            np.asarray(program.row_losses(weights, block, self.strengths)).ravel()[
                : block.n_rows
            ]
            for block in self.feed.in_order(rows)
        ]
        return np.concatenate(parts).astype(np.float64)
