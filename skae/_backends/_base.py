"""What training asks of a backend, and what the engines of all backends share.

A step is written with ``keras.ops``.
"""

from __future__ import annotations

import operator
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from .. import _keras as keras
from .._data import Batch, Block
from .._losses import Objective
from .._networks import Networks, NetworkSpec
from ._optimizer import OptimizerSpec, PackedOptimizer


class HyperParameters(NamedTuple):
    """Numbers that change the training but not the program.

    Parameters
    ----------
    coefficients : tuple
        Those of each term of the objective.

    alpha : float
        Factor of the L2 penalty.

    residual : float
        The loss is divided by the square of this.

    weight_scales : list of arrays or None
        Scale of each trainable weight, for broadcasting. None stands for ones.
    """

    coefficients: tuple[Any, ...]
    alpha: Any = np.float32(0)
    residual: Any = np.float32(1)
    weight_scales: list[Any] | None = None


class State(NamedTuple):
    """Where the training of a model stands.

    Parameters
    ----------
    weights : dict
        For "encoder" and "decoder" the trainable and the other arrays, in Keras' order.

    optimizer : object
        What the optimizer remembers.
    """

    weights: Any
    optimizer: Any


class Engine(ABC):
    """Training of one network, by one objective and one optimizer.

    An engine is a set of functions over arrays. It keeps no state between calls, so
    models and threads may share it. Arrays may be NumPy's or the backend's own. They
    never change, so that keeping the best weights is keeping a reference.

    Parameters
    ----------
    mixes_rows : bool
        Whether a row's output in training depends on the other rows of its batch.
    """

    mixes_rows: bool = False

    @abstractmethod
    def place(self, rows: Batch) -> Batch:
        """Return rows on the device."""

    @abstractmethod
    def init(self, weights: dict) -> State:
        """Return the state of a model with the given weights and a fresh optimizer."""

    @abstractmethod
    def for_encoder(self) -> Self:
        """Return the engine that trains the encoder alone. The decoder is frozen."""

    @abstractmethod
    def train(
        self,
        state: State,
        block: Block,
        rates: np.ndarray,
        seed: np.uint32,
        hyper: HyperParameters,
    ) -> tuple[State, Any]:
        """Train on each of the block's batches once.

        Parameters
        ----------
        state : State
            Before the pass.

        block : Block
            Rows and batches.

        rates : ndarray of shape (n_batches,), float32
            Learning rate of each batch.

        seed : uint32
            Of the noise. It is the same for all blocks of an epoch.

        hyper : HyperParameters
            Numbers of the objective.

        Returns
        -------
        state : State
            After the pass.

        loss : float or array
            Sum of the losses of the rows.
        """

    @abstractmethod
    def row_losses(self, weights: dict, block: Block, hyper: HyperParameters) -> Any:
        """Return the loss of each row, in an array of the shape of the order.

        Noise depends on the place of a row only, so it is the same in every epoch.
        """

    @abstractmethod
    def fetch(self, arrays: Any) -> Any:
        """Return weights or a state in NumPy arrays."""


class Backend(ABC):
    """What skae asks of a Keras backend."""

    n_threads: int = 1
    """How many models train at the same time."""

    @abstractmethod
    def engine(
        self, networks: Networks, objective: Objective, optimizer: OptimizerSpec
    ) -> Engine:
        """Return an engine."""

    @abstractmethod
    def compiled(self, function: Callable) -> Callable:
        """Return a pure function of arrays, written with ``keras.ops``, compiled.

        It computes in full float32 precision.
        """

    @abstractmethod
    def place(self, arrays: Any) -> Any:
        """Return a tuple of arrays on the device."""

    def build(self, spec: NetworkSpec, builder: Callable[[NetworkSpec], Any]) -> Any:
        """Call a function that builds Keras models. Their values are not needed."""
        return builder(spec)


