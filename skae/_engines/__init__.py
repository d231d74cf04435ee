"""Engines: how each Keras backend trains and evaluates networks."""

from ._cache import MOST_PROGRAMS, backend, engine, networks, shared
from ._engine import Backend, Engine, HyperParameters, State
from ._optimizer import OptimizerChoice, OptimizerSpec

__all__ = [
    "MOST_PROGRAMS",
    "Backend",
    "Engine",
    "HyperParameters",
    "OptimizerChoice",
    "OptimizerSpec",
    "State",
    "backend",
    "engine",
    "networks",
    "shared",
]
