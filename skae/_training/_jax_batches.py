"""From one batch to a pass over all: a compiled loop, or a call for each batch."""

from __future__ import annotations

from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from .._objective import Strengths
from ._feed import Block
from ._jax_exact import exact


class Steps(Protocol):
    """What is done to a batch, as pure functions."""

    def begin(self, state, strengths: Strengths):
        """Return what training carries from batch to batch."""

    def train_batch(self, block: Block, number, carry, *arrays):
        """Return what is carried after a step."""

    def end(self, carry, strengths: Strengths):
        """Return state and loss from what training carried."""

    def judge_batch(self, block: Block, number, losses, *arrays):
        """Return the losses with those of a batch among them."""


class Fused:
    """All batches in one compiled function.

    Parameters
    ----------
    steps : Steps
        What is done to each.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.train = jax.jit(self._train)
        self.judge = exact(self._judge)

    def _train(self, block: Block, state, rates, seed, strengths: Strengths):
        def body(number, carry):
            return self._steps.train_batch(block, number, carry, rates, seed, strengths)

        carry = self._steps.begin(state, strengths)
        carry = jax.lax.fori_loop(0, _n_batches(block), body, carry)
        return self._steps.end(carry, strengths)

    def _judge(self, block: Block, *arrays):
        def body(number, losses):
            return self._steps.judge_batch(block, number, losses, *arrays)

        losses = jnp.zeros(block.order.shape, jnp.float32)
        return jax.lax.fori_loop(0, _n_batches(block), body, losses)


class OneByOne:
    """The same, with a call for each batch.

    XLA makes of a convolution inside a loop code that is twenty times slower on a CPU
    (https://github.com/jax-ml/jax/issues/12868): beside that, calls cost nothing.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._train_batch = jax.jit(steps.train_batch)
        self._judge_batch = exact(steps.judge_batch)

    def train(self, block: Block, state, rates, seed, strengths: Strengths):
        """Return the state and the summed loss after all batches."""
        carry = self._steps.begin(state, strengths)
        for number in range(_n_batches(block)):
            carry = self._train_batch(block, number, carry, rates, seed, strengths)
        return self._steps.end(carry, strengths)

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
