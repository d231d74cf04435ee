"""The process around skae: environment variables and global random generators.

This is the only module that reads or sets environment variables.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import joblib
import numpy as np


@contextmanager
def default_variable(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable inside, unless it is set already."""
    if value is None or name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put the global generators of Python and NumPy back as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def variable(name: str) -> str | None:
    """Return the value of an environment variable, or None."""
    return os.environ.get(name)


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return joblib.cpu_count()
