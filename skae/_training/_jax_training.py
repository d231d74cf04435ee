"""An epoch of training as one compiled JAX program: a pure function of arrays."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._initialization import LinearStart, initial_weights
from .._networks import Networks
from .._objective import NUDGE, Objective, Strengths, stretch, weight_penalty
from .._spec import NetworkSpec
from ._feed import Block
from ._jax_batches import Fused, OneByOne
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
        self._optimizer = optimizer.build()
        self._optimizer_state = self._initial_optimizer_state()
        convolves = spec.is_custom and _has_convolutions(networks)
        self._batches = (OneByOne if convolves else Fused)(
            self._train_batch, self._judge_batch
        )

    @staticmethod
    def place(rows: np.ndarray) -> jax.Array:
        """Return the rows on the device: on a CPU, where aligned, as they are."""
        return jax.device_put(rows)

    def initial_weights(
        self, start: LinearStart | None, rng: np.random.RandomState
    ) -> dict:
        """Return the weights of iteration 0."""
        return initial_weights(self._spec, self.networks, start, rng)

    def initial_state(self, weights: dict) -> tuple[dict, list]:
        """Return the weights and a fresh optimizer's state."""
        return weights, self._optimizer_state

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

    def _initial_optimizer_state(self) -> list[np.ndarray]:
        values: list[Any] = []

        def build():
            # Under a trace the initial values become one program, not one for each,
            # and that of a single array is compiled in a fifth of the time.
            self._optimizer.build(
                self.networks.encoder.trainable_variables
                + self.networks.decoder.trainable_variables
            )
            values.extend(variable.value for variable in self._optimizer.variables)
            return jnp.concatenate([jnp.float32(value).ravel() for value in values])

        flat = np.asarray(jax.jit(build)())
        ends = np.cumsum([value.size for value in values])
        return [
            part.reshape(value.shape).astype(value.dtype)
            for part, value in zip(np.split(flat, ends[:-1]), values, strict=True)
        ]

    @property
    def _rate_slot(self) -> int | None:
        """Where the state holds the rate; None where the optimizer has a schedule."""
        rate, variables = self._optimizer.learning_rate, self._optimizer.variables
        slots = [slot for slot, value in enumerate(variables) if value is rate]
        return slots[0] if slots else None

    def _train_batch(self, block: Block, number, carry, rates, seed, strengths):
        state, total = carry
        weight = _weight(block, number)
        state, mean = self._step(
            state,
            block.rows[block.order[number]],
            weight,
            rates[number],
            jax.random.fold_in(_key(seed), block.first + number),
            strengths,
        )
        return state, total + mean * weight.sum()

    def _step(self, state, rows, weight, rate, key, strengths: Strengths):
        weights, optimizer_state = state
        (encoder, encoder_state), (decoder, decoder_state) = (
            weights["encoder"],
            weights["decoder"],
        )

        def loss(trainable):
            encoder, decoder = trainable
            variables = (encoder, encoder_state), (decoder, decoder_state)
            losses, states, extra = self._forward(
                variables, rows, key, strengths, training=True
            )
            mean = jnp.sum(losses * weight) / jnp.sum(weight)
            on_encoder, on_decoder = self.networks.penalised()
            penalty = weight_penalty(
                [*encoder, *decoder], on_encoder + on_decoder, strengths.alpha
            )
            return mean + penalty + sum(extra), (mean, states)

        gradients, (mean, states) = jax.grad(loss, has_aux=True)((encoder, decoder))
        slot = self._rate_slot
        if slot is not None:
            optimizer_state = list(optimizer_state)
            optimizer_state[slot] = rate
        trainable, optimizer_state = self._optimizer.stateless_apply(
            optimizer_state, gradients[0] + gradients[1], encoder + decoder
        )
        weights = {
            "encoder": (trainable[: len(encoder)], states[0]),
            "decoder": (trainable[len(encoder) :], states[1]),
        }
        return (weights, optimizer_state), mean

    def _judge_batch(self, block: Block, number, losses, weights, strengths):
        # The damage to judged rows is the same at every epoch.
        key = _key(jnp.uint32(block.first + number))
        rows = block.rows[block.order[number]]
        variables = weights["encoder"], weights["decoder"]
        values, _, _ = self._forward(variables, rows, key, strengths)
        return losses.at[number].set(values)

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
