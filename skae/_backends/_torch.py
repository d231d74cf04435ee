"""PyTorch: steps that are recorded once and replayed. Importing it starts PyTorch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, wraps
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch.fx.experimental.proxy_tensor import make_fx
from torch.ops import aten

from .. import _keras as keras
from .._data import Batch, Block
from .._losses import Objective
from .._networks import Networks
from ._base import Backend, HyperParameters, KerasEngine, State, as_on_jax, n_batches
from ._optimizer import OptimizerSpec

_OF_TRAINING, _OF_PLACES = 0, 1
"""Noise of epochs, and noise that depends on the place of a row only."""

_TURN = threading.Lock()

_FUNCTIONS = (
    *("add", "cat", "div", "mean", "mm", "mul", "neg", "pow", "relu", "rsub", "sqrt"),
    *("split_with_sizes", "sub", "sum", "t", "tanh", "sigmoid", "unsqueeze"),
)
_METHODS = "expand", "view"
_BINDINGS = {
    **{getattr(aten, name): getattr(torch, name) for name in _FUNCTIONS},
    **{getattr(aten, name): getattr(torch.Tensor, name) for name in _METHODS},
}
"""What does the same as operations that are recorded, with the same arguments. It is
called in a third of the time: 1 microsecond instead of 3."""

_FEW_PRODUCTS = 2**24
"""With fewer products in a layer's pass, threads wait longer for each other than they
compute."""


class TorchEngine(KerasEngine):
    """Training of one network on PyTorch.

    A step is recorded at its first call and replayed afterwards. Recorded are the
    operations of a whole step: of the networks, the gradient and the optimizer.
    """

    def __init__(
        self,
        networks: Networks,
        objective: Objective,
        optimizer: OptimizerSpec,
        trains_decoder: bool = True,
    ) -> None:
        super().__init__(networks, objective, optimizer, trains_decoder)
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
            left = [leaf.clone() for leaf in leaves(carry)]
            numbers = present(hyper)
            with self._seeded(*seeds, block.first):
                for number in range(n_batches(block)):
                    noise = draw_noise(
                        noise_spec, device(), *seeds, block.first + number
                    )
                    left = step(
                        *left,
                        *present(batches(number)),
                        counts[number],
                        due[number],
                        *noise,
                        *numbers,
                    )
            return self.end(filled(carry, left), hyper)

    def row_losses(self, weights: dict, block: Block, hyper: HyperParameters) -> Any:
        """Return the loss of each row, in an array of the shape of the order."""
        hyper, weights = tensors(hyper), tensors(weights)
        batches = _batches(block)
        losses = torch.zeros(block.order.shape, device=device())
        with torch.no_grad(), threads_for(self._n_weights * block.order.shape[1]):
            noise_spec = self._noise_spec(batches(0), weights, hyper)
            noise = draw_noise(noise_spec, device(), 0)
            evaluate = self._evaluations.like(batches(0), weights, noise, hyper)
            left, numbers = present(weights), present(hyper)
            for number in range(n_batches(block)):
                noise = draw_noise(
                    noise_spec, device(), _OF_PLACES, block.first + number
                )
                rows = present(batches(number))
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
        return list(found), mapped(torch.Tensor.detach, more)

    def draw(self, noise: Any, kind: str, shape: tuple, stream: int = 0) -> Any:
        """Return noise that was drawn before the step."""
        return noise[kind, tuple(shape), stream]

    def _step(self, carry, batch: Batch, counts, rate, noise: list, hyper) -> list:
        noise_spec = self._noise_specs[_shapes(batch)]
        named = dict(zip(noise_spec, noise, strict=True))
        with torch.no_grad():
            carry = self.step(batch, counts, carry, rate, named, hyper)
        return leaves(carry)

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
        shapes = tuple(
            None if leaf is None else (tuple(leaf.shape), leaf.dtype)
            for leaf in leaves(arguments)
        )
        if shapes not in self._records:
            self._records[shapes] = self._record(arguments)
        return self._records[shapes]

    def _record(self, arguments: Any) -> Callable:
        def flat(*tensors):
            return self._function(*filled(arguments, tensors))

        # The function may change them, and what is at hand may have to be repeated.
        tensors = [leaf.clone() for leaf in present(arguments)]
        try:
            return _simplified(make_fx(flat)(*tensors))
        except RuntimeError:
            return flat


def _simplified(record: torch.fx.GraphModule) -> Callable:
    """Return a record without operations that do nothing, with faster calls."""
    for node in record.graph.nodes:
        # No gradient flows through a record.
        if node.target is aten.detach.default:
            node.replace_all_uses_with(node.args[0])
    # What changes a tensor in place is known by its operator. So this comes first.
    record.graph.eliminate_dead_code()
    for node in record.graph.nodes:
        operation = getattr(node.target, "overloadpacket", None)
        node.target = _BINDINGS.get(operation, node.target)
    record.recompile()
    return torch.inference_mode()(record.forward)


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


def mapped(function: Callable, arrays: Any) -> Any:
    """Return nested arrays with a function of each, in their order.

    Keras' own takes ten times as long, as long as a step of a small network.
    """
    if isinstance(arrays, dict):
        return {key: mapped(function, part) for key, part in arrays.items()}
    if not isinstance(arrays, list | tuple):
        return function(arrays)
    parts = [mapped(function, part) for part in arrays]
    is_named = hasattr(arrays, "_fields")
    return type(arrays)(*parts) if is_named else type(arrays)(parts)


def leaves(arrays: Any) -> list:
    """Return nested arrays one after the other."""
    found: list[Any] = []
    mapped(found.append, arrays)
    return found


def present(arrays: Any) -> list:
    """Return those that are not None."""
    return [leaf for leaf in leaves(arrays) if leaf is not None]


def filled(arrays: Any, others: Iterable) -> Any:
    """Return nested arrays with others in the place of those that are not None."""
    left = iter(others)
    return mapped(lambda one: None if one is None else next(left), arrays)


def tensors(arrays: Any) -> Any:
    """Return nested arrays and numbers as tensors on the device. None stays None."""
    return mapped(_tensor, arrays)


def fetched(arrays: Any) -> Any:
    """Return nested tensors as arrays of their own."""
    return mapped(
        lambda one: keras.to_numpy(one) if torch.is_tensor(one) else np.array(one),
        arrays,
    )


def _tensor(array: Any) -> Any:
    if array is None or torch.is_tensor(array):
        return array
    return torch.tensor(as_on_jax(array), device=device())
