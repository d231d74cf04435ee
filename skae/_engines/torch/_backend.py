"""PyTorch as a backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from ..._networks import Networks
from ..._objective import Objective
from .._engine import Backend
from .._optimizer import OptimizerSpec
from ._arrays import tensors
from ._engine import TorchEngine


class TorchBackend(Backend):
    """PyTorch, with recorded steps. One model trains at a time: Python starts them."""

    def engine(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> TorchEngine:
        """Return an engine."""
        return TorchEngine(networks, objective, optimizer)

    def compiled(self, function: Callable) -> Callable:
        """Return the function without gradients. PyTorch runs it as it is."""

        @wraps(function)
        def without_gradients(*arrays):
            with torch.no_grad():
                return function(*tensors(arrays)).cpu()

        return without_gradients

    def place(self, arrays: Any) -> Any:
        """Return arrays on the device."""
        return tensors(arrays)
