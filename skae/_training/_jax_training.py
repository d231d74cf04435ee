"""An epoch of training as one compiled JAX program: a pure function of arrays."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._initialization import initial_weights
from .._networks import Networks
from .._objective import Objective, Strengths, weight_penalty
from .._spec import NetworkSpec
from ._optimizer import OptimizerSpec
from ._task import Task


class Batches(NamedTuple):
    """An epoch's batches: row numbers, row weights and learning rates."""

    index: Any
    weight: Any
    rate: Any


class TrainingProgram:
    """A whole epoch, and the losses of given rows, each one compiled function."""

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
        self._optimizer_state = jax.jit(partial(self._build_optimizer, optimizer))()
        self._compiled_epoch = jax.jit(self._epochs)
        self._compiled_row_losses = jax.jit(self._all_row_losses)

    def place(self, rows: np.ndarray, batch_size: int) -> jax.Array:
        """Return the rows on the device, filled up to whole batches.

        Folds of a cross-validation differ by a row; filled up they share one shape,
        and so one compilation.
        """
        return jnp.asarray(np.pad(rows, ((0, -len(rows) % batch_size), (0, 0))))

    def initial_weights(self, axes, rng: np.random.RandomState) -> dict:
        """Return the weights of iteration 0."""
        components = axes.components if self._spec.starts_at_pca else None
        return initial_weights(self._spec, self.networks, components, rng)

    def initial_state(self, weights: dict, n_models: int) -> tuple[dict, list]:
        """Return the weights and a fresh optimizer's state, for ``n_models`` models.

        Models trained side by side lie along the first axis of every array.
        """
        return jax.tree.map(
            lambda value: np.broadcast_to(value, (n_models, *np.shape(value))),
            (weights, self._optimizer_state),
        )

    def epoch(self, state, task: Task, batches: Batches, held_out, seed: int):
        """Train every model on each of its batches once.

        Returns
        -------
        state : tuple
            Weights and optimizer state after the epoch. Nothing is donated: arrays
            are immutable, so keeping the best weights is keeping a reference.

        losses : array of shape (n_models,)
            Mean training loss of each model.

        judgement : array
            Loss of each held-out row, in the shape of ``held_out``.
        """
        key = jax.random.key(seed)
        return self._compiled_epoch(
            state, task.rows, batches, held_out, key, task.strengths
        )

    def row_losses(self, weights: dict, task: Task, index: np.ndarray) -> jax.Array:
        """Return each model's loss of each row numbered in ``index``, in its shape."""
        return self._compiled_row_losses(weights, task.rows, index, task.strengths)

    @staticmethod
    def fetch(weights: dict) -> dict:
        """Return the last model's weights as NumPy arrays."""
        return jax.tree.map(lambda value: np.asarray(value)[-1], weights)

    def _build_optimizer(self, spec: OptimizerSpec):
        # Under a trace all initial values become one program, not one for each.
        self._optimizer = optimizer = spec.build()
        optimizer.build(
            self.networks.encoder.trainable_variables
            + self.networks.decoder.trainable_variables
        )
        # None where the optimizer has a schedule of its own.
        rate, self._rate_slot = optimizer.learning_rate, None
        for slot, variable in enumerate(optimizer.variables):
            if variable is rate:
                self._rate_slot = slot
        return [variable.value for variable in optimizer.variables]

    def _epochs(self, state, rows, batches: Batches, held_out, key, strengths):
        # One model after the other: on a CPU their matrix products are faster apart.
        keys = jax.random.split(key, held_out.shape[0])
        return jax.lax.map(
            lambda model: self._epoch(rows, strengths, *model),
            (state, batches, held_out, keys),
        )

    def _epoch(self, rows, strengths, state, batches: Batches, held_out, key):
        keys = jax.random.split(key, batches.index.shape[0])
        step = partial(self._step, rows, strengths)
        state, losses = jax.lax.scan(step, state, (batches, keys))
        counts = batches.weight.sum(axis=1)
        loss = jnp.sum(losses * counts) / jnp.sum(counts)
        return state, loss, self._row_losses(rows, strengths, state[0], held_out)

    def _step(self, rows, strengths: Strengths, state, batch):
        (index, weight, rate), key = batch
        weights, optimizer_state = state
        (encoder, encoder_state), (decoder, decoder_state) = (
            weights["encoder"],
            weights["decoder"],
        )

        def loss(trainable):
            encoder, decoder = trainable
            variables = (encoder, encoder_state), (decoder, decoder_state)
            losses, states, extra = self._forward(
                variables, rows[index], key, strengths, training=True
            )
            mean = jnp.sum(losses * weight) / jnp.sum(weight)
            on_encoder, on_decoder = self.networks.penalised()
            penalty = weight_penalty(
                [*encoder, *decoder], on_encoder + on_decoder, strengths.alpha
            )
            return mean + penalty + sum(extra), (mean, states)

        gradients, (mean, states) = jax.grad(loss, has_aux=True)((encoder, decoder))
        if self._rate_slot is not None:
            optimizer_state = list(optimizer_state)
            optimizer_state[self._rate_slot] = rate
        trainable, optimizer_state = self._optimizer.stateless_apply(
            optimizer_state, gradients[0] + gradients[1], encoder + decoder
        )
        weights = {
            "encoder": (trainable[: len(encoder)], states[0]),
            "decoder": (trainable[len(encoder) :], states[1]),
        }
        return (weights, optimizer_state), mean

    def _all_row_losses(self, weights, rows, blocks, strengths: Strengths):
        return jax.lax.map(
            lambda model: self._row_losses(rows, strengths, *model), (weights, blocks)
        )

    def _row_losses(self, rows, strengths: Strengths, weights, blocks):
        variables = weights["encoder"], weights["decoder"]

        def block_losses(block):
            number, index = block
            # The damage to judged rows is the same at every epoch.
            key = jax.random.key(number)
            return self._forward(variables, rows[index], key, strengths)[0]

        return jax.lax.map(block_losses, (jnp.arange(blocks.shape[0]), blocks))

    def _forward(self, variables, rows, key, strengths, training: bool = False):
        noise = _noise(self.objective.noise, key, rows)
        damaged = self.objective.corrupt(rows, noise, strengths)
        codes, encoder_state, on_encoder = self.networks.encode(
            variables[0], damaged, training
        )
        outputs, decoder_state, on_decoder = self.networks.decode(
            variables[1], codes, training
        )
        losses = self.objective.row_losses(rows, codes, outputs, strengths)
        return losses, (encoder_state, decoder_state), on_encoder + on_decoder


def _noise(kind: str | None, key, rows):
    if kind == "normal":
        return jax.random.normal(key, rows.shape, rows.dtype)
    if kind == "uniform":
        return jax.random.uniform(key, rows.shape, rows.dtype)
    return None
