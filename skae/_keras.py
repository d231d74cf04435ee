"""Keras, imported when it is first used.

``from . import _keras as keras`` gives a module with the attributes of Keras. Reading
the first one imports Keras. So ``import skae`` stays fast.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from ._environment import (
    environment,
    generators_kept,
    interrupts_deferred,
    process,
    variable,
)


def __getattr__(name: str) -> Any:
    # Tools that inspect modules ask for such names. They must not import Keras.
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    keras, owner = _imported()
    if process() != owner:
        raise RuntimeError(
            "Keras was started before this process was forked, and its compiled code "
            "would hang here. Start worker processes by spawn, or use joblib's loky "
            "backend."
        )
    return getattr(keras, name)


def ensure_own_process() -> None:
    """Raise ``RuntimeError`` in a process that was forked after Keras had started."""
    __getattr__("backend")


@functools.cache
def _imported() -> tuple[ModuleType, int]:
    # Keras reads the variable while it is imported. Its own default is TensorFlow.
    backend = None if "keras" in sys.modules else "jax"
    # joblib and Dask tell their worker processes in OpenMP's variable how many threads
    # they may use. XLA reads a variable of its own, when it makes its first tensor.
    n_threads = variable("OMP_NUM_THREADS")
    with (
        environment(KERAS_BACKEND=backend, NPROC=n_threads),
        generators_kept(),
        # JAX cannot be imported again after half of an import.
        interrupts_deferred(),
    ):
        import keras

        keras.ops.convert_to_tensor(0.0)
    return keras, process()
