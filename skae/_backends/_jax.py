"""JAX: whole epochs in one compiled function. Importing this module starts JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .._data import Batch, Block
from .._environment import n_cores, variable
from .._losses import Objective
from .._networks import Networks, NetworkSpec
from ._base import Backend, HyperParameters, KerasEngine, State, counts, n_batches
from ._optimizer import OptimizerSpec, PackedOptimizer

FEWEST_ROWS = 1024
"""Rows for each device from which on a mini-batch is shared. With few rows the exchange
of gradients takes longer than the step. The limit is a guess, not measured."""


class JaxOptimizer(PackedOptimizer):
    """A Keras optimizer that is built by one small program."""

    def build(self, variables: list) -> list[np.ndarray]:
        """Build Keras' optimizer for the variables, and return its first state."""
        values: list[Any] = []

        def build():
            # Under a trace all initial values become one program. One that returns a
            # single array compiles in a fifth of the time.
            self._optimizer.build(self.packed_variables(variables))
            values.extend(variable.value for variable in self._optimizer.variables)
            return jnp.concatenate([jnp.float32(value).ravel() for value in values])

        flat = np.asarray(jax.jit(build)())
        ends = np.cumsum([value.size for value in values])
        return [
            part.reshape(value.shape).astype(value.dtype)
            for part, value in zip(np.split(flat, ends[:-1]), values, strict=True)
        ]


class Steps(Protocol):
    """What is done with a batch, as pure functions."""

    def begin(self, state, hyper: HyperParameters):
        """Return what training carries from batch to batch."""

    def train_batch(self, block: Block, number, carry, *arrays):
        """Return what is carried after a step."""

    def end(self, carry, hyper: HyperParameters):
        """Return state and loss from what training carried."""

    def evaluate_batch(self, block: Block, number, losses, *arrays):
        """Return the losses with those of a batch among them."""


class CompiledEpoch:
    """All batches in one compiled function.

    Parameters
    ----------
    steps : Steps
        What is done to each.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.train = jax.jit(self._train)
        self.evaluate = in_full_precision(self._evaluate)

    def _train(self, block: Block, state, rates, seed, hyper: HyperParameters):
        def body(number, carry):
            return self._steps.train_batch(block, number, carry, rates, seed, hyper)

        carry = self._steps.begin(state, hyper)
        carry = jax.lax.fori_loop(0, n_batches(block), body, carry)
        return self._steps.end(carry, hyper)

    def _evaluate(self, block: Block, *arrays):
        def body(number, losses):
            return self._steps.evaluate_batch(block, number, losses, *arrays)

        losses = jnp.zeros(block.order.shape, jnp.float32)
        return jax.lax.fori_loop(0, n_batches(block), body, losses)


class CompiledStep:
    """The same, with one call for each batch.

    On a CPU, XLA compiles a convolution inside a loop to code that is twenty times
    slower (https://github.com/jax-ml/jax/issues/12868). Calls cost little beside that.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._train_batch = jax.jit(steps.train_batch)
        self._evaluate_batch = in_full_precision(steps.evaluate_batch)

    def train(self, block: Block, state, rates, seed, hyper: HyperParameters):
        """Return the state and the summed loss after all batches."""
        carry = self._steps.begin(state, hyper)
        for number in range(n_batches(block)):
            carry = self._train_batch(block, number, carry, rates, seed, hyper)
        return self._steps.end(carry, hyper)

    def evaluate(self, block: Block, *arrays):
        """Return the losses of the rows."""
        losses = np.zeros(block.order.shape, np.float32)
        for number in range(n_batches(block)):
            losses = self._evaluate_batch(block, number, losses, *arrays)
        return losses


class JaxEngine(KerasEngine):
    """Training of one network on JAX.

    A pass of training over a block, and the losses of its rows, are one compiled
    function each. How many batches a block holds is an argument. So one compilation
    serves all data that share a block's shape.
    """

    optimizer_kind = JaxOptimizer

    def __init__(
        self,
        networks: Networks,
        objective: Objective,
        optimizer: OptimizerSpec,
        trains_decoder: bool = True,
    ) -> None:
        super().__init__(networks, objective, optimizer, trains_decoder)
        convolves = networks.spec.is_custom and has_convolutions(networks)
        self._batches = (CompiledStep if convolves else CompiledEpoch)(self)

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

    # What `CompiledEpoch` and `CompiledStep` ask for, beside `begin` and `end`.

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


def over_devices(batch: Batch) -> Batch:
    """Return a batch, inside a compiled function, with its rows on all devices.

    JAX then computes with the rows where they are, and adds up the gradients. A batch
    with few rows for each device stays as it is, and so does one whose rows cannot be
    shared equally. Nothing is shared inside ``jax.default_device``, either.
    """
    devices = jax.local_devices()
    n_rows, n_devices = batch.n_rows, len(devices)
    # JAX adds its options to `config` when it runs, so mypy does not know them.
    chosen = jax.config.jax_default_device  # type: ignore[attr-defined]
    if n_devices == 1 or chosen is not None:
        return batch
    if n_rows % n_devices or n_rows < FEWEST_ROWS * n_devices:
        return batch
    by_row = NamedSharding(Mesh(np.array(devices), ("rows",)), PartitionSpec("rows"))
    return batch.map(lambda part: jax.lax.with_sharding_constraint(part, by_row))


def in_full_precision(function: Callable) -> Any:
    """Return the function compiled by JAX, with float32 products in full precision.

    On a GPU, JAX by default rounds the factors of a product to ten bits. Training may
    do so. But the losses of rows decide whether PCA is kept, and codes must not depend
    on the device. The precision is set inside the trace. JAX's own setting stays.
    """

    @wraps(function)
    def traced(*arrays):
        with jax.default_matmul_precision("float32"):
            return function(*arrays)

    return jax.jit(traced)
