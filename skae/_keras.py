"""Keras, imported when it is first used.

``from . import _keras as keras`` gives a module with the attributes of Keras. Reading
the first one imports Keras. So ``import skae`` stays fast.
"""

from __future__ import annotations

import functools
import sys
import warnings
from multiprocessing import current_process
from types import ModuleType
from typing import Any

import numpy as np

from ._environment import (
    BackendChoice,
    chosen_backend,
    environment,
    generators_kept,
    interrupts_deferred,
    variable,
)

_WARNINGS = "1"
"""The level of TensorFlow's log at which it writes warnings and errors only."""


def __getattr__(name: str) -> Any:
    # Tools that inspect modules ask for such names. They must not import Keras.
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    keras, owner, _ = _imported()
    if current_process().pid != owner:
        raise RuntimeError(
            "Keras was started before this process was forked, and its compiled code "
            "would hang here. Start worker processes by spawn, or use joblib's loky "
            "backend."
        )
    if sys.modules.get("keras", keras) is not keras:
        raise RuntimeError(
            "Keras was imported anew after skae had started it, by "
            "keras.config.set_backend perhaps. Change the backend before the first fit."
        )
    return getattr(keras, name)


def ensure_own_process() -> None:
    """Raise ``RuntimeError`` in a process that was forked after Keras had started."""
    __getattr__("backend")


def to_numpy(tensor: Any) -> np.ndarray:
    """Return a tensor, or the value of a Keras variable, as an array of its own.

    ``keras.ops.convert_to_numpy`` asks for a copy while it converts. NumPy 2 warns of
    that, because variables of Keras and TensorFlow and tensors of PyTorch cannot.
    """
    keras = _imported()[0]
    if isinstance(tensor, keras.Variable):
        tensor = tensor.value
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        if keras.backend.standardize_dtype(tensor.dtype) == "bfloat16":
            # PyTorch has no NumPy array of this type.
            tensor = tensor.float()
    return np.asarray(tensor).copy()


def keras_backend() -> BackendChoice:
    """Return the Keras backend that skae trains on, and why it is this one.

    Returns
    -------
    choice : BackendChoice
        A named tuple: the ``name`` of the backend and the ``reason``. Before the first
        fit of a network it says which backend Keras would start on.

    Raises
    ------
    ImportError
        If no backend is installed.

    Notes
    -----
    The first of these that applies counts:

    1. the backend of Keras, if Keras is imported already;
    2. the environment variable ``KERAS_BACKEND``;
    3. the backend in Keras' configuration file, if it is installed. A file that is as
       Keras writes it by itself does not count;
    4. JAX, TensorFlow or PyTorch: the first that is installed.

    Examples
    --------
    >>> from skae import keras_backend
    >>> keras_backend().name in ("jax", "tensorflow", "torch")
    True
    """
    if _imported.cache_info().currsize:
        return _imported()[2]
    return chosen_backend()


@functools.cache
def _imported() -> tuple[ModuleType, int | None, BackendChoice]:
    choice = chosen_backend()
    # joblib and Dask tell their worker processes in OpenMP's variable how many threads
    # they may use. XLA and TensorFlow read variables of their own, when they make their
    # first tensor.
    n_threads = variable("OMP_NUM_THREADS")
    starts_tensorflow = choice.name == "tensorflow" and choice.name not in sys.modules
    with (
        # Keras reads it while it is imported.
        environment(
            KERAS_BACKEND=choice.name,
            NPROC=n_threads,
            TF_NUM_INTRAOP_THREADS=n_threads,
            TF_NUM_INTEROP_THREADS=n_threads,
            TF_CPP_MIN_LOG_LEVEL=_WARNINGS if starts_tensorflow else None,
        ),
        generators_kept(),
        # Libraries that Keras imports add filters of warnings.
        warnings.catch_warnings(),
        # JAX cannot be imported again after half of an import.
        interrupts_deferred(),
    ):
        try:
            import keras
        except ImportError as error:
            raise ImportError(
                f"Keras cannot start on {choice.name!r}: {error}. This backend was "
                f"chosen because {choice.reason}. Install it, or choose another by "
                "KERAS_BACKEND."
            ) from error

        keras.ops.convert_to_tensor(0.0)
    return keras, current_process().pid, choice