class KerasEngine(Engine):
    """Training of Keras networks by a Keras optimizer.

    A backend adds gradients, noise and the loop over the batches of a block.

    Parameters
    ----------
    networks : Networks
        What to train.

    objective : Objective
        What to minimise.

    optimizer : OptimizerSpec
        How to minimise it.

    trains_decoder : bool
        Whether the decoder trains, too.
    """

    optimizer_kind: ClassVar[type[PackedOptimizer]] = PackedOptimizer

    def __init__(
        self,
        networks: Networks,
        objective: Objective,
        optimizer: OptimizerSpec,
        trains_decoder: bool = True,
    ) -> None:
        self._networks = networks
        self._objective = objective
        self._optimizer_spec = optimizer
        trained = list(networks.encoder.trainable_variables)
        if trains_decoder:
            trained += networks.decoder.trainable_variables
        self._n_trained = len(trained)
        self._optimizer = self.optimizer_kind(
            optimizer,
            trained,
            networks.penalised[: len(trained)],
            # The user's own weights may have constraints.
            may_pack=not networks.spec.is_custom,
        )
        self.mixes_rows = networks.mixes_rows
        self._of_encoder: Self | None = None
        self._building = threading.Lock()

    def init(self, weights: dict) -> State:
        """Return the state of a model with the given weights and a fresh optimizer."""
        return State(weights, self._optimizer.initial_state)

    def for_encoder(self) -> Self:
        """Return the engine that trains the encoder alone. The decoder is frozen."""
        with self._building:
            if self._of_encoder is None:
                self._of_encoder = type(self)(
                    self._networks, self._objective, self._optimizer_spec, False
                )
            return self._of_encoder

    def train(
        self,
        state: State,
        block: Block,
        rates: np.ndarray,
        seed: np.uint32,
        hyper: HyperParameters,
    ) -> tuple[State, Any]:
        """Train on each of the block's batches once."""
        if not self.mixes_rows:
            return self.train_block(state, block, rates, seed, hyper)
        # Rows that fill up a batch would change its statistics.
        total = 0.0
        for part in block.without_padding():
            own = np.resize(rates[part.first - block.first :], len(part.order))
            state, loss = self.train_block(state, part, own, seed, hyper)
            total += float(loss)
        return state, total

    @abstractmethod
    def train_block(
        self,
        state: State,
        block: Block,
        rates: np.ndarray,
        seed: np.uint32,
        hyper: HyperParameters,
    ) -> tuple[State, Any]:
        """Train on each of the block's batches once, the filled up ones too."""

    @abstractmethod
    def gradients(self, loss: Callable, arrays: list) -> tuple[list, Any]:
        """Return the gradients of a loss by arrays, and what else it returns.

        Parameters
        ----------
        loss : callable
            Returns a number and what else there is.

        arrays : list of arrays
            Its argument.
        """

    @abstractmethod
    def draw(self, noise: Any, kind: str, shape: tuple, stream: int = 0) -> Any:
        """Return "normal" or "uniform" noise.

        Parameters
        ----------
        noise : object
            What the backend draws from: a key, say. Each batch has its own.

        kind, shape, stream
            As in ``Draw``.
        """

    def begin(self, state: State, hyper: HyperParameters) -> tuple:
        """Return what training carries from batch to batch.

        The weights that train are in their scales. The others follow as they are.
        """
        weights, optimizer_state = state
        encoder, encoder_state = weights["encoder"]
        decoder, decoder_state = weights["decoder"]
        trained, frozen = _split([*encoder, *decoder], self._n_trained)
        scaled = _each(operator.truediv, trained, hyper.weight_scales)
        packed = self._optimizer.pack(scaled)
        states = (
            _like(self._networks.encoder.non_trainable_variables, encoder_state),
            _like(self._networks.decoder.non_trainable_variables, decoder_state),
        )
        optimizer_state = _like(self._optimizer.variables, optimizer_state)
        total = keras.ops.zeros((), "float32")
        return packed, frozen, states, optimizer_state, total

    def end(self, carry: tuple, hyper: HyperParameters) -> tuple:
        """Return state and loss from what training carried."""
        packed, frozen, states, optimizer_state, loss = carry
        scaled = self._optimizer.unpack(packed)
        encoder, decoder = self._weights(scaled, frozen, hyper.weight_scales)
        weights = {"encoder": (encoder, states[0]), "decoder": (decoder, states[1])}
        return State(weights, optimizer_state), loss

    def step(self, batch: Batch, counts, carry, rate, noise, hyper) -> tuple:
        """Return what is carried after a step.

        Parameters
        ----------
        batch : Batch
            Rows.

        counts : array of shape (batch_size,)
            1 for each row that counts, 0 for those that fill up the batch.

        carry : tuple
            What is carried before the step.

        rate : float
            Learning rate.

        noise : object
            What ``draw`` draws from.

        hyper : HyperParameters
            Numbers of the objective.
        """
        packed, frozen, states, optimizer_state, total = carry

        def loss(scaled):
            weights = self._weights(scaled, frozen, hyper.weight_scales)
            variables = tuple(zip(weights, states, strict=True))
            losses, new_states, extra = self._forward(
                variables, batch, noise, hyper, training=True
            )
            mean = keras.ops.sum(losses * counts) / keras.ops.sum(counts)
            return (mean + sum(extra)) / hyper.residual**2, (mean, new_states)

        scaled = self._optimizer.unpack(packed)
        gradients, (mean, states) = self.gradients(loss, scaled)
        gradients = self._optimizer.pack(gradients)
        packed, optimizer_state = self._optimizer.step(
            optimizer_state, gradients, packed, mean, rate, hyper.alpha
        )
        total = total + mean * keras.ops.sum(counts)
        return packed, frozen, states, optimizer_state, total

    def batch_losses(self, batch: Batch, weights: dict, noise, hyper):
        """Return the loss of each row of a batch."""
        variables = weights["encoder"], weights["decoder"]
        return self._forward(variables, batch, noise, hyper)[0]

    def _weights(
        self, scaled: list, frozen: list, scales: list | None
    ) -> tuple[list, list]:
        """Return the encoder's weights and the decoder's."""
        weights = [*_each(operator.mul, scaled, scales), *frozen]
        return _split(weights, len(self._networks.encoder.trainable_variables))

    def _forward(self, variables, batch: Batch, noise, hyper, training: bool = False):
        """Return the losses of rows, the networks' new states and their own losses."""
        kept: dict[str, list] = {}

        def encode(rows):
            outputs, *left = self._networks.encode(variables[0], rows, training)
            # A term may call again. The first call is that of the rows.
            kept.setdefault("encoder", left)
            return outputs

        def decode(codes):
            outputs, *left = self._networks.decode(variables[1], codes, training)
            kept.setdefault("decoder", left)
            return outputs

        def draw(kind, shape, stream=0):
            return self.draw(noise, kind, shape, stream)

        losses = self._objective.row_losses(
            encode, decode, batch, draw, hyper.coefficients
        )
        encoder_state, on_encoder = kept["encoder"]
        decoder_state, on_decoder = kept["decoder"]
        return losses, (encoder_state, decoder_state), on_encoder + on_decoder


