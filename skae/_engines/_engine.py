"""What training asks of a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._data import Batch, Block

if TYPE_CHECKING:
    from .._networks import Networks, NetworkSpec
    from .._objective import Objective
    from ._optimizer import OptimizerSpec


class HyperParameters(NamedTuple):
    """Numbers that change the training but not the program.

    Parameters
    ----------
    objective : tuple
        The numbers of each term of the objective.

    alpha : float
        Factor of the L2 penalty.

    decoder_rate : float
        Share of its gradient that the decoder follows. 0 freezes the decoder.

    residual : float
        The loss is divided by the square of this.

    weight_scales : list of arrays or None
        Scale of each trainable weight, for broadcasting. None stands for ones.
    """

    objective: tuple[Any, ...]
    alpha: Any = np.float32(0)
    decoder_rate: Any = np.float32(1)
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
