"""From one batch to a pass over all: a compiled loop, or a call for each batch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from ._feed import Block


class Fused:
    """All batches in one compiled function.

    Parameters
    ----------
    train_batch, judge_batch : callable
        Of the block, the batch's number, what is carried from batch to batch (state and
        loss, or losses), and the pass' other arrays.
    """

    def __init__(self, train_batch, judge_batch) -> None:
        self._train_batch, self._judge_batch = train_batch, judge_batch
        self.train = jax.jit(self._train)
        self.judge = jax.jit(self._judge)

    def _train(self, block: Block, state, *arrays):
        def body(number, carry):
            return self._train_batch(block, number, carry, *arrays)

        return jax.lax.fori_loop(0, _n_batches(block), body, (state, jnp.float32(0)))

    def _judge(self, block: Block, *arrays):
        def body(number, losses):
            return self._judge_batch(block, number, losses, *arrays)

        losses = jnp.zeros(block.order.shape, jnp.float32)
        return jax.lax.fori_loop(0, _n_batches(block), body, losses)


class OneByOne:
    """The same, with a call for each batch.

    XLA makes of a convolution inside a loop code that is twenty times slower on a CPU
    (https://github.com/jax-ml/jax/issues/12868): beside that, calls cost nothing.
    """

    def __init__(self, train_batch, judge_batch) -> None:
        self._train_batch = jax.jit(train_batch)
        self._judge_batch = jax.jit(judge_batch)

    def train(self, block: Block, state, *arrays):
        """Return the state and the summed loss after all batches."""
        carry = state, np.float32(0)
        for number in range(_n_batches(block)):
            carry = self._train_batch(block, number, carry, *arrays)
        return carry

    def judge(self, block: Block, *arrays):
        """Return the losses of the rows."""
        losses = np.zeros(block.order.shape, np.float32)
        for number in range(_n_batches(block)):
            losses = self._judge_batch(block, number, losses, *arrays)
        return losses


def _n_batches(block: Block):
    """Return how many batches hold rows that count."""
    batch_size = block.order.shape[1]
    return (block.n_rows + batch_size - 1) // batch_size
