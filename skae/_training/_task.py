"""What to train on and by which numbers, gathered once for training and selection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._objective import Strengths
from ._feed import Feed
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

    def row_losses(
        self, program: TrainingProgram, weights: dict, models: list[np.ndarray]
    ) -> np.ndarray:
        """Return each model's loss of each of its rows, model after model.

        Parameters
        ----------
        program : TrainingProgram
            Computes the losses.

        weights : dict
            Weights of all models.

        models : list of ndarray of int
            Row numbers for each model.
        """
        parts: list[np.ndarray] = []
        for block in self.feed.in_order(models):
            losses = np.asarray(program.row_losses(weights, block, self.strengths))
            for of_model, n_rows in zip(losses, block.n_rows, strict=True):
                parts.append(of_model.ravel()[:n_rows])
        return np.concatenate(parts).astype(np.float64)
