"""Which rows train and which are held out."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

_FEW = 100
"""With fewer held-out rows than this, all rows are held out in turn."""

_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """The rows of each model that trains.

    The last model is the one to keep. With many rows it is the only one, and some rows
    are held out from it. With few rows it trains on all of them, and one more model for
    each fold trains on the other folds. Together these models evaluate every row, and
    none of them has trained on the rows that it evaluates.

    Parameters
    ----------
    train, held_out : list of ndarray of int
        Row numbers of each model. Where no row is held out, the training loss decides.
    """

    train: list[np.ndarray]
    held_out: list[np.ndarray]

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    }

    @classmethod
    def of(
        cls, parameters: dict[str, Any], n_rows: int, rng: np.random.RandomState
    ) -> Split:
        """Read the parameters of an estimator."""
        holds_out = parameters["early_stopping"]
        fraction = parameters["validation_fraction"] if holds_out else 0.0
        return cls.draw(n_rows, fraction, rng)

    @classmethod
    def draw(cls, n_rows: int, fraction: float, rng: np.random.RandomState) -> Split:
        """Hold out a random ``fraction`` of the rows, or all in turn, or none.

        Parameters
        ----------
        n_rows : int
            Number of rows. With fewer than ten, none is held out: the loss of a single
            row says nothing.

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
    def holds_out(self) -> bool:
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
    def evaluated(self) -> list[np.ndarray]:
        """For each model the rows that it is evaluated on."""
        return self.held_out if self.holds_out else self.train

    @property
    def n_models(self) -> int:
        """Number of models that train at the same time."""
        return len(self.train)
