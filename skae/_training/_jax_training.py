"""An epoch of training as one compiled JAX program: a pure function of arrays."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._initialization import LinearStart, initial_weights
from .._networks import Networks, Units
from .._objective import NUDGE, Objective, Strengths, stretch
from .._spec import NetworkSpec
from ._feed import Block
from ._jax_batches import Fused, OneByOne
from ._jax_optimizer import Optimizer
from ._optimizer import OptimizerSpec


class TrainingProgram:
    """A pass of training over a block of rows, and the losses of its rows.

    Each is one compiled function. How many batches a block holds is an argument, so
    one compilation serves all sizes of sample that share a block's shape.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        networks: Networks,
        objective: Objective,
        optimizer: OptimizerSpec,
    ) -> None:
        self._spec = spec
        self.networks = networks
        self.objective = objective
        self._optimizer = Optimizer(
            optimizer,
            networks.encoder.trainable_variables + networks.decoder.trainable_variables,
            networks.penalised,
            # The user's own weights may have constraints.
            may_pack=not spec.is_custom,
        )
        convolves = spec.is_custom and _has_convolutions(networks)
        self._batches = (OneByOne if convolves else Fused)(self)

    @staticmethod
    def place(rows: np.ndarray) -> jax.Array:
        """Return the rows on the device: on a CPU, where aligned, as they are."""
        return jax.device_put(rows)

    def initial_weights(
        self, start: LinearStart | None, units: Units, rng: np.random.RandomState
    ) -> dict:
        """Return the weights of iteration 0."""
        return initial_weights(self._spec, self.networks, start, units, rng)

    def weight_units(self, units: Units) -> list:
        """Return what training measures each weight by."""
        of_encoder, of_decoder = self.networks.weight_units(units)
        return [*of_encoder, *of_decoder]

    def initial_state(self, weights: dict) -> tuple[dict, list]:
        """Return the weights and a fresh optimizer's state."""
        return weights, self._optimizer.initial_state

    def train(
        self,
        state: tuple,
        block: Block,
        rates: np.ndarray,
        seed: np.uint32,
        strengths: Strengths,
    ):
        """Train on each of the batches once.

        Parameters
        ----------
        state : tuple
            Weights and optimizer state. Nothing is donated: arrays are immutable, so
            keeping the best weights is keeping a reference.

        block : Block
            Rows and batches.

        rates : ndarray of shape (n_batches,), float32
            Learning rate of each batch.

        seed : uint32
            Of the noise; the same for all blocks of an epoch.

        strengths : Strengths
            Numbers of the objective.

        Returns
        -------
        state : tuple
            After the pass.

        loss : array of shape ()
            Sum of the training losses of the rows.
        """
        return self._batches.train(block, state, rates, seed, strengths)

    def row_losses(self, weights: dict, block: Block, strengths: Strengths):
        """Return the losses of the rows, in the shape of the block's order."""
        return self._batches.judge(block, weights, strengths)

    @staticmethod
    def fetch(arrays: Any) -> Any:
        """Return the arrays as NumPy's."""
        return jax.tree.map(np.asarray, arrays)

    def begin(self, state, strengths: Strengths):
        """Return what training carries from batch to batch."""
        weights, optimizer_state = state
        (encoder, encoder_state), (decoder, decoder_state) = (
            weights["encoder"],
            weights["decoder"],
        )
        in_units = _each(jnp.divide, [*encoder, *decoder], strengths.units)
        packed = self._optimizer.pack(in_units)
        states = encoder_state, decoder_state
        return packed, states, optimizer_state, jnp.float32(0)

    def end(self, carry, strengths: Strengths):
        """Return state and loss from what training carried."""
        packed, states, optimizer_state, loss = carry
        in_units = self._optimizer.unpack(packed)
        encoder, decoder = self._parted(_each(jnp.multiply, in_units, strengths.units))
        weights = {"encoder": (encoder, states[0]), "decoder": (decoder, states[1])}
        return (weights, optimizer_state), loss

    def train_batch(self, block: Block, number, carry, rates, seed, strengths):
        """Return what is carried after a step."""
        packed, states, optimizer_state, total = carry
        rows = block.rows[block.order[number]]
        weight = _weight(block, number)
        key = jax.random.fold_in(_key(seed), block.first + number)

        def loss(trainable):
            weights = self._parted(_each(jnp.multiply, trainable, strengths.units))
            variables = tuple(zip(weights, states, strict=True))
            losses, new_states, extra = self._forward(
                variables, rows, key, strengths, training=True
            )
            mean = jnp.sum(losses * weight) / jnp.sum(weight)
            return (mean + sum(extra)) / strengths.left**2, (mean, new_states)

        trainable = self._optimizer.unpack(packed)
        gradients, (mean, states) = jax.grad(loss, has_aux=True)(trainable)
        of_encoder, of_decoder = self._parted(gradients)
        of_decoder = [strengths.decoder * gradient for gradient in of_decoder]
        gradients = self._optimizer.pack([*of_encoder, *of_decoder])
        packed, optimizer_state = self._optimizer.step(
            optimizer_state,
            gradients,
            packed,
            mean,
            rates[number],
            strengths.alpha,
        )
        return packed, states, optimizer_state, total + mean * weight.sum()

    def judge_batch(self, block: Block, number, losses, weights, strengths):
        """Return the losses with those of a batch among them."""
        # The damage to judged rows is the same at every epoch.
        key = _key(jnp.uint32(block.first + number))
        rows = block.rows[block.order[number]]
        variables = weights["encoder"], weights["decoder"]
        values, _, _ = self._forward(variables, rows, key, strengths)
        return losses.at[number].set(values)

    def _parted(self, trainable: list) -> tuple[list, list]:
        """Return the encoder's weights and the decoder's."""
        end = len(self.networks.encoder.trainable_variables)
        return trainable[:end], trainable[end:]

    def _forward(self, variables, rows, key, strengths, training: bool = False):
        seen, wanted = self.objective.seen_and_wanted(rows)
        noise = _noise(self.objective.noise, key, seen)
        damaged = self.objective.corrupt(seen, noise, strengths)
        encoded, encoder_state, on_encoder = self.networks.encode(
            variables[0], damaged, training
        )
        codes = self._codes(encoded, key)
        decoded, decoder_state, on_decoder = self.networks.decode(
            variables[1], codes, training
        )
        losses = self.objective.row_losses(wanted, encoded, decoded, strengths)
        if self.objective.contracts:
            direction = jax.random.normal(jax.random.fold_in(key, 1), damaged.shape)
            nudged = damaged + NUDGE * direction
            elsewhere, _, _ = self.networks.encode(variables[0], nudged, training)
            moved, _, _ = self.networks.decode(variables[1], elsewhere, training)
            losses = losses + strengths.contraction * stretch(decoded, moved)
        return losses, (encoder_state, decoder_state), on_encoder + on_decoder

    def _codes(self, encoded, key):
        if self.objective.likelihood is None:
            return encoded
        shape = (encoded.shape[0], self._spec.n_components)
        return self.objective.codes(encoded, jax.random.normal(key, shape))


def _each(operation, weights: list, units: list | None) -> list:
    """Return weights after an operation with the unit of each."""
    if units is None:
        return weights
    return [operation(*pair) for pair in zip(weights, units, strict=True)]


def _has_convolutions(networks: Networks) -> bool:
    """Say whether the networks convolve, in whatever layers of the user's."""

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


def _weight(block: Block, number):
    """Return 1 for each row of a batch that counts, 0 for those that fill it up."""
    batch_size = block.order.shape[1]
    position = number * batch_size + jnp.arange(batch_size)
    return (position < block.n_rows).astype(jnp.float32)


def _key(seed):
    """Return the random key of a seed, as `jax.random.key`, but in compiled code."""
    data = jnp.stack([jnp.uint32(0), seed])
    return jax.random.wrap_key_data(data, impl="threefry2x32")


def _noise(kind: str | None, key, rows):
    if kind == "normal":
        return jax.random.normal(key, rows.shape, rows.dtype)
    if kind == "uniform":
        return jax.random.uniform(key, rows.shape, rows.dtype)
    return None
