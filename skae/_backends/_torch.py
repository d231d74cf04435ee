"""PyTorch: steps that are recorded once and replayed. Importing it starts PyTorch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, wraps
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch.fx.experimental.proxy_tensor import make_fx

from .. import _keras as keras
from .._data import Batch, Block
from .._losses import Objective
from .._networks import Networks
from ._base import Backend, HyperParameters, KerasEngine, State, as_on_jax, n_batches
from ._optimizer import OptimizerSpec

_OF_TRAINING, _OF_PLACES = 0, 1
"""Noise of epochs, and noise that depends on the place of a row only."""

_TURN = threading.Lock()

_FEW_PRODUCTS = 2**24
"""With fewer products in a layer's pass, threads wait longer for each other than they
compute."""


class TorchEngine(KerasEngine):
    """Training of one network on PyTorch.

    A step is recorded at its first call and replayed afterwards. Recorded are the
    operations of a whole step: of the networks, the gradient and the optimizer.
    """

    def __init__(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> None:
        super().__init__(networks, objective, optimizer)
        self._noise_specs: dict[Any, list[tuple]] = {}
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
            noise_spec = self._noise_spec(batches(0), state.weights, hyper)
            noise = draw_noise(noise_spec, device(), 0)
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
                    noise = draw_noise(
                        noise_spec, device(), *seeds, block.first + number
                    )
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
            noise_spec = self._noise_spec(batches(0), weights, hyper)
            noise = draw_noise(noise_spec, device(), 0)
            evaluate = self._evaluations.like(batches(0), weights, noise, hyper)
            left, numbers = _leaves(weights), _leaves(hyper)
            for number in range(n_batches(block)):
                noise = draw_noise(
                    noise_spec, device(), _OF_PLACES, block.first + number
                )
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
        noise_spec = self._noise_specs[_shapes(batch)]
        named = dict(zip(noise_spec, noise, strict=True))
        with torch.no_grad():
            carry = self.step(batch, counts, carry, rate, named, hyper)
        return keras.tree.flatten(carry)

    def _evaluation(self, batch: Batch, weights: dict, noise: list, hyper) -> list:
        named = dict(zip(self._noise_specs[_shapes(batch)], noise, strict=True))
        with torch.no_grad():
            return [self.batch_losses(batch, weights, named, hyper)]

    def _seeded(self, *seed: int) -> AbstractContextManager:
        """Seed the layers that draw noise inside, if there are any."""
        return seeded_layers(device(), *seed) if self._layers_draw else nullcontext()

    def _noise_spec(self, batch: Batch, weights: dict, hyper) -> list[tuple]:
        """Return what noise the objective asks for with such a batch."""
        shapes = _shapes(batch)
        if shapes not in self._noise_specs:
            found = NoiseSpec(device())
            with torch.no_grad():
                self.batch_losses(batch, tensors(weights), found, hyper)
            self._noise_specs[shapes] = list(found)
        return self._noise_specs[shapes]


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


class TorchBackend(Backend):
    """PyTorch, with recorded steps. One model trains at a time: Python starts them."""

    def engine(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> TorchEngine:
        """Return an engine."""
        return TorchEngine(networks, objective, optimizer)

    def compiled(self, function: Callable) -> Callable:
        """Return the function without gradients. PyTorch runs it as it is."""

        @wraps(function)
        def without_gradients(*arrays):
            with torch.no_grad():
                return function(*tensors(arrays)).cpu()

        return without_gradients

    def place(self, arrays: Any) -> Any:
        """Return arrays on the device."""
        return tensors(arrays)


class Replayed:
    """A function of nested tensors that Python runs once for each shape.

    Around a small network's products Keras' layers, its optimizer and autograd spend
    several times as long in Python. A record is nothing but the list of PyTorch's
    operations, those of the gradient and of the optimizer among them. It is ready in
    half a second, because nothing is compiled.

    A function whose operations depend on the values of tensors cannot be recorded. It
    runs as it is.

    Parameters
    ----------
    function : callable
        Takes nested tensors and returns a list of tensors. It may change its arguments
        in place.
    """

    def __init__(self, function: Callable) -> None:
        self._function = function
        self._records: dict[Any, Callable] = {}

    def like(self, *arguments: Any) -> Callable:
        """Return the function for arguments of these shapes.

        It takes the tensors of the arguments one by one. Only their shapes matter here,
        the values may be changed.
        """
        leaves = keras.tree.flatten(arguments)
        shapes = tuple(
            None if leaf is None else (tuple(leaf.shape), leaf.dtype) for leaf in leaves
        )
        if shapes not in self._records:
            self._records[shapes] = self._record(arguments, leaves)
        return self._records[shapes]

    def _record(self, arguments: Any, leaves: list) -> Callable:
        def flat(*tensors):
            left = iter(tensors)
            filled = [None if leaf is None else next(left) for leaf in leaves]
            return self._function(*keras.tree.pack_sequence_as(arguments, filled))

        # The function may change them, and what is at hand may have to be repeated.
        tensors = [leaf.clone() for leaf in leaves if leaf is not None]
        try:
            return make_fx(flat)(*tensors)
        except RuntimeError:
            return flat


class NoiseSpec(dict):
    """What noise a step asks for. It gets zeros."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __missing__(self, request: tuple) -> torch.Tensor:
        self[request] = torch.zeros(request[1], device=self._device)
        return self[request]


def draw_noise(noise_spec: list[tuple], device: torch.device, *seed: int) -> list:
    """Return the noise of a batch: a tensor for each kind, shape and stream."""
    noise = []
    for kind, shape, stream in noise_spec:
        generator = torch.Generator(device).manual_seed(_number(*seed, stream))
        draw = torch.randn if kind == "normal" else torch.rand
        noise.append(draw(shape, generator=generator, device=device))
    return noise


@contextmanager
def seeded_layers(device: torch.device, *seed: int) -> Iterator[None]:
    """Seed the layers that draw noise inside. Leave PyTorch's generators as they were.

    Keras' dropout draws from these. Threads take turns, because they share them.
    """
    devices: list[Any] = [] if device.type == "cpu" else [device]
    with _TURN, torch.random.fork_rng(devices, device_type=device.type):
        torch.manual_seed(_number(*seed))
        yield


def _number(*seed: int) -> int:
    """Return one well mixed number."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


@contextmanager
def threads_for(n_products: int) -> Iterator[None]:
    """Keep a small network's products in one thread, inside."""
    if n_products >= _FEW_PRODUCTS or torch.get_num_threads() == 1:
        yield
        return
    with _openmp().limit(limits=1):
        yield


@cache
def _openmp() -> ThreadpoolController:
    # OpenMP's number is that of the calling thread. PyTorch's own would be global.
    return ThreadpoolController().select(user_api="openmp")


@cache
def device() -> torch.device:
    """Return the device that Keras chose."""
    return keras.ops.convert_to_tensor(0.0).device


def tensors(arrays: Any) -> Any:
    """Return nested arrays and numbers as tensors on the device. None stays None."""
    return keras.tree.map_structure(_tensor, arrays)


def fetched(arrays: Any) -> Any:
    """Return nested tensors as arrays of their own."""
    return keras.tree.map_structure(
        lambda one: keras.to_numpy(one) if torch.is_tensor(one) else np.array(one),
        arrays,
    )


def _tensor(array: Any) -> Any:
    if array is None or torch.is_tensor(array):
        return array
    return torch.tensor(as_on_jax(array), device=device())
