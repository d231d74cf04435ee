"""The units in which feature values are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from .._pipelines import as_array


def to_units_of(X: Any, standardize: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from rows to rows to show.

    If rows are standardized, it subtracts the means of ``X`` and divides by the
    standard deviations.
    """
    if not standardize:
        return np.asarray
    scaler = StandardScaler().fit(as_array(X))
    return scaler.transform


def name_of_values(standardize: bool) -> str:
    """Return the label of an axis of feature values."""
    return "standardized feature value" if standardize else "feature value"
