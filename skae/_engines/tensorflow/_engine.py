"""A pass over a block as one TensorFlow function of arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ... import _keras as keras
from ..._data import Batch, Block
from ..._networks import Networks
from ..._objective import Objective
from .._engine import HyperParameters, State
from .._keras_engine import KerasEngine, counts, n_batches
from .._optimizer import OptimizerSpec
from ._optimizer import TensorFlowOptimizer
from ._traced import Traced

_OF_PLACES = 2**32
"""A seed that no epoch has: seeds of epochs have 32 bits."""


class TensorFlowEngine(KerasEngine):
    """Training of one network on TensorFlow.

    As on JAX, a pass of training over a block, and the losses of its rows, are one
    function each. XLA compiles it, unless the user's own layers are in it: XLA has not
    every operation, and it is slow at convolutions inside a loop.
    """

    optimizer_kind = TensorFlowOptimizer

    def __init__(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> None:
        super().__init__(networks, objective, optimizer)
        compiled = not networks.spec.is_custom
        self._train = Traced(self._pass, compiled)
        self._evaluate = Traced(self._losses, compiled)
        # The optimizer's variables belong to the function. Threads take turns.
        self._turn = threading.Lock()

    def place(self, rows: Batch) -> Batch:
        """Return rows on the device."""
        return rows.map(tf.convert_to_tensor)

    def train_block(
        self,
        state: State,
        block: Block,
        rates: np.ndarray,
        seed: np.uint32,
        hyper: HyperParameters,
    ) -> tuple[State, Any]:
        """Train on each of the block's batches once, the filled up ones too."""
        with self._turn:
            return self._train(block, state, rates, np.int64(seed), hyper)

    def row_losses(self, weights: dict, block: Block, hyper: HyperParameters) -> Any:
        """Return the loss of each row, in an array of the shape of the order."""
        return self._evaluate(block, weights, hyper)

    def fetch(self, arrays: Any) -> Any:
        """Return weights or a state in NumPy arrays."""
        return tf.nest.map_structure(np.asarray, arrays)

    def gradients(self, loss: Callable, arrays: list) -> tuple[list, Any]:
        """Return the gradients of a loss by arrays, and what else it returns."""
        with tf.GradientTape() as tape:
            tape.watch(arrays)
            value, more = loss(arrays)
        zero = tf.UnconnectedGradients.ZERO
        found = tape.gradient(value, arrays, unconnected_gradients=zero)
        # Those of an embedding are sparse.
        return [tf.convert_to_tensor(gradient) for gradient in found], more

    def draw(self, noise: Any, kind: str, shape: tuple, stream: int = 0) -> Any:
        """Return noise drawn from two numbers."""
        seed = noise + np.array([0, stream * 2**32])
        return getattr(tf.random, f"stateless_{kind}")(shape, seed)

    def _pass(self, block: Block, state: State, rates, seed, hyper: HyperParameters):
        def body(number, carry):
            noise = tf.stack([seed, tf.cast(block.first + number, tf.int64)])
            carry = self.step(
                _batch(block, number),
                counts(block, number),
                carry,
                rates[number],
                noise,
                hyper,
            )
            return number + 1, carry

        carry = self.begin(state, hyper)
        return self.end(_loop(block, body, carry), hyper)

    def _losses(self, block: Block, weights: dict, hyper: HyperParameters):
        def body(number, losses):
            place = tf.cast(block.first + number, tf.int64)
            noise = tf.stack([np.int64(_OF_PLACES), place])
            values = self.batch_losses(_batch(block, number), weights, noise, hyper)
            return number + 1, keras.ops.slice_update(losses, (number, 0), values[None])

        return _loop(block, body, tf.zeros(block.order.shape))


def _batch(block: Block, number) -> Batch:
    chosen = block.order[number]
    return block.rows.map(lambda part: tf.gather(part, chosen))


def _loop(block: Block, body: Callable, carry: Any) -> Any:
    end = n_batches(block)
    _, carry = tf.while_loop(
        lambda number, _: number < end, body, (tf.constant(0), carry)
    )
    return carry
