"""A pass over a block as a loop over recorded steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from ... import _keras as keras
from ..._data import Batch, Block
from ..._networks import Networks
from ..._objective import Objective
from .._engine import HyperParameters, State
from .._keras_engine import KerasEngine, n_batches
from .._optimizer import OptimizerSpec
from ._arrays import device, fetched, tensors
from ._noise import Requests, drawn, seeded_layers
from ._replay import Replayed
from ._threads import threads_for

_OF_TRAINING, _OF_PLACES = 0, 1
"""Noise of epochs, and noise that depends on the place of a row only."""


class TorchEngine(KerasEngine):
    """Training of one network on PyTorch.

    A step is recorded at its first call and replayed afterwards. Recorded are the
    operations of a whole step: of the networks, the gradient and the optimizer.
    """

    def __init__(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> None:
        super().__init__(networks, objective, optimizer)
        self._requests: dict[Any, list[tuple]] = {}
        self._steps = Replayed(self._step)
        self._evaluations = Replayed(self._evaluation)
        trainable, kept = (
            getattr(networks.encoder, kind) + getattr(networks.decoder, kind)
            for kind in ("trainable_variables", "non_trainable_variables")
        )
        self._n_weights = sum(int(np.prod(variable.shape)) for variable in trainable)
        self._layers_draw = any("int" in str(variable.dtype) for variable in kept)

    def place(self, rows: Batch) -> Batch:
        """Return rows on the device. A CPU uses the arrays in place."""
        return rows.map(lambda part: torch.as_tensor(part, device=device()))

    def train_block(
        self,
        state: State,
        block: Block,
        rates: np.ndarray,
        seed: np.uint32,
        hyper: HyperParameters,
    ) -> tuple[State, Any]:
        """Train on each of the block's batches once, the filled up ones too."""
        hyper, due = tensors(hyper), tensors(rates)
        batches, counts = _batches(block), _counts(block)
        seeds = _OF_TRAINING, int(seed)
        with threads_for(self._n_weights * block.order.shape[1]):
            carry = self.begin(tensors(state), hyper)
            requests = self._asked(batches(0), state.weights, hyper)
            noise = drawn(requests, device(), 0)
            # A step draws while it is recorded, so the layers are seeded once more.
            with self._seeded(0):
                step = self._steps.like(
                    carry, batches(0), counts[0], due[0], noise, hyper
                )
            # A step changes what is carried in place. States never change.
            left = [leaf.clone() for leaf in keras.tree.flatten(carry)]
            numbers = _leaves(hyper)
            with self._seeded(*seeds, block.first):
                for number in range(n_batches(block)):
                    noise = drawn(requests, device(), *seeds, block.first + number)
                    left = step(
                        *left,
                        *_leaves(batches(number)),
                        counts[number],
                        due[number],
                        *noise,
                        *numbers,
                    )
            return self.end(keras.tree.pack_sequence_as(carry, left), hyper)

    def row_losses(self, weights: dict, block: Block, hyper: HyperParameters) -> Any:
        """Return the loss of each row, in an array of the shape of the order."""
        hyper, weights = tensors(hyper), tensors(weights)
        batches = _batches(block)
        losses = torch.zeros(block.order.shape, device=device())
        with torch.no_grad(), threads_for(self._n_weights * block.order.shape[1]):
            requests = self._asked(batches(0), weights, hyper)
            noise = drawn(requests, device(), 0)
            evaluate = self._evaluations.like(batches(0), weights, noise, hyper)
            left, numbers = _leaves(weights), _leaves(hyper)
            for number in range(n_batches(block)):
                noise = drawn(requests, device(), _OF_PLACES, block.first + number)
                rows = _leaves(batches(number))
                (losses[number],) = evaluate(*rows, *left, *noise, *numbers)
        return losses.cpu()

    def fetch(self, arrays: Any) -> Any:
        """Return weights or a state in NumPy arrays."""
        return fetched(arrays)

    def gradients(self, loss: Callable, arrays: list) -> tuple[list, Any]:
        """Return the gradients of a loss by arrays, and what else it returns."""
        with torch.enable_grad():
            arrays = [array.detach().requires_grad_() for array in arrays]
            value, more = loss(arrays)
        found = torch.autograd.grad(value, arrays, materialize_grads=True)
        return list(found), keras.tree.map_structure(torch.Tensor.detach, more)

    def draw(self, noise: Any, kind: str, shape: tuple, stream: int = 0) -> Any:
        """Return noise that was drawn before the step."""
        return noise[kind, tuple(shape), stream]

    def _step(self, carry, batch: Batch, counts, rate, noise: list, hyper) -> list:
        requests = self._requests[_shapes(batch)]
        named = dict(zip(requests, noise, strict=True))
        with torch.no_grad():
            carry = self.step(batch, counts, carry, rate, named, hyper)
        return keras.tree.flatten(carry)

    def _evaluation(self, batch: Batch, weights: dict, noise: list, hyper) -> list:
        named = dict(zip(self._requests[_shapes(batch)], noise, strict=True))
        with torch.no_grad():
            return [self.batch_losses(batch, weights, named, hyper)]

    def _seeded(self, *seed: int) -> AbstractContextManager:
        """Seed the layers that draw noise inside, if there are any."""
        return seeded_layers(device(), *seed) if self._layers_draw else nullcontext()

    def _asked(self, batch: Batch, weights: dict, hyper) -> list[tuple]:
        """Return what noise the objective asks for with such a batch."""
        shapes = _shapes(batch)
        if shapes not in self._requests:
            asked = Requests(device())
            with torch.no_grad():
                self.batch_losses(batch, tensors(weights), asked, hyper)
            self._requests[shapes] = list(asked)
        return self._requests[shapes]


def _batches(block: Block) -> Callable[[int], Batch]:
    """Return a function that returns a batch."""
    order = torch.as_tensor(block.order, device=device())

    def batch(number: int) -> Batch:
        return block.rows.map(lambda part: part.index_select(0, order[number]))

    return batch


def _counts(block: Block) -> torch.Tensor:
    """Return 1 for each row that counts, 0 for those that fill up a batch."""
    places = torch.arange(block.order.size, device=device())
    return (places < int(block.n_rows)).float().reshape(block.order.shape)


def _shapes(batch: Batch) -> tuple:
    return tuple(None if part is None else tuple(part.shape) for part in batch)


def _leaves(arrays: Any) -> list:
    return [leaf for leaf in keras.tree.flatten(arrays) if leaf is not None]
