"""How many threads PyTorch uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController

_FEW_PRODUCTS = 2**24
"""With fewer products in a layer's pass, threads wait longer for each other than they
compute."""


@contextmanager
def threads_for(n_products: int) -> Iterator[None]:
    """Keep a small network's products in one thread, inside."""
    if n_products >= _FEW_PRODUCTS or torch.get_num_threads() == 1:
        yield
        return
    with _openmp().limit(limits=1):
        yield


@cache
def _openmp() -> ThreadpoolController:
    # OpenMP's number is that of the calling thread. PyTorch's own would be global.
    return ThreadpoolController().select(user_api="openmp")
