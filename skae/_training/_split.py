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
            # Sorted, because a memory map is read fastest in its own order.
            return cls([order[n_held_out:]], [np.sort(order[:n_held_out])])
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
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.train[-1]) + len(self.held_out[-1])

    @property
    def all_rows(self) -> np.ndarray:
        """Every row once, in order."""
        return np.sort(np.concatenate([self.train[-1], self.held_out[-1]]))

    @property
    def to_judge(self) -> list[np.ndarray]:
        """For each model the rows that judge it: where none is held out, all."""
        return self.held_out if self.judges else self.train

    @property
    def n_models(self) -> int:
        """Number of models trained side by side."""
        return len(self.train)
