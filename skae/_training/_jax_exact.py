"""What decides and what is handed out is computed as exactly on a GPU as on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax


def exact(function: Callable) -> Any:
    """Return the function compiled by JAX, with products of whole float32 numbers.

    On a GPU, JAX rounds what it multiplies to ten bits if nobody objects. Training may,
    but by the losses of rows PCA is kept or not, and codes are not to change with the
    device. It is said inside the trace, so no setting of JAX is touched.
    """

    @wraps(function)
    def traced(*arrays):
        with jax.default_matmul_precision("float32"):
            return function(*arrays)

    return jax.jit(traced)
