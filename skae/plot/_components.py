"""Which components to show."""

from __future__ import annotations

from typing import Any

import numpy as np


def checked_components(components: Any, n_components: int, n_default: int) -> list[int]:
    """Return the components to show: those given, or the first ones."""
    if components is None:
        return list(range(min(n_default, n_components)))
    shown = np.atleast_1d(np.asarray(components))
    is_valid = (
        shown.ndim == 1
        and 0 < len(shown) == len(np.unique(shown))
        and np.issubdtype(shown.dtype, np.integer)
        and 0 <= shown.min() <= shown.max() < n_components
    )
    if not is_valid:
        raise ValueError(
            f"components must be different integers from 0 to {n_components - 1}. Got "
            f"{components!r} instead."
        )
    return shown.tolist()
