"""Blocks of two sizes, so that a program is compiled at most twice."""

from __future__ import annotations

import numpy as np

FEW, MANY = 8, 256
"""Rows in a block.

Compiled products add up in the same order in every row of a block, so a row's result
does not depend on the other rows. Calls with few rows use the small block: one row need
not wait for hundreds. Its products add up in another order.
"""


def filled(rows: np.ndarray, size: int) -> np.ndarray:
    """Return a block of ``size`` rows that begins with ``rows``."""
    if len(rows) == size:
        return rows
    block = np.empty((size, rows.shape[1]), rows.dtype)
    block[: len(rows)] = rows
    # The last row is repeated: this puts no further value beyond the bounds.
    block[len(rows) :] = rows[-1]
    return block
