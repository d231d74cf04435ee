"""Independent models, trained at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from .._backend import N_THREADS


@contextmanager
def side_by_side(n_models: int) -> Iterator[Callable]:
    """Yield a ``map`` that calls a function for several models at once, in threads.

    The products of small networks are too small to be worth sharing between cores, so
    that one network keeps one of them busy; compiled code runs outside Python's lock.
    """
    n_threads = min(n_models, N_THREADS)
    if n_threads == 1:
        yield map
        return
    with ThreadPoolExecutor(n_threads) as threads:
        yield threads.map
