"""What to train on and by which numbers, gathered once for training and selection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from .._objective import Strengths
from ._feed import Block, Feed, Resident
from ._jax_training import TrainingProgram
from ._recombination import NEW_ROWS, Recombined
from ._schedule import Schedule
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

    n_rows : int
        Rows in an epoch.
    """

    feed: Feed
    split: Split
    strengths: Strengths
    batch_size: int
    n_rows: int

    def for_encoder(self) -> Task:
        """Return the task of an encoder that trains alone, where rows are few."""
        still = self.strengths._replace(alpha=np.float32(0), decoder=np.float32(0))
        rows = cast(Resident, self.feed)
        return Task(
            Recombined(rows),
            self.split,
            still,
            NEW_ROWS * self.batch_size,
            NEW_ROWS * self.n_rows,
        )

    @property
    def n_batches(self) -> int:
        """Number of steps in an epoch."""
        return -(-self.n_rows // self.batch_size)

    def lesson(
        self, rows: np.ndarray, rng: np.random.RandomState
    ) -> tuple[np.uint32, Iterator[Block]]:
        """Return the seed of the noise and the blocks of a pass over some rows."""
        seed = rng.randint(2**32, dtype=np.uint32)
        return seed, self.feed.shuffled(rows, self.n_rows, rng)

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


class Stage(NamedTuple):
    """Epochs with one aim.

    Parameters
    ----------
    task : Task
        What to train on.

    schedule : Schedule
        How long and how fast.
    """

    task: Task
    schedule: Schedule
