"""A pass over a block as one compiled JAX program: a pure function of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._data import Batch, Block
from ..._networks import Networks
from ..._objective import Objective
from .._engine import HyperParameters, State
from .._keras_engine import KerasEngine, counts
from .._optimizer import OptimizerSpec
from ._batches import Fused, OneByOne
from ._devices import over_devices
from ._optimizer import JaxOptimizer


class JaxEngine(KerasEngine):
    """Training of one network on JAX.

    A pass of training over a block, and the losses of its rows, are one compiled
    function each. How many batches a block holds is an argument. So one compilation
    serves all samples that share a block's shape.
    """

    optimizer_kind = JaxOptimizer

    def __init__(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> None:
        super().__init__(networks, objective, optimizer)
        convolves = networks.spec.is_custom and has_convolutions(networks)
        self._batches = (OneByOne if convolves else Fused)(self)

    def place(self, rows: Batch) -> Batch:
        """Return rows on the device. A CPU uses aligned arrays in place."""
        return jax.device_put(rows)

    def train_block(
        self,
        state: State,
        block: Block,
        rates: np.ndarray,
        seed: np.uint32,
        hyper: HyperParameters,
    ) -> tuple[State, Any]:
        """Train on each of the block's batches once, the filled up ones too."""
        return self._batches.train(block, state, rates, seed, hyper)

    def row_losses(self, weights: dict, block: Block, hyper: HyperParameters) -> Any:
        """Return the loss of each row, in an array of the shape of the order."""
        return self._batches.evaluate(block, weights, hyper)

    def fetch(self, arrays: Any) -> Any:
        """Return weights or a state in NumPy arrays."""
        return jax.device_get(arrays)

    def gradients(self, loss: Callable, arrays: list) -> tuple[list, Any]:
        """Return the gradients of a loss by arrays, and what else it returns."""
        return jax.grad(loss, has_aux=True)(arrays)

    def draw(self, noise: Any, kind: str, shape: tuple, stream: int = 0) -> Any:
        """Return noise drawn from a random key."""
        own = jax.random.fold_in(noise, stream) if stream else noise
        return getattr(jax.random, kind)(own, shape, jnp.float32)

    # What `Fused` and `OneByOne` ask for, beside `begin` and `end`.

    def train_batch(self, block: Block, number, carry, rates, seed, hyper):
        """Return what is carried after a step."""
        batch = _batch(block, number)
        key = jax.random.fold_in(_key(seed), block.first + number)
        return self.step(batch, counts(block, number), carry, rates[number], key, hyper)

    def evaluate_batch(self, block: Block, number, losses, weights, hyper):
        """Return the losses with those of a batch among them."""
        key = _key(jnp.uint32(block.first + number))
        batch = _batch(block, number)
        values = self.batch_losses(batch, weights, key, hyper)
        return losses.at[number].set(values)


def has_convolutions(networks: Networks) -> bool:
    """Say whether the networks convolve, in layers of any kind."""

    def forward(rows):
        variables = [
            (
                [v.value for v in one.trainable_variables],
                [v.value for v in one.non_trainable_variables],
            )
            for one in (networks.encoder, networks.decoder)
        ]
        codes, _, _ = networks.encode(variables[0], rows, training=True)
        return networks.decode(variables[1], codes, training=True)[0]

    rows = np.zeros((1, networks.encoder.input_shape[1]), np.float32)
    return "conv_general_dilated" in str(jax.make_jaxpr(forward)(rows))


def _batch(block: Block, number) -> Batch:
    return over_devices(block.rows.map(lambda part: part[block.order[number]]))


def _key(seed):
    """Return the random key of a seed, as `jax.random.key` does, in compiled code."""
    data = jnp.stack([jnp.uint32(0), seed])
    return jax.random.wrap_key_data(data, impl="threefry2x32")
