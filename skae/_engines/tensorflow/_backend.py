"""TensorFlow as a backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import tensorflow as tf

from ..._networks import Networks
from ..._objective import Objective
from .._engine import Backend
from .._optimizer import OptimizerSpec
from ._engine import TensorFlowEngine, tensors


class TensorFlowBackend(Backend):
    """TensorFlow, with whole epochs in one function."""

    def engine(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> TensorFlowEngine:
        """Return an engine."""
        return TensorFlowEngine(networks, objective, optimizer)

    def compiled(self, function: Callable) -> Callable:
        """Return a function compiled by TensorFlow."""
        traced = tf.function(function)

        @wraps(function)
        def of_tensors(*arrays):
            return traced(*tensors(arrays))

        return of_tensors

    def place(self, arrays: Any) -> Any:
        """Return arrays on the device."""
        return tensors(arrays)
