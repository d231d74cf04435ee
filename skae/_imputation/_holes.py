"""Further holes in rows, so that a network can learn to fill them."""

from __future__ import annotations

import numpy as np

_SHARE = 0.1
"""Share of the values that becomes missing whatever the data's own holes are."""


def with_further_holes(observed: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return which of the observed values networks still see.

    Each row also gets the holes of another row. So the holes are as many and in such
    groups as those of the data. A tenth of the values is missing in addition. A row
    that would be empty stays as it is.
    """
    others = observed[rng.permutation(len(observed))]
    shown = observed & others & (rng.random_sample(observed.shape) >= _SHARE)
    empty = ~shown.any(axis=1)
    shown[empty] = observed[empty]
    return shown
