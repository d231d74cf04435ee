"""What is built once in a process and shared by all estimators with equal specs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, lru_cache, wraps
from typing import Any

from .. import _keras as keras
from .._environment import generators_kept
from .._losses import Objective
from .._networks import Networks, NetworkSpec, build_networks
from ._base import Backend, Engine
from ._optimizer import OptimizerSpec

MOST_PROGRAMS = 32
"""How many results of one function are kept. Those used least recently go first."""

_BUILDING = threading.RLock()
"""Threads that need the same program at once wait until one of them has built it."""


def shared(build: Callable) -> Any:
    """Return the function with a cache: equal arguments share what it builds."""
    cached = lru_cache(MOST_PROGRAMS)(build)

    @wraps(build)
    def build_once(*args):
        keras.ensure_own_process()
        with _BUILDING:
            return cached(*args)

    # Functions take attributes, as those of `functools.lru_cache` do.
    build_once.cache_info = cached.cache_info  # type: ignore[attr-defined]
    build_once.cache_clear = cached.cache_clear  # type: ignore[attr-defined]
    return build_once


def backend() -> Backend:
    """Return the backend that Keras runs on.

    Raises
    ------
    ImportError
        If skae has no engine for it.

    RuntimeError
        If this process was forked after Keras had started.
    """
    keras.ensure_own_process()
    return _backend()


@cache
def _backend() -> Backend:
    name = keras.keras_backend().name
    with generators_kept():
        if name == "jax":
            from ._jax import JaxBackend

            return JaxBackend()
        if name == "tensorflow":
            from ._tensorflow import TensorFlowBackend

            return TensorFlowBackend()
        if name == "torch":
            from ._torch import TorchBackend

            return TorchBackend()
    reason = keras.keras_backend().reason
    raise ImportError(
        "skae trains on Keras' JAX, TensorFlow and PyTorch backends, but Keras runs on "
        f"{name!r} here, because {reason}. Set KERAS_BACKEND=jax, for example, before "
        "Keras is imported."
    )


@shared
def networks(spec: NetworkSpec) -> Networks:
    """Return the Keras models of ``spec``."""
    if spec.is_custom:
        # The user's code may need real values.
        return build_networks(spec)
    return backend().build(spec, build_networks)


@shared
def engine(spec: NetworkSpec, objective: Objective, optimizer: OptimizerSpec) -> Engine:
    """Return the engine that trains the networks of ``spec``."""
    return backend().engine(networks(spec), objective, optimizer)
