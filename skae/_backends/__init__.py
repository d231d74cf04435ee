"""Backends: how each Keras backend trains and evaluates networks."""

from ._base import Backend, Engine, HyperParameters, State
from ._cache import MOST_PROGRAMS, backend, engine, networks, shared
from ._optimizer import OptimizerChoice, OptimizerSpec
