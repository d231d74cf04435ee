"""A pass over a block as one compiled JAX program: a pure function of arrays."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._data import Batch, Block
from ..._networks import Networks
from ..._objective import Objective
from .._engine import Engine, HyperParameters, State
from .._optimizer import OptimizerSpec
from ._batches import Fused, OneByOne
from ._optimizer import PackedOptimizer


class JaxEngine(Engine):
    """Training of one network on JAX.

    A pass of training over a block, and the losses of its rows, are one compiled
    function each. How many batches a block holds is an argument. So one compilation
    serves all samples that share a block's shape.
    """

    def __init__(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> None:
        self._networks = networks
        self._objective = objective
        self._optimizer = PackedOptimizer(
            optimizer,
            networks.encoder.trainable_variables + networks.decoder.trainable_variables,
            networks.penalised,
            # The user's own weights may have constraints.
            may_pack=not networks.spec.is_custom,
        )
        self.mixes_rows = networks.mixes_rows
        convolves = networks.spec.is_custom and has_convolutions(networks)
        self._batches = (OneByOne if convolves else Fused)(self)

    def place(self, rows: Batch) -> Batch:
        """Return rows on the device. A CPU uses aligned arrays in place."""
        return jax.device_put(rows)

    def init(self, weights: dict) -> State:
        """Return the state of a model with the given weights and a fresh optimizer."""
        return State(weights, self._optimizer.initial_state)

    def train(
        self,
        state: State,
        block: Block,
        rates: np.ndarray,
        seed: np.uint32,
        hyper: HyperParameters,
    ) -> tuple[State, Any]:
        """Train on each of the block's batches once."""
        if not self.mixes_rows:
            return self._batches.train(block, state, rates, seed, hyper)
        # Rows that fill up a batch would change its statistics.
        total = 0.0
        for part in block.without_padding():
            own = np.resize(rates[part.first - block.first :], len(part.order))
            state, loss = self._batches.train(part, state, own, seed, hyper)
            total += float(loss)
        return state, total

    def row_losses(self, weights: dict, block: Block, hyper: HyperParameters) -> Any:
        """Return the loss of each row, in an array of the shape of the order."""
        return self._batches.evaluate(block, weights, hyper)

    def fetch(self, arrays: Any) -> Any:
        """Return weights or a state in NumPy arrays."""
        return jax.device_get(arrays)

    # What `Fused` and `OneByOne` ask for.

    def begin(self, state: State, hyper: HyperParameters) -> tuple:
        """Return what training carries from batch to batch: weights in their scales."""
        weights, optimizer_state = state
        encoder, encoder_state = weights["encoder"]
        decoder, decoder_state = weights["decoder"]
        scaled = _each(jnp.divide, [*encoder, *decoder], hyper.weight_scales)
        packed = self._optimizer.pack(scaled)
        states = encoder_state, decoder_state
        return packed, states, optimizer_state, jnp.float32(0)

    def end(self, carry: tuple, hyper: HyperParameters) -> tuple:
        """Return state and loss from what training carried."""
        packed, states, optimizer_state, loss = carry
        scaled = self._optimizer.unpack(packed)
        encoder, decoder = self._parted(
            _each(jnp.multiply, scaled, hyper.weight_scales)
        )
        weights = {"encoder": (encoder, states[0]), "decoder": (decoder, states[1])}
        return State(weights, optimizer_state), loss

    def train_batch(self, block: Block, number, carry, rates, seed, hyper):
        """Return what is carried after a step."""
        packed, states, optimizer_state, total = carry
        batch = block.rows.map(lambda part: part[block.order[number]])
        counts = _counts(block, number)
        key = jax.random.fold_in(_key(seed), block.first + number)

        def loss(scaled):
            weights = self._parted(_each(jnp.multiply, scaled, hyper.weight_scales))
            variables = tuple(zip(weights, states, strict=True))
            losses, new_states, extra = self._forward(
                variables, batch, key, hyper, training=True
            )
            mean = jnp.sum(losses * counts) / jnp.sum(counts)
            return (mean + sum(extra)) / hyper.residual**2, (mean, new_states)

        scaled = self._optimizer.unpack(packed)
        gradients, (mean, states) = jax.grad(loss, has_aux=True)(scaled)
        of_encoder, of_decoder = self._parted(gradients)
        of_decoder = [hyper.decoder_rate * gradient for gradient in of_decoder]
        gradients = self._optimizer.pack([*of_encoder, *of_decoder])
        packed, optimizer_state = self._optimizer.step(
            optimizer_state, gradients, packed, mean, rates[number], hyper.alpha
        )
        return packed, states, optimizer_state, total + mean * counts.sum()

    def evaluate_batch(self, block: Block, number, losses, weights, hyper):
        """Return the losses with those of a batch among them."""
        key = _key(jnp.uint32(block.first + number))
        batch = block.rows.map(lambda part: part[block.order[number]])
        variables = weights["encoder"], weights["decoder"]
        values, _, _ = self._forward(variables, batch, key, hyper)
        return losses.at[number].set(values)

    def _parted(self, trainable: list) -> tuple[list, list]:
        """Return the encoder's weights and the decoder's."""
        end = len(self._networks.encoder.trainable_variables)
        return trainable[:end], trainable[end:]

    def _forward(self, variables, batch: Batch, key, hyper, training: bool = False):
        """Return the losses of rows, the networks' new states and their own losses."""
        kept: dict[str, list] = {}

        def encode(rows):
            outputs, *left = self._networks.encode(variables[0], rows, training)
            # A term may call again. The first call is that of the rows.
            kept.setdefault("encoder", left)
            return outputs

        def decode(codes):
            outputs, *left = self._networks.decode(variables[1], codes, training)
            kept.setdefault("decoder", left)
            return outputs

        def draw(kind, shape, stream=0):
            own = jax.random.fold_in(key, stream) if stream else key
            return getattr(jax.random, kind)(own, shape, jnp.float32)

        losses = self._objective.row_losses(
            encode, decode, batch, draw, hyper.objective
        )
        encoder_state, on_encoder = kept["encoder"]
        decoder_state, on_decoder = kept["decoder"]
        return losses, (encoder_state, decoder_state), on_encoder + on_decoder


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


def _each(operation, weights: list, scales: list | None) -> list:
    """Return weights after an operation with the scale of each."""
    if scales is None:
        return weights
    return [operation(*pair) for pair in zip(weights, scales, strict=True)]


def _counts(block: Block, number):
    """Return 1 for each row of a batch that counts, 0 for those that fill it up."""
    batch_size = block.order.shape[1]
    position = number * batch_size + jnp.arange(batch_size)
    return (position < block.n_rows).astype(jnp.float32)


def _key(seed):
    """Return the random key of a seed, as `jax.random.key` does, in compiled code."""
    data = jnp.stack([jnp.uint32(0), seed])
    return jax.random.wrap_key_data(data, impl="threefry2x32")
