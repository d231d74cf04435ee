"""JAX as a backend, with as many threads as the process may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from ..._environment import n_cores, variable
from ..._networks import Networks, NetworkSpec
from ..._objective import Objective
from .._engine import Backend
from .._optimizer import OptimizerSpec
from ._engine import JaxEngine
from ._precision import in_full_precision


class JaxBackend(Backend):
    """JAX, with whole epochs in one compiled function."""

    def __init__(self) -> None:
        # As many as XLA has.
        given = variable("NPROC") or variable("OMP_NUM_THREADS") or ""
        self.n_threads = int(given) if given.isdecimal() and int(given) else n_cores()
        if len(jax.local_devices()) > 1:
            # Programs for several devices wait for each other if they run at once.
            self.n_threads = 1

    def engine(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> JaxEngine:
        """Return an engine."""
        return JaxEngine(networks, objective, optimizer)

    def compiled(self, function: Callable) -> Callable:
        """Return a function compiled by JAX."""
        return in_full_precision(function)

    def place(self, arrays: Any) -> Any:
        """Return arrays on the device."""
        return jax.device_put(arrays)

    def build(self, spec: NetworkSpec, builder: Callable[[NetworkSpec], Any]) -> Any:
        """Build Keras models under a trace, where no initialiser runs."""
        built = []
        jax.eval_shape(lambda: built.append(builder(spec)))
        return built[0]
