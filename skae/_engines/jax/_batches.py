"""A pass over all batches of a block: one compiled loop, or one call for each batch."""

from __future__ import annotations

from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ..._data import Block
from .._engine import HyperParameters
from .._keras_engine import n_batches
from ._precision import in_full_precision


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


class OneByOne:
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
