"""The rows of a fit that train and those that are held out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ._batch import Batch
from ._collection import Collection
from ._dependence import groups_of_copies, merged_groups, numbered
from ._parted import Parted
from ._split import Split
from ._stacked import Stacked


class HeldOut(NamedTuple):
    """Which rows of a fit to hold out.

    Parameters
    ----------
    fraction : float
        Share to hold out; 0 for none.

    X_val : {array, CSR matrix} of shape (n_validation, n_features) or None
        Rows to hold out in place of some of the others.

    groups : ndarray of shape (n_rows,) or None
        Labels of groups that are held out together. Copies of a row always are.

    strata : ndarray of shape (n_rows,), int, or None
        Classes that are held out in equal shares.

    n_copies : int
        Number of copies of each row. They have equal targets and other inputs.
    """

    fraction: float
    X_val: Any = None
    groups: np.ndarray | None = None
    strata: np.ndarray | None = None
    n_copies: int = 1

    def split(self, rows: Batch, rng: np.random.RandomState) -> tuple[Batch, Split]:
        """Return all rows that train or are held out, and which do which."""
        rows, split = self._split(rows, rng)
        return rows, replace(split, n_copies=self.n_copies)

    def _split(self, rows: Batch, rng: np.random.RandomState) -> tuple[Batch, Split]:
        if isinstance(rows.input, Collection):
            parted = Parted.of(rows.input, self.fraction, rng)
            return Batch(parted), Split.of_parted(parted.n_training, parted.held_out)
        if self.X_val is not None:
            both = Batch(Stacked(rows.input, self.X_val))
            return both, Split.given(rows.n_rows, self.X_val.shape[0], rng)
        if not self.fraction:
            return rows, Split.none(rows.n_rows, rng)
        dependent = groups_of_copies(rows.wanted)
        if self.groups is not None:
            groups = np.tile(numbered(self.groups), self.n_copies)
            dependent = merged_groups(dependent, groups)
        return rows, Split.draw(dependent, self.fraction, rng, self.strata)
