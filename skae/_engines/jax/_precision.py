"""Functions compiled in full float32 precision, also on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax


def in_full_precision(function: Callable) -> Any:
    """Return the function compiled by JAX, with float32 products in full precision.

    On a GPU, JAX by default rounds the factors of a product to ten bits. Training may
    do so. But the losses of rows decide whether PCA is kept, and codes must not depend
    on the device. The precision is set inside the trace. JAX's own setting stays.
    """

    @wraps(function)
    def traced(*arrays):
        with jax.default_matmul_precision("float32"):
            return function(*arrays)

    return jax.jit(traced)
