r"""Inference by NumPy, and how a linear model continues a network beyond its data.

A network was not trained on values beyond its data, and its nonlinear path may grow
with them without limit. So it sees the nearest values :math:`[x]` inside the training
range. The linear model, with the axes :math:`W` of PCA, encodes the rest:

.. math::
    z = s\, e([x]) + (1 - s) W [x] + W (x - [x]), \qquad s = \max\left(0,\,
    1 - \frac{\lVert W (x - [x]) \rVert^2}{\lVert e([x]) \rVert^2}\right).

Inside the range :math:`s` is 1: the network encodes alone. Where the linear code of the
rest is as long as the network's code, :math:`s` is 0: the linear model encodes alone.
Codes are decoded likewise. :func:`blend` is this rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from .._data import Scaling, chunk_rows
from .._networks import NetworkSpec
from .._state import stored
from ._codes import CodeTransform

TINY = float(np.finfo(np.float32).tiny)
"""Least divisor, where a length is zero."""

_ROOM = 0.1
"""The bounds lie outside the training data by this fraction of their width.

A value that occurs in one row of hundreds is often a little larger in a new row. Far
beyond the largest value, PCA is better than a network.
"""

PRECISE_ROWS = 128
"""Calls with at most so many rows are computed in float64, all rows at once.

