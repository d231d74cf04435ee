"""Which rows train and which are held out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils._param_validation import Interval

from ._dask import DaskRows, DaskSplit
from ._rows import Batch, ConcatenatedRows, chunks, dense

_FEW = 100
"""With fewer held-out groups of rows than this, folds are held out."""

_MOST_FOLDED = 20_000
"""With more rows than this, no further models are trained for that."""

_FOLDS = 5
"""Each fold is a fifth of the groups."""

FEWEST_GROUPS = 2 * _FOLDS
"""With fewer groups no row is held out: so few losses say nothing."""

_ENOUGH = 400
"""No further folds are held out as soon as they have so many groups."""


@dataclass(frozen=True)
class Split:
    """The rows of each model that trains.

    The last model is the one to keep. With many rows it is the only one, and some rows
    are held out from it. With few rows it trains on all of them. Further models train,
    each without a fold, until enough rows are held out. None of them has trained on the
    rows that it evaluates.

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
        Number of copies of each row, with other missing values. An epoch sees one of
        each.
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
        """Hold out a random ``fraction`` of the groups, or folds of them in turn.

        Parameters
        ----------
        groups : ndarray of shape (n_rows,), int
            Number of each row's group, from zero. With fewer than ten groups, none is
            held out: the loss of a single group says nothing.

        fraction : float
            Fraction to hold out, rounded up.

        rng : RandomState
            Shuffles the groups.

        strata : ndarray of shape (n_rows,), int, default=None
            Each part of the rows has about equal fractions of these.
        """
        # Shuffle the groups, and put rows of a group together.
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
        if n_groups < FEWEST_GROUPS:
            return cls([rows], [rows[:0]], groups, n_rows)

        # Of many rows some are held out from one model.
        if n_held_out >= _FEW or n_rows > _MOST_FOLDED:
            if n_held_out == n_groups:
                raise ValueError(
                    f"validation_fraction={fraction} leaves no row of {n_rows} to "
                    "train on. Make it smaller."
                )
            held_out, train = np.split(rows, [ends[n_held_out]])
            # Sorted, because a memory map is read fastest in its own order.
            return cls([train], [np.sort(held_out)], groups, n_rows)

        # Of few rows folds are held out, each from a model of its own.
        size, n_larger = divmod(n_groups, _FOLDS)
        n_folds = min(_FOLDS, -(-_ENOUGH // size))
        fold = np.arange(n_folds + 1)
        bounds = ends[fold * size + np.minimum(fold, n_larger)]
        others, folds = [], []
        for first, last in pairwise(bounds):
            others.append(np.delete(rows, slice(first, last)))
            folds.append(rows[first:last])
        return cls([*others, rows], [*folds, rows[:0]], groups, n_rows)

    @classmethod
    def given(cls, n_rows: int, n_held_out: int, rng: np.random.RandomState) -> Split:
        """Train on ``n_rows`` rows and hold out as many others that follow them."""
        held_out = np.arange(n_rows, n_rows + n_held_out)
        groups = np.arange(n_rows + n_held_out)
        return cls([rng.permutation(n_rows)], [held_out], groups, n_rows)

    @classmethod
    def of_dask(cls, n_training: int, n_held_out: int) -> Split:
        """Hold out some rows of a Dask collection. Their numbers come first."""
        n_rows = n_held_out + n_training
        numbers = np.arange(n_held_out)
        return cls([range(n_held_out, n_rows)], [numbers], numbers, n_rows)

    @property
    def holds_out(self) -> bool:
        """Whether any row is held out."""
        return len(self.held_out[0]) > 0

    def means_of_groups(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each held-out group's values, given model after model."""
        groups = self.groups[np.concatenate(self.held_out)]
        _, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        return np.bincount(members, values) / sizes


class HoldOut(NamedTuple):
    """Which rows of a fit to hold out.

    Parameters
    ----------
    fraction : float
        Fraction to hold out; 0 for none.

    X_val : {array, CSR matrix} of shape (n_validation, n_features) or None
        Rows to hold out in place of some of the others.

    groups : ndarray of shape (n_rows,) or None
        Labels of groups that are held out together. Equal rows always are.

    strata : ndarray of shape (n_rows,), int, or None
        Classes that are held out in equal fractions.
    """

    fraction: float
    X_val: Any = None
    groups: np.ndarray | None = None
    strata: np.ndarray | None = None

    def split(
        self, rows: Batch, rng: np.random.RandomState, n_copies: int = 1
    ) -> tuple[Batch, Split]:
        """Return all rows that train or are held out, and which do which.

        Parameters
        ----------
        rows : Batch
            The rows, all of them ``n_copies`` times.

        rng : RandomState
            Shuffles the rows.

        n_copies : int
            Number of copies of each row. They have equal targets and other inputs.
        """
        if isinstance(rows.input, DaskRows):
            parts = DaskSplit.draw(rows.input, self.fraction, rng)
            return Batch(parts), Split.of_dask(parts.n_training, len(parts.held_out))
        if self.X_val is not None:
            both = Batch(ConcatenatedRows(rows.input, self.X_val))
            return both, Split.given(rows.n_rows, self.X_val.shape[0], rng)
        if not self.fraction:
            split = Split.none(rows.n_rows, rng)
        else:
            dependent = groups_of_copies(rows.target)
            if self.groups is not None:
                groups = np.tile(numbered(self.groups), n_copies)
                dependent = merged_groups(dependent, groups)
            split = Split.draw(dependent, self.fraction, rng, self.strata)
        return rows, replace(split, n_copies=n_copies)


def groups_of_copies(X: Any) -> np.ndarray:
    """Return the number of each row's group, where equal rows form a group.

    Groups are numbered in the order of their first rows. Without copies the numbers are
    those of the rows.

    Parameters
    ----------
    X : {array, CSR matrix} of shape (n_rows, n_features)
        The rows.
    """
    numbers: dict[int, int] = {}
    found = []
    for chunk in chunks(X):
        # Adding zero turns a negative zero into a positive one.
        for row in dense(X[chunk]) + 0.0:
            number = numbers.setdefault(hash(row.tobytes()), len(numbers))
            found.append(number)
    return np.array(found)


def merged_groups(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return groups in which rows are together that are together in either of two.

    Parameters
    ----------
    one, other : ndarray of shape (n_rows,), int
        Numbers of groups.
    """
    # Groups of either kind are the nodes of a bipartite graph, rows are its edges.
    first = one.max() + 1
    n_nodes = first + other.max() + 1
    edges = np.ones(len(one), bool), (one, other + first)
    graph = coo_array(edges, (n_nodes, n_nodes))
    component = connected_components(graph, directed=False)[1]
    return numbered(component[one])


def numbered(labels: np.ndarray) -> np.ndarray:
    """Return labels of any kind as numbers, in the order of their first rows."""
    _, first, group = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[group]


def _mixed(order: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return an order in which the members of each stratum are evenly spread."""
    place = np.empty(len(order))
    for stratum in np.unique(strata):
        members = order[strata[order] == stratum]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(place[order], kind="stable")]
