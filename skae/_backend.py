"""Which Keras backend runs, and on how many threads.

The only module that touches the environment. Importing it imports Keras, so the modules
that need Keras are imported on first use, never by ``import skae``.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import joblib

_BACKEND = "KERAS_BACKEND"
_OPENMP_THREADS = "OMP_NUM_THREADS"
_XLA_THREADS = "NPROC"


@contextmanager
def _default(variable: str, value: str | None) -> Iterator[None]:
    """Set an environment variable that is not set, for as long as it is read."""
    if value is None or variable in os.environ:
        yield
        return
    os.environ[variable] = value
    try:
        yield
    finally:
        del os.environ[variable]


# Keras' own default is TensorFlow, and it reads the choice while it is imported.
with _default(_BACKEND, None if "keras" in sys.modules else "jax"):
    import keras

if keras.backend.backend() != "jax":
    raise ImportError(
        f"skae trains on Keras' JAX backend, but Keras runs on "
        f"{keras.backend.backend()!r} here. Set {_BACKEND}=jax before Keras is "
        "imported, or leave it unset and import Keras after skae's first fit."
    )

# Not before Keras is known to run on it.
import jax  # noqa: E402

# joblib and Dask tell their worker processes how many threads are theirs in OpenMP's
# variable. XLA knows only one of its own, and reads it when its first device is made.
with _default(_XLA_THREADS, os.environ.get(_OPENMP_THREADS)):
    jax.devices()
    _given = os.environ.get(_XLA_THREADS, "")

N_THREADS = int(_given) if _given.isdecimal() and int(_given) else joblib.cpu_count()
"""Models that train at the same time: as many as XLA has threads."""

__all__ = ["N_THREADS", "keras"]