def counts(block: Block, number):
    """Return 1 for each row of a batch that counts, 0 for those that fill it up."""
    ops, batch_size = keras.ops, block.order.shape[1]
    position = number * batch_size + ops.arange(batch_size, dtype="int32")
    return ops.cast(position < block.n_rows, "float32")


def n_batches(block: Block):
    """Return how many batches hold rows that count."""
    batch_size = block.order.shape[1]
    return (block.n_rows + batch_size - 1) // batch_size


def as_on_jax(array: Any) -> np.ndarray:
    """Return an array of NumPy in the type that JAX gives it, unless told otherwise."""
    array = np.asarray(array)
    dtype = np.float32 if array.dtype == np.float64 else array.dtype
    return array.astype(dtype, copy=False)


def _like(variables: list, values: list) -> list:
    """Return integers in the types of variables, in which backends differ.

    Floats stay in float32, also where Keras is told to compute in other types.
    """
    return [
        keras.ops.cast(value, variable.dtype) if "int" in variable.dtype else value
        for variable, value in zip(variables, values, strict=True)
    ]


def _split(arrays: list, end: int) -> tuple[list, list]:
    return arrays[:end], arrays[end:]


def _each(operation, weights: list, scales: list | None) -> list:
    """Return weights after an operation with the scale of each.

    A frozen decoder's scales are the last ones. They are not needed.
    """
    if scales is None:
        return weights
    return [operation(*pair) for pair in zip(weights, scales, strict=False)]
