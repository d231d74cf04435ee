"""The process around skae: environment variables and global random generators.

This is the only module that reads or sets environment variables.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import joblib
import numpy as np


@contextmanager
def environment(**defaults: str | None) -> Iterator[None]:
    """Set variables that are not set, inside. Then put all variables back."""
    before = dict(os.environ)
    for name, value in defaults.items():
        if value is not None:
            os.environ.setdefault(name, value)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put the global generators of Python and NumPy back as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let an interrupt by the keyboard wait until the end."""
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    if not is_main or handler is None:
        yield
        return
    received: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *details: received.append(details))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if received and callable(handler):
        handler(*received[0])


def variable(name: str) -> str | None:
    """Return the value of an environment variable, or None."""
    return os.environ.get(name)


def can_write(path: os.PathLike) -> bool:
    """Say whether this process may write to a folder."""
    return os.access(path, os.W_OK)


def process() -> int:
    """Return the number of this process."""
    return os.getpid()


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return joblib.cpu_count()
