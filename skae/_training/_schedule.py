"""How long and how fast to train, and on which rows: plain numbers, no state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Schedule:
    """When training steps, how far, and when it stops.

    Parameters
    ----------
    max_iter : int
        Most epochs.

    learning_rate : float
        Rate of the first step.

    decays : bool
        Whether the rate falls along half a cosine (Loshchilov & Hutter 2017), to zero
        at the last step of epoch ``max_iter``.

    tol : float
        Smallest relative improvement of the monitored loss that counts as one.

    n_iter_no_change : int
        Epochs without an improvement after which training stops.
    """

    max_iter: int
    learning_rate: float
    decays: bool
    tol: float
    n_iter_no_change: int

    def rates(self, epoch: int, n_batches: int) -> np.ndarray:
        """Return the learning rate of each batch of an epoch, as float32."""
        if not self.decays:
            return np.full(n_batches, self.learning_rate, np.float32)
        done = (epoch + np.arange(n_batches) / n_batches) / self.max_iter
        return (self.learning_rate * 0.5 * (1 + np.cos(np.pi * done))).astype(
            np.float32
        )


@dataclass(frozen=True)
class Split:
    """Which rows train and which are held out to judge.

    Parameters
    ----------
    train, held_out : ndarray of int
        Row numbers. Without held-out rows the training loss is the judge.
    """

    train: np.ndarray
    held_out: np.ndarray

    @classmethod
    def draw(cls, n_rows: int, fraction: float, rng: np.random.RandomState) -> Split:
        """Hold out a random ``fraction`` of the rows, rounded up; or none.

        A single row held out, or a single one left to train on, decides nothing.
        """
        order = rng.permutation(n_rows)
        n_held_out = int(np.ceil(fraction * n_rows))
        if min(n_held_out, n_rows - n_held_out) < 2:
            n_held_out = 0
        return cls(order[n_held_out:], order[:n_held_out])


def in_batches(rows: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Fold row numbers into whole batches.

    Returns
    -------
    index : ndarray of shape (n_batches, batch_size), int32
        The row numbers; the last batch is filled up with the first rows again.

    weight : ndarray of shape (n_batches, batch_size), float32
        1 for a row, 0 for a filler.
    """
    n_batches = -(-len(rows) // batch_size)
    shape = (n_batches, batch_size)
    index = np.resize(rows, shape).astype(np.int32)
    weight = (np.arange(index.size) < len(rows)).reshape(shape).astype(np.float32)
    return index, weight
