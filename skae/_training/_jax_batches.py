"""From one batch to a pass over all: a compiled loop, or a call for each batch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._feed import Block


class Fused:
    """All batches of all models in one compiled function.

    Parameters
    ----------
    train_batch, judge_batch : callable
        Of the batch's number, what is carried from batch to batch (state and loss, or
        losses), and the pass' arrays.
    """

    def __init__(self, train_batch, judge_batch) -> None:
        self._train_batch, self._judge_batch = train_batch, judge_batch
        self.train = jax.jit(self._train)
        self.judge = jax.jit(self._judge)

    def _train(self, state, block: Block, rates, seed, strengths):
        def train_model(model):
            state, order, n_rows, key = model

            def body(number, carry):
                return self._train_batch(
                    number, carry, order, n_rows, key, block, rates, strengths
                )

            carry = state, jnp.float32(0)
            return _for_each_batch(order, n_rows, body, carry)

        keys = _keys(seed, block.order.shape[0])
        # One model after the other: on a CPU their matrix products are faster apart.
        return jax.lax.map(train_model, (state, block.order, block.n_rows, keys))

    def _judge(self, weights, block: Block, strengths):
        def judge_model(model):
            weights, order, n_rows = model

            def body(number, losses):
                return self._judge_batch(
                    number, losses, weights, order, block, strengths
                )

            losses = jnp.zeros(order.shape, jnp.float32)
            return _for_each_batch(order, n_rows, body, losses)

        return jax.lax.map(judge_model, (weights, block.order, block.n_rows))


class OneByOne:
    """The same, with a call for each batch.

    XLA makes of a convolution inside a loop code that is twenty times slower on a CPU
    (https://github.com/jax-ml/jax/issues/12868): beside that, calls cost nothing.
    """

    def __init__(self, train_batch, judge_batch) -> None:
        self._train_batch = jax.jit(train_batch)
        self._judge_batch = jax.jit(judge_batch)

    def train(self, state, block: Block, rates, seed, strengths):
        """Return each model's state and summed loss after its batches."""
        trained = []
        for model, key in enumerate(_keys(seed, len(block.order))):
            order, n_rows = block.order[model], block.n_rows[model]
            carry = _of_model(state, model), np.float32(0)
            for number in range(_n_batches(order, n_rows)):
                carry = self._train_batch(
                    number, carry, order, n_rows, key, block, rates, strengths
                )
            trained.append(carry)
        return _side_by_side(trained)

    def judge(self, weights, block: Block, strengths):
        """Return each model's losses of its rows."""
        judged = []
        for model, order in enumerate(block.order):
            losses = np.zeros(order.shape, np.float32)
            for number in range(_n_batches(order, block.n_rows[model])):
                losses = self._judge_batch(
                    number, losses, _of_model(weights, model), order, block, strengths
                )
            judged.append(losses)
        return _side_by_side(judged)


def key_of(seed):
    """Return the random key of a seed, as `jax.random.key`, but in compiled code."""
    data = jnp.stack([jnp.uint32(0), seed])
    return jax.random.wrap_key_data(data, impl="threefry2x32")


def _keys(seed, n_models: int):
    return jax.random.split(key_of(seed), n_models)


def _n_batches(order, n_rows):
    """Return how many batches hold rows that count."""
    return (n_rows + order.shape[1] - 1) // order.shape[1]


def _for_each_batch(order, n_rows, body, carry):
    return jax.lax.fori_loop(0, _n_batches(order, n_rows), body, carry)


def _of_model(arrays: Any, model: int):
    return jax.tree.map(lambda value: value[model], arrays)


def _side_by_side(models: list):
    return jax.tree.map(lambda *values: jnp.stack(values), *models)
