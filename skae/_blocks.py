"""Rows in blocks of two sizes, for which a program is compiled twice and no more."""

from __future__ import annotations

import numpy as np

FEW, MANY = 8, 256
"""Rows in a block, for which all products have one shape.

A row's result does not depend on the rows around it: compiled products add up alike in
every row of a block. Those of ``FEW`` rows, for which one row need not wait for
hundreds, add up in another order.
"""


def filled(rows: np.ndarray, size: int) -> np.ndarray:
    """Return a block of ``size`` rows that begins with ``rows``."""
    if len(rows) == size:
        return rows
    block = np.empty((size, rows.shape[1]), rows.dtype)
    block[: len(rows)] = rows
    # The last row again: it is beyond no bounds that it was not beyond before.
    block[len(rows) :] = rows[-1]
    return block
