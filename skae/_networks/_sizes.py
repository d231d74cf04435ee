"""Sizes of layers, as users give them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np


def checked_sizes(parameter: str, value: Any) -> tuple[int, ...]:
    """Return an integer or a sequence of integers as a tuple.

    Raises
    ------
    ValueError
        If one of them is not an integer above zero.
    """
    sizes = np.atleast_1d(np.asarray(value, dtype=object)).ravel()
    if not all(isinstance(size, Integral) and int(size) > 0 for size in sizes):
        raise ValueError(
            f"{parameter} must hold integers above 0. Got {value!r} instead."
        )
    return tuple(int(size) for size in sizes)
