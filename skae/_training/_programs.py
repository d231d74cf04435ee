"""Process-wide programs: compiled once for a spec, shared by every estimator."""

from __future__ import annotations

from functools import lru_cache

from .._objective import Objective
from .._spec import NetworkSpec
from ._jax_inference import InferenceProgram
from ._jax_training import TrainingProgram
from ._optimizer import OptimizerSpec


@lru_cache(maxsize=32)
def inference_program(spec: NetworkSpec) -> InferenceProgram:
    """Return the program that encodes and decodes with the networks of ``spec``."""
    return InferenceProgram(spec)


@lru_cache(maxsize=32)
def training_program(
    spec: NetworkSpec, objective: Objective, optimizer: OptimizerSpec
) -> TrainingProgram:
    """Return the program that trains the networks of ``spec``."""
    networks = inference_program(spec).networks
    return TrainingProgram(spec, networks, objective, optimizer)
