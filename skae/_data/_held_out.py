"""The rows of a fit that train and those that are held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._batch import Batch
from ._dependence import groups_of_copies, merged_groups, numbered
from ._split import Split
from ._stacked import Stacked


def split_rows(
    rows: Batch,
    X_val: Any,
    groups: np.ndarray | None,
    fraction: float,
    rng: np.random.RandomState,
) -> tuple[Batch, Split]:
    """Return all rows that train or are held out, and which do which.

    Parameters
    ----------
    rows : Batch
        The rows of ``X``.

    X_val : {array, CSR matrix} of shape (n_validation, n_features) or None
        Rows to hold out in place of some of these.

    groups : ndarray of shape (n_rows,) or None
        Labels of groups that are held out together. Copies of a row always are.

    fraction : float
        Share to hold out; 0 for none.

    rng : RandomState
        Shuffles the rows.
    """
    if X_val is not None:
        both = Batch(Stacked(rows.input, X_val))
        return both, Split.given(rows.n_rows, X_val.shape[0], rng)
    if not fraction:
        return rows, Split.none(rows.n_rows, rng)
    dependent = groups_of_copies(rows.wanted)
    if groups is not None:
        dependent = merged_groups(dependent, numbered(groups))
    return rows, Split.draw(dependent, fraction, rng)
