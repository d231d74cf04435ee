"""Independent models that train at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def thread_map(n_models: int, n_threads: int) -> Iterator[Callable]:
    """Yield a ``map`` that calls a function for several models at once, in threads.

    The products of a small network are too small to share between cores, so one network
    keeps one core busy. Compiled code runs outside Python's lock.
    """
    n_threads = min(n_models, n_threads)
    if n_threads == 1:
        yield map
        return
    with ThreadPoolExecutor(n_threads) as threads:
        yield threads.map
