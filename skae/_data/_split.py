"""Which rows train and which are held out."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

_FEW = 100
"""With fewer held-out groups of rows than this, all are held out in turn."""

_MOST_FOLDED = 20_000
"""With more rows than this, no further models are trained for that."""

_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """The rows of each model that trains.

    The last model is the one to keep. With many rows it is the only one, and some rows
    are held out from it. With few rows it trains on all of them, and one more model for
    each fold trains on the other folds. Together these models evaluate every row, and
    none of them has trained on the rows that it evaluates.

    Rows that depend on each other form a group. They are always on the same side.

    Parameters
    ----------
    train, held_out : list of ndarray of int, or of ranges
        Row numbers of each model. Where no row is held out, the training loss decides.

    groups : ndarray of int
        Number of each row's group.

    n_rows : int
        Number of rows that PCA was fitted to. Held-out rows may be others.

    n_copies : int
        Number of copies of each row, which have other holes. An epoch sees one of each.
    """

    train: list[Any]
    held_out: list[np.ndarray]
    groups: np.ndarray = field(repr=False)
    n_rows: int
    n_copies: int = 1

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    }

    @classmethod
    def none(cls, n_rows: int, rng: np.random.RandomState) -> Split:
        """Train on all rows and hold out none."""
        rows = rng.permutation(n_rows)
        return cls([rows], [rows[:0]], np.arange(n_rows), n_rows)

    @classmethod
    def draw(
        cls,
        groups: np.ndarray,
        fraction: float,
        rng: np.random.RandomState,
        strata: np.ndarray | None = None,
    ) -> Split:
        """Hold out a random ``fraction`` of the groups, or all of them in turn.

        Parameters
        ----------
        groups : ndarray of shape (n_rows,), int
            Number of each row's group, from zero. With fewer than ten groups, none is
            held out: the loss of a single group says nothing.

        fraction : float
            Share to hold out, rounded up.

        rng : RandomState
            Shuffles the groups.

        strata : ndarray of shape (n_rows,), int, default=None
            Each part of the rows has about equal shares of these.
        """
        n_rows, n_groups = len(groups), int(groups.max()) + 1
        order = rng.permutation(n_groups)
        if strata is not None:
            firsts = np.unique(groups, return_index=True)[1]
            order = _mixed(order, strata[firsts])
        place = np.argsort(order)
        rows = np.argsort(place[groups], kind="stable")
        # Row number ``ends[g]`` is the first behind the g first groups.
        ends = np.append(0, np.cumsum(np.bincount(groups)[order]))
        n_held_out = int(np.ceil(fraction * n_groups))
        if n_groups < 2 * _FOLDS:
            return cls([rows], [rows[:0]], groups, n_rows)
        if n_held_out >= _FEW or n_rows > _MOST_FOLDED:
            if n_held_out == n_groups:
                raise ValueError(
                    f"validation_fraction={fraction} leaves no row of {n_rows} to "
                    "train on. Make it smaller."
                )
            held_out, train = np.split(rows, [ends[n_held_out]])
            # Sorted, because a memory map is read fastest in its own order.
            return cls([train], [np.sort(held_out)], groups, n_rows)
        first = np.cumsum([len(fold) for fold in np.array_split(order, _FOLDS)])[:-1]
        folds = np.split(rows, ends[first])
        others = [
            np.concatenate(folds[:fold] + folds[fold + 1 :]) for fold in range(_FOLDS)
        ]
        return cls([*others, rows], [*folds, rows[:0]], groups, n_rows)

    @classmethod
    def given(cls, n_rows: int, n_held_out: int, rng: np.random.RandomState) -> Split:
        """Train on ``n_rows`` rows and hold out as many others that follow them."""
        held_out = np.arange(n_rows, n_rows + n_held_out)
        groups = np.arange(n_rows + n_held_out)
        return cls([rng.permutation(n_rows)], [held_out], groups, n_rows)

    @classmethod
    def of_parted(cls, n_training: int, held_out: np.ndarray) -> Split:
        """Hold out some rows of a collection. Their numbers come first."""
        n_held_out = len(held_out)
        n_rows = n_held_out + n_training
        numbers = np.arange(n_held_out)
        return cls([range(n_held_out, n_rows)], [numbers], numbers, n_rows)

    @property
    def holds_out(self) -> bool:
        """Whether any row is held out."""
        return len(self.held_out[0]) > 0

    @property
    def evaluated(self) -> list[np.ndarray]:
        """For each model the rows that it is evaluated on."""
        return self.held_out if self.holds_out else self.train

    @property
    def all_rows(self) -> range:
        """The rows that PCA was fitted to, in order."""
        return range(self.n_rows)

    @property
    def n_models(self) -> int:
        """Number of models that train at the same time."""
        return len(self.train)

    def means_of_groups(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each held-out group's values, given model after model."""
        groups = self.groups[np.concatenate(self.held_out)]
        _, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        return np.bincount(members, values) / sizes


def _mixed(order: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return an order in which the members of each stratum are evenly spread."""
    place = np.empty(len(order))
    for stratum in np.unique(strata):
        members = order[strata[order] == stratum]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(place[order], kind="stable")]
