"""TensorFlow: whole epochs in one function. Importing this module starts TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import tensorflow as tf

from .. import _keras as keras
from .._data import Batch, Block
from .._losses import Objective
from .._networks import Networks
from ._base import (
    Backend,
    HyperParameters,
    KerasEngine,
    State,
    as_on_jax,
    counts,
    n_batches,
)
from ._optimizer import OptimizerSpec, PackedOptimizer

_OF_PLACES = 2**32
"""A seed that no epoch has: seeds of epochs have 32 bits."""


class TensorFlowOptimizer(PackedOptimizer):
    """A Keras optimizer as a pure function, inside a ``tf.function``.

    On TensorFlow Keras has no ``stateless_apply``: its optimizers change variables. So
    the variables get the values before the step and are read after it. In a program of
    XLA that costs nothing.
    """

    def build(self, variables: list) -> list[np.ndarray]:
        """Build Keras' optimizer for the variables, and return its first state."""
        # Copies: steps assign to them, and the user's model has to stay as it is.
        self._variables = []
        for variable in self.packed_variables(variables):
            values = keras.to_numpy(variable)
            copy = keras.Variable(values, dtype=variable.dtype, name=variable.name)
            copy.constraint = variable.constraint
            self._variables.append(copy)
        self._optimizer.build(self._variables)
        return [keras.to_numpy(variable) for variable in self.variables]

    def apply(self, state: list, gradients: list, weights: list) -> tuple[list, list]:
        """Return the weights and the state after a step of Keras' optimizer."""
        changed = self._variables, self.variables
        for variables, values in zip(changed, (weights, state), strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self._optimizer.apply(gradients, self._variables)
        weights, state = (
            [variable.value.read_value() for variable in variables]
            for variables in changed
        )
        return weights, state


class Traced:
    """A function of nested arrays, as one graph for each combination of shapes.

    ``tf.function`` warns of many shapes. Here each one is wanted.

    Parameters
    ----------
    function : callable
        Takes and returns nested tensors.

    compiled : bool
        Whether XLA compiles the graph.
    """

    def __init__(self, function: Callable, compiled: bool) -> None:
        self._function = tf.function(function, autograph=False, jit_compile=compiled)
        self._graphs: dict[Any, Callable] = {}

    def __call__(self, *arrays: Any) -> Any:
        """Return what the function returns."""
        arguments = tensors(arrays)
        leaves = tf.nest.flatten(arguments)
        shapes = tuple(
            None if leaf is None else (tuple(leaf.shape), leaf.dtype) for leaf in leaves
        )
        if shapes not in self._graphs:
            self._graphs[shapes] = self._function.get_concrete_function(*arguments)
        return self._graphs[shapes](*arguments)


def tensors(arrays: Any) -> Any:
    """Return nested arrays and numbers as tensors. None stays None."""
    return tf.nest.map_structure(_tensor, arrays)


def _tensor(array: Any) -> Any:
    if array is None or tf.is_tensor(array):
        return array
    if isinstance(array, int):
        return tf.constant(array, tf.int32)
    return tf.convert_to_tensor(as_on_jax(array))


class TensorFlowEngine(KerasEngine):
    """Training of one network on TensorFlow.

    As on JAX, a pass of training over a block, and the losses of its rows, are one
    function each. XLA compiles it, unless the user's own layers are in it: XLA has not
    every operation, and it is slow at convolutions inside a loop.
    """

    optimizer_kind = TensorFlowOptimizer

    def __init__(
        self,
        networks: Networks,
        objective: Objective,
        optimizer: OptimizerSpec,
        trains_decoder: bool = True,
    ) -> None:
        super().__init__(networks, objective, optimizer, trains_decoder)
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
            return self.step(
                _batch(block, number),
                counts(block, number),
                carry,
                rates[number],
                noise,
                hyper,
            )

        carry = self.begin(state, hyper)
        return self.end(_loop(block, body, carry), hyper)

    def _losses(self, block: Block, weights: dict, hyper: HyperParameters):
        def body(number, losses):
            place = tf.cast(block.first + number, tf.int64)
            noise = tf.stack([np.int64(_OF_PLACES), place])
            values = self.batch_losses(_batch(block, number), weights, noise, hyper)
            return keras.ops.slice_update(losses, (number, 0), values[None])

        return _loop(block, body, tf.zeros(block.order.shape))


def _batch(block: Block, number) -> Batch:
    chosen = block.order[number]
    return block.rows.map(lambda part: tf.gather(part, chosen))


def _loop(block: Block, body: Callable, carry: Any) -> Any:
    """Return what is carried after all batches that hold rows that count."""

    def in_types(number, before):
        # Layers and optimizers may compute in more bits, or fewer.
        after = body(number, before)
        cast = tf.nest.map_structure(lambda a, b: tf.cast(a, b.dtype), after, before)
        return number + 1, cast

    end = n_batches(block)
    start = tf.constant(0), carry
    return tf.while_loop(lambda number, _: number < end, in_types, start)[1]


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
