"""Process-wide programs: compiled once for a spec, shared by every estimator."""

from __future__ import annotations

import threading
from functools import lru_cache

from .._objective import Objective
from .._spec import NetworkSpec
from ._jax_inference import InferenceProgram
from ._jax_training import TrainingProgram
from ._optimizer import OptimizerSpec

MOST_PROGRAMS = 32
"""Programs kept of either kind; the least recently used goes first."""

_BUILDING = threading.RLock()
"""Threads that want the same program at once wait for one to build it."""


def inference_program(spec: NetworkSpec) -> InferenceProgram:
    """Return the program that encodes and decodes with the networks of ``spec``."""
    with _BUILDING:
        return _inference_program(spec)


def training_program(
    spec: NetworkSpec, objective: Objective, optimizer: OptimizerSpec
) -> TrainingProgram:
    """Return the program that trains the networks of ``spec``."""
    with _BUILDING:
        return _training_program(spec, objective, optimizer)


@lru_cache(MOST_PROGRAMS)
def _inference_program(spec: NetworkSpec) -> InferenceProgram:
    return InferenceProgram(spec)


@lru_cache(MOST_PROGRAMS)
def _training_program(
    spec: NetworkSpec, objective: Objective, optimizer: OptimizerSpec
) -> TrainingProgram:
    networks = inference_program(spec).networks
    return TrainingProgram(spec, networks, objective, optimizer)
