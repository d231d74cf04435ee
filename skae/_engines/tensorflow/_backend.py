"""TensorFlow as a backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..._networks import Networks
from ..._objective import Objective
from .._engine import Backend
from .._optimizer import OptimizerSpec
from ._engine import TensorFlowEngine
from ._traced import Traced, tensors


class TensorFlowBackend(Backend):
    """TensorFlow, with whole epochs in one function."""

    def engine(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> TensorFlowEngine:
        """Return an engine."""
        return TensorFlowEngine(networks, objective, optimizer)

    def compiled(self, function: Callable) -> Callable:
        """Return a function as one graph of TensorFlow."""
        return wraps(function)(Traced(function, compiled=False))

    def place(self, arrays: Any) -> Any:
        """Return arrays on the device."""
        return tensors(arrays)
