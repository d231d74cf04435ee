"""Which rows train and which judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FEW = 100
"""Held-out rows under which all rows are held out in turn."""

_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """The rows of each of the models that are trained side by side.

    The last model is the one to keep. With many rows it is the only one, and some rows
    are held out from it. With few it trains on all rows, and beside it one model for
    each fold trains on the others: together these judge every row while none has
    trained on the rows that it judges.

    Parameters
    ----------
    train, held_out : list of ndarray of int
        Row numbers for each model. Where nothing is held out the training loss judges.
    """

    train: list[np.ndarray]
    held_out: list[np.ndarray]

    @classmethod
    def draw(cls, n_rows: int, fraction: float, rng: np.random.RandomState) -> Split:
        """Hold out a random ``fraction`` of the rows, or all in turn, or none.

        Parameters
        ----------
        n_rows : int
            Number of rows. A fold of a single row judges nothing: of fewer than ten
            rows none is held out.

        fraction : float
            Share to hold out, rounded up; 0 for none.

        rng : RandomState
            Shuffles the rows.
        """
        order = rng.permutation(n_rows)
        n_held_out = int(np.ceil(fraction * n_rows))
        if n_held_out == 0 or n_rows < 2 * _FOLDS:
            return cls([order], [order[:0]])
        if n_held_out >= _FEW:
            return cls([order[n_held_out:]], [order[:n_held_out]])
        folds = np.array_split(order, _FOLDS)
        others = [
            np.concatenate(folds[:fold] + folds[fold + 1 :]) for fold in range(_FOLDS)
        ]
        return cls([*others, order], [*folds, order[:0]])

    @property
    def judges(self) -> bool:
        """Whether any row is held out."""
        return len(self.held_out[0]) > 0

    @property
    def all_rows(self) -> np.ndarray:
        """Every row once, in order."""
        return np.sort(np.concatenate([self.train[-1], self.held_out[-1]]))

    @property
    def n_models(self) -> int:
        """Number of models trained side by side."""
        return len(self.train)

    def held_out_batches(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Fold each model's held-out rows into batches, of one shape for all."""
        size = max(map(len, self.held_out))
        return _stack([in_batches(rows, batch_size, size) for rows in self.held_out])

    def shuffled_batches(
        self, batch_size: int, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fold each model's training rows, shuffled, into batches.

        Every model takes as many steps as the one to keep, so that an epoch means the
        same to all; those with fewer rows begin again.
        """
        size = len(self.train[-1])
        orders = [rng.permutation(rows) for rows in self.train]
        batches = [in_batches(np.resize(rows, size), batch_size) for rows in orders]
        return _stack(batches)


def in_batches(
    rows: np.ndarray, batch_size: int, size: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fold row numbers into whole batches.

    Parameters
    ----------
    rows : ndarray of int
        Row numbers.

    batch_size : int
        Rows in a batch.

    size : int, optional
        Number of rows to make room for; by default that of ``rows``.

    Returns
    -------
    index : ndarray of shape (n_batches, batch_size), int32
        The row numbers, and from the first on again to fill the last batch.

    weight : ndarray of shape (n_batches, batch_size), float32
        1 for a row, 0 for a filler.
    """
    n_batches = -(-(len(rows) if size is None else size) // batch_size)
    shape = (n_batches, batch_size)
    index = np.resize(rows, shape) if len(rows) else np.zeros(shape)
    weight = (np.arange(index.size) < len(rows)).reshape(shape)
    return index.astype(np.int32), weight.astype(np.float32)


def _stack(
    batches: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    index, weight = zip(*batches, strict=True)
    return np.stack(index), np.stack(weight)