The order in which a matrix product adds up depends on a row's place, and so do its last
bits in float32. Few rows may be compared by hand, and for them float64 costs little.
"""

_MANY = 1024
"""Rows in a block of float32. Their hidden values stay in the cache."""


@stored("box")
class Box(NamedTuple):
    """The smallest and the largest value of each column.

    Parameters
    ----------
    low, high : ndarray of shape (n_columns,)
        Infinite where a column has no bounds.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Box:
        """Return the box around rows."""
        low, high = rows.min(axis=0), rows.max(axis=0)
        return cls(low.astype(np.float64), high.astype(np.float64))

    @classmethod
    def without_bounds(cls, n_columns: int) -> Box:
        """Return the box around everything."""
        infinite = np.full(n_columns, np.inf, np.float32)
        return cls(-infinite, infinite)

    @property
    def is_bounded(self) -> bool:
        """Whether any column has bounds."""
        return not np.isinf(self.high).all()

    def merged(self, other: Box) -> Box:
        """Return the box around both."""
        return Box(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def widened(self, scale: float, origin: np.ndarray | float = 0.0) -> Box:
        """Return the box with some room on either side, for a network.

        It is around ``origin``, in units of ``scale``, and float32.
        """
        room = _ROOM * (self.high - self.low)
        low, high = self.low - room, self.high + room
        return Box(
            ((low - origin) / scale).astype(np.float32),
            ((high - origin) / scale).astype(np.float32),
        )


def blend(ops: Any, outputs: Any, linear: Any, beyond: Any) -> Any:
    """Return a network's outputs, continued by PCA.

    Parameters
    ----------
    ops : module
        ``numpy`` for arrays, ``keras.ops`` for tensors of a backend or of a model.

    outputs : array of shape (n_rows, n_outputs)
        What the network computes of the nearest values inside the bounds.

    linear : array of shape (n_rows, n_outputs)
        What PCA computes of them.

    beyond : array of shape (n_rows, n_outputs)
        What PCA adds for the distance to them.
    """
    distance, length = (
        ops.sum(ops.square(part), axis=-1, keepdims=True) for part in (beyond, outputs)
    )
    weight = ops.maximum(0, 1 - distance / ops.maximum(length, TINY))
    return weight * outputs + (1 - weight) * linear + beyond


def _one_plus_exp_minus(hidden: np.ndarray) -> np.ndarray:
    # Where this overflows to infinity, the activation goes to its limit.
    with np.errstate(over="ignore"):
        return 1 + np.exp(-hidden)


ACTIVATIONS: dict[Any, Callable[[np.ndarray], object]] = {
    None: lambda hidden: None,
    "linear": lambda hidden: None,
    "relu": lambda hidden: np.maximum(hidden, 0, out=hidden),
    "leaky_relu": lambda hidden: np.maximum(0.2 * hidden, hidden, out=hidden),
    "tanh": lambda hidden: np.tanh(hidden, out=hidden),
    "sigmoid": lambda hidden: np.divide(1, _one_plus_exp_minus(hidden), out=hidden),
    "silu": lambda hidden: np.divide(hidden, _one_plus_exp_minus(hidden), out=hidden),
}
"""Keras' activations by name, computed in place."""


class DenseForward(NamedTuple):
    """Dense layers and the linear path as a function of weights and inputs.

    Nothing is compiled, and Keras is not imported.

    Parameters
    ----------
    n_layers : int
        Number of hidden layers.

    activation : str or None
        Of the hidden layers.

    see_inputs : bool
        Whether every hidden layer also sees the inputs.

    linear_path : bool
        Whether there is a linear path.
    """

    n_layers: int
    activation: Any
    see_inputs: bool
    linear_path: bool

    @classmethod
    def of(cls, spec: NetworkSpec, side: Literal["encoder", "decoder"]) -> DenseForward:
        """Return the encoder or the decoder of a network of dense layers."""
        layers = getattr(spec, side)
        return cls(
            len(layers.sizes), layers.activation, layers.see_inputs, spec.linear_path
        )

    def __call__(self, weights: list[np.ndarray], inputs: np.ndarray) -> np.ndarray:
        """Return the outputs for inputs, with weights in Keras' order."""
        left = iter(weights)
        activate = ACTIVATIONS[self.activation]
        hidden = inputs
        for depth in range(self.n_layers):
            if depth and self.see_inputs:
                hidden = np.hstack([hidden, inputs])
            hidden = affine(hidden, left)
            activate(hidden)
        if not self.linear_path:
            return affine(hidden, left)
        outputs = affine(inputs, left)
        if hidden is not inputs:
            outputs += hidden @ next(left)
        return outputs

    def with_scaled_inputs(
        self, weights: list[np.ndarray], mean: np.ndarray, scale: float
    ) -> list[np.ndarray]:
        """Return weights for inputs that are not centred and scaled yet, as float64.

        The layers that see the inputs then centre and scale them.
        """
        changed = list(weights)
        for place, sees_inputs in enumerate(self._layers_with_inputs()):
            if sees_inputs:
                at = slice(2 * place, 2 * place + 2)
                kernel, bias = changed[at]
                kernel = kernel.astype(np.float64)
                of_inputs = kernel[-len(mean) :]
                of_inputs /= scale
                changed[at] = kernel, bias - mean @ of_inputs
        return changed

    def with_coordinates(
        self, weights: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        """Return weights for other coordinates of the inputs and of the outputs.

        Parameters
        ----------
        weights : list of ndarray
            In Keras' order.

        inputs : ndarray of shape (n_new_inputs, n_inputs)
            The present inputs are the new ones times this matrix.

        outputs : ndarray of shape (n_outputs, n_new_outputs)
            The new outputs are the present ones times this matrix.
        """
        changed = list(weights)
        with_inputs = self._layers_with_inputs()
        for place, sees_inputs in enumerate(with_inputs):
            if sees_inputs:
                kernel = changed[2 * place]
                n_hidden = len(kernel) - inputs.shape[1]
                of_inputs = inputs @ kernel[n_hidden:]
                changed[2 * place] = np.vstack([kernel[:n_hidden], of_inputs])
        # The last kernel with its bias, and what is added to their products.
        for place in range(2 * len(with_inputs) - 2, len(changed)):
            changed[place] = changed[place] @ outputs
        return [weight.astype(np.float32) for weight in changed]

    def _layers_with_inputs(self) -> list[bool]:
        """For each layer with a bias, say whether it sees the inputs."""
        hidden = [True, *[self.see_inputs] * (self.n_layers - 1)][: self.n_layers]
        return [*hidden, self.linear_path or not hidden]


class InferenceParts(NamedTuple):
    """What encoding and decoding by a network need.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    scaling : Scaling
        Between the data's units and the network's.

    weights : dict
        For "encoder" and "decoder", the lists of trainable and of other arrays.

    transform : CodeTransform
        Between the network's codes and the codes users see.

    row_box, code_box : Box
        Around the training rows and their codes, in the network's units. Beyond these a
        linear model continues the network.

    down, up : ndarray of shape (n_features, n_components) and transposed, float32
        The linear model, for centred rows.
    """

    spec: NetworkSpec
    scaling: Scaling
    weights: dict
    transform: CodeTransform
    row_box: Box
    code_box: Box
    down: np.ndarray
    up: np.ndarray


class _Network(NamedTuple):
    """A network, the box in which it is used, and a linear model beyond.

    Parameters
    ----------
    forward : callable
        From weights and values to outputs.

    weights : list of ndarray
        In Keras' order.

    box : Box
        Around the values that the network was trained on.

    outside, origin : ndarray of shape (n_inputs, n_outputs) and (n_outputs,)
        The linear model is ``values @ outside + origin``.
    """

    forward: Any
    weights: list[np.ndarray]
    box: Box
    outside: np.ndarray
    origin: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the outputs, continued by the linear model beyond the box."""
        if self._holds(values):
            return self.forward(self.weights, values)
        inside = np.clip(values, *self.box)
        outputs = self.forward(self.weights, inside)
        # Squares of very distant values overflow. The network then has no weight.
        with np.errstate(over="ignore", invalid="ignore"):
            beyond = (values - inside) @ self.outside
            return blend(np, outputs, inside @ self.outside + self.origin, beyond)

    def _holds(self, values: np.ndarray) -> bool:
        """Say whether all values are finite and inside the box."""
        low, high = self.box
        if np.isinf(high).all():
            return bool(np.isfinite(np.vdot(values, values)))
        lowest, highest = values.min(axis=0), values.max(axis=0)
        return bool((lowest >= low).all() and (highest <= high).all())


class NumpyInference:
    """Encoding and decoding by dense layers.

    Parameters
    ----------
    parts : InferenceParts
        The network and what surrounds it.

    precise : bool
        Whether to compute in float64, else in float32.
    """

    def __init__(self, parts: InferenceParts, *, precise: bool) -> None:
        spec, scaling = parts.spec, parts.scaling
        self._transform = parts.transform
        self._activate = ACTIVATIONS[spec.final_activation]
        self._dtype = np.float64 if precise else np.float32
        nowhere = np.zeros(1, np.float32)
        forward = DenseForward.of(spec, "encoder")
        weights = parts.weights["encoder"][0]
        box, outside, origin = parts.row_box, parts.down, nowhere
        self._enter: Callable[[np.ndarray], np.ndarray] = scaling.apply
        if scaling.is_mild:
            # The first kernels centre and scale. This saves one pass over the rows.
            mean, scale = scaling.mean, scaling.scale
            weights = forward.with_scaled_inputs(weights, mean, scale)
            outside = self._cast(outside / scale)
            origin = self._cast(-mean @ (parts.down / scale))
            low = (box.low + mean / scale) / (1 / scale)
            high = (box.high + mean / scale) / (1 / scale)
            box = Box(low.astype(np.float32), high.astype(np.float32))
            self._enter = partial(np.asarray, dtype=np.float32)
        weights = list(map(self._cast, weights))
        self._encoder = _Network(forward, weights, box, outside, origin)
        forward = DenseForward.of(spec, "decoder")
        weights = list(map(self._cast, parts.weights["decoder"][0]))
        self._decoder = _Network(forward, weights, parts.code_box, parts.up, nowhere)

    def block_rows(self, n_rows: int, width: int) -> int:
        """Return the number of rows in a block, for a call with so many rows."""
        n_blocks = math.ceil(n_rows / min(chunk_rows(width), _MANY))
        return math.ceil(n_rows / n_blocks)

    def encode(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the codes of blocks of rows."""
        for block in blocks:
            codes = self._encoder(self._cast(self._enter(block)))
            yield (codes - self._transform.offset) @ self._transform.matrix

    def decode(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield rows in the network's units for blocks of codes."""
        for block in blocks:
            values = self._cast(block.astype(np.float32, copy=False))
            codes = values @ self._transform.inverse + self._transform.offset
            rows = self._decoder(codes)
            self._activate(rows)
            yield rows

    def _cast(self, array: np.ndarray) -> np.ndarray:
        return array.astype(self._dtype, copy=False)


def affine(values: np.ndarray, weights: Iterator[np.ndarray]) -> np.ndarray:
    """Return the values times the next kernel plus the next bias."""
    products = values @ next(weights)
    products += next(weights)
    return products
