"""Compiled programs of the JAX backend: pure functions of arrays."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._initialization import initial_weights
from .._networks import Networks, build_networks
from .._objective import Objective, Strengths, weight_penalty
from .._spec import NetworkSpec
from ._optimizer import OptimizerSpec
from ._task import Task

BLOCK = 128
"""Rows that one compiled call encodes. Every row goes through this one shape, so that
its code never depends, not even in the last bit, on the rows that came with it."""

BLOCKS = 16
"""Blocks that one call loops over, so that many rows cost few calls."""


class Batches(NamedTuple):
    """An epoch's batches: row numbers, row weights and learning rates."""

    index: Any
    weight: Any
    rate: Any


class InferenceProgram:
    """Encode and decode, compiled for one network."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.networks = _build(spec)
        self._encode = _Blockwise(self._encode_block, spec.n_components)
        self._decode = _Blockwise(self._decode_block, spec.n_features)

    def encode(self, variables, offset, matrix, rows: np.ndarray) -> np.ndarray:
        """Return ``(network(rows) - offset) @ matrix``, as float32."""
        return self._encode((variables, offset, matrix), rows)

    def decode(self, variables, offset, matrix, codes: np.ndarray) -> np.ndarray:
        """Return ``network(codes @ matrix + offset)``, as float32."""
        return self._decode((variables, offset, matrix), codes)

    def _encode_block(self, arrays, rows):
        variables, offset, matrix = arrays
        codes, _, _ = self.networks.encode(variables, rows)
        return (codes - offset) @ matrix

    def _decode_block(self, arrays, codes):
        variables, offset, matrix = arrays
        rows, _, _ = self.networks.decode(variables, codes @ matrix + offset)
        return rows


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
        self._rate_slot = next(
            (
                slot
                for slot, variable in enumerate(self._optimizer.variables)
                if variable is self._optimizer.learning_rate
            ),
            None,
        )
        self._compiled_epoch = jax.jit(self._epoch)
        self._compiled_row_losses = jax.jit(self._row_losses)

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

    def initial_state(self, weights: dict) -> tuple[dict, list]:
        """Return the weights with a fresh optimizer's state."""
        return weights, self._optimizer_state

    def epoch(self, state, task: Task, batches: Batches, held_out, seed: int):
        """Train on every batch once.

        Returns
        -------
        state : tuple
            Weights and optimizer state after the epoch. Nothing is donated: arrays
            are immutable, so keeping the best weights is keeping a reference.

        loss : float
            Mean training loss.

        judgement : array
            Loss of each held-out row.
        """
        key = jax.random.key(seed)
        return self._compiled_epoch(
            state, task.rows, batches, held_out, key, task.strengths
        )

    def row_losses(self, weights: dict, task: Task, index: np.ndarray) -> jax.Array:
        """Return the loss of each row numbered in ``index``, in the same shape."""
        return self._compiled_row_losses(weights, task.rows, index, task.strengths)

    @staticmethod
    def fetch(weights: dict) -> dict:
        """Return the weights as NumPy arrays."""
        return jax.device_get(weights)

    def _build_optimizer(self, spec: OptimizerSpec):
        # Under a trace all initial values become one program, not one for each.
        self._optimizer = spec.build()
        self._optimizer.build(
            self.networks.encoder.trainable_variables
            + self.networks.decoder.trainable_variables
        )
        return [variable.value for variable in self._optimizer.variables]

    def _epoch(self, state, rows, batches: Batches, held_out, key, strengths):
        keys = jax.random.split(key, batches.index.shape[0])
        step = partial(self._step, rows, strengths)
        state, losses = jax.lax.scan(step, state, (batches, keys))
        counts = batches.weight.sum(axis=1)
        loss = jnp.sum(losses * counts) / jnp.sum(counts)
        return state, loss, self._row_losses(state[0], rows, held_out, strengths)

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

    def _row_losses(self, weights, rows, blocks, strengths: Strengths):
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


class _Blockwise:
    """Run a function of a fixed number of rows over any number of rows."""

    def __init__(self, function, width: int) -> None:
        self._one = jax.jit(function)
        self._many = jax.jit(
            lambda arrays, blocks: jax.lax.map(partial(function, arrays), blocks)
        )
        self._width = width

    def __call__(self, arrays, rows: np.ndarray) -> np.ndarray:
        result = np.empty((len(rows), self._width), np.float32)
        start = 0
        while len(rows) - start >= BLOCKS * BLOCK:
            stop = start + BLOCKS * BLOCK
            blocks = rows[start:stop].reshape(BLOCKS, BLOCK, -1)
            result[start:stop] = self._many(arrays, blocks).reshape(-1, self._width)
            start = stop
        for begin in range(start, len(rows), BLOCK):
            block = rows[begin : begin + BLOCK]
            filler = ((0, BLOCK - len(block)), (0, 0))
            outputs = self._one(arrays, np.pad(block, filler))
            result[begin : begin + BLOCK] = outputs[: len(block)]
        return result


def _build(spec: NetworkSpec) -> Networks:
    if spec.is_custom:
        # The user's code may want real values, so it is not run under a trace.
        return build_networks(spec)
    built = []
    # Only names and shapes are needed; under a trace no initialiser runs.
    jax.eval_shape(lambda: built.append(build_networks(spec)))
    return built[0]


def _noise(kind: str | None, key, rows):
    if kind == "normal":
        return jax.random.normal(key, rows.shape, rows.dtype)
    if kind == "uniform":
        return jax.random.uniform(key, rows.shape, rows.dtype)
    return None
