"""Dense networks in NumPy: nothing to compile, neither Keras nor JAX to import."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ._basis import Basis
from ._bounds import TINY, Bounds, Box
from ._chunks import chunk_rows
from ._scaling import Scaling
from ._spec import NetworkSpec

PRECISE_ROWS = 128
"""Rows that are computed in float64, all at once.

How a matrix product adds up depends on a row's place among the others, so in float32
its last bits do. On so few rows, which may be compared by hand, float64 costs little.
"""

_MANY = 1024
"""Rows in a block of float32, whose hidden values stay in the cache."""


def _odds_against(hidden: np.ndarray) -> np.ndarray:
    # An overflow to infinity is on its way to a limit of zero.
    with np.errstate(over="ignore"):
        return 1 + np.exp(-hidden)


_ACTIVATIONS: dict[Any, Callable[[np.ndarray], object]] = {
    None: lambda hidden: None,
    "linear": lambda hidden: None,
    "relu": lambda hidden: np.maximum(hidden, 0, out=hidden),
    "leaky_relu": lambda hidden: np.maximum(0.2 * hidden, hidden, out=hidden),
    "tanh": lambda hidden: np.tanh(hidden, out=hidden),
    "sigmoid": lambda hidden: np.divide(1, _odds_against(hidden), out=hidden),
    "silu": lambda hidden: np.divide(hidden, _odds_against(hidden), out=hidden),
}
"""What Keras means by these names, in place."""


class _Network(NamedTuple):
    """Weights, the box in which they hold, and PCA for the values beyond.

    Parameters
    ----------
    weights : list of ndarray
        Kernels and biases, in Keras' order.

    box : Box
        Around the values that the network was made for.

    outside, origin : ndarray of shape (n_inputs, n_outputs) and (n_outputs,)
        PCA is ``values @ outside + origin``.
    """

    weights: list[np.ndarray]
    box: Box
    outside: np.ndarray
    origin: np.ndarray

    def holds(self, values: np.ndarray) -> bool:
        """Say whether all values are finite and inside the box."""
        low, high = self.box
        if np.isinf(high).all():
            return bool(np.isfinite(np.vdot(values, values)))
        lowest, highest = values.min(axis=0), values.max(axis=0)
        return bool((lowest >= low).all() and (highest <= high).all())


class DenseInference:
    """What a trained dense network makes of rows and of codes.

    Parameters
    ----------
    spec, scaling, weights, basis, bounds
        As those of a ``NetworkCodec``.

    precise : bool
        Whether to compute in float64, else in float32.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        scaling: Scaling,
        weights: dict,
        basis: Basis,
        bounds: Bounds,
        *,
        precise: bool,
    ) -> None:
        self._spec, self._scaling, self._basis = spec, scaling, basis
        self._dtype = np.float64 if precise else np.float32
        encoder, decoder = (
            [self._cast(array) for array in weights[side][0]]
            for side in ("encoder", "decoder")
        )
        axes, nowhere = bounds.components, np.zeros(1, np.float32)
        self._encoder = _Network(encoder, bounds.rows, axes.T, nowhere)
        self._enter: Callable[[np.ndarray], np.ndarray] = scaling.apply
        if scaling.is_mild:
            self._encoder = self._in_data_units(self._encoder)
            self._enter = _float32
        self._decoder = _Network(decoder, bounds.codes, axes, nowhere)

    @staticmethod
    def knows(spec: NetworkSpec) -> bool:
        """Say whether a network is of the kind that is computed here."""
        activations = {spec.activation, spec.output_activation}
        is_dense = not (spec.is_custom or spec.convolutions)
        return is_dense and activations <= _ACTIVATIONS.keys()

    def block_rows(self, n_rows: int, width: int) -> int:
        """Return how many rows a block has, in a call with so many."""
        n_blocks = math.ceil(n_rows / min(chunk_rows(width), _MANY))
        return math.ceil(n_rows / n_blocks)

    def encode(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the codes of blocks of rows."""
        for block in blocks:
            values = self._cast(self._enter(block))
            codes = self._continued(self._encoder, values)
            yield (codes - self._basis.offset) @ self._basis.matrix

    def decode(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield rows in the network's units for blocks of codes."""
        likelihood, ending = self._spec.likelihood, self._spec.output_activation
        activate = _ACTIVATIONS["sigmoid" if likelihood == "bernoulli" else ending]
        for block in blocks:
            values = self._cast(_float32(block))
            codes = values @ self._basis.inverse + self._basis.offset
            rows = self._continued(self._decoder, codes)
            activate(rows)
            yield rows

    def _cast(self, array: np.ndarray) -> np.ndarray:
        return array.astype(self._dtype, copy=False)

    def _in_data_units(self, encoder: _Network) -> _Network:
        """Return the encoder of rows as they come: its kernels centre and scale."""
        mean, scale = self._scaling.mean, self._scaling.scale
        weights = list(encoder.weights)
        for place, sees_rows in enumerate(self._layers_that_see_inputs()):
            if sees_rows:
                at = slice(2 * place, 2 * place + 2)
                kernel, bias = weights[at]
                kernel = kernel.astype(np.float64)
                below = kernel[-len(mean) :]
                below /= scale
                bias = bias - mean @ below
                weights[at] = self._cast(kernel), self._cast(bias)
        outside = encoder.outside / scale
        origin = -mean @ outside
        box = encoder.box.in_units(1 / scale, -mean / scale)
        return _Network(weights, box, self._cast(outside), self._cast(origin))

    def _layers_that_see_inputs(self) -> list[bool]:
        """For each layer with a bias, those of the likelihood's variances excepted."""
        depth, skip = len(self._spec.hidden_layer_sizes), self._spec.skip_connections
        hidden = [layer == 0 or skip == "dense" for layer in range(depth)]
        return [*hidden, self._spec.starts_at_pca or depth == 0]

    def _continued(self, network: _Network, values: np.ndarray) -> np.ndarray:
        """Share values between the network and PCA, as ``Bounds`` says."""
        if network.holds(values):
            return self._outputs(network.weights, values)
        inside = np.clip(values, *network.box)
        outputs = self._outputs(network.weights, inside)
        # Squares of what is very far overflow, and leave the network no share.
        with np.errstate(over="ignore", invalid="ignore"):
            beyond = (values - inside) @ network.outside
            distance, length = (
                np.square(part).sum(axis=1, keepdims=True) for part in (beyond, outputs)
            )
            share = np.maximum(0, 1 - distance / np.maximum(length, TINY))
            linear = inside @ network.outside + network.origin
            return share * outputs + (1 - share) * linear + beyond

    def _outputs(self, weights: list[np.ndarray], inputs: np.ndarray) -> np.ndarray:
        spec, left = self._spec, iter(weights)
        activate = _ACTIVATIONS[spec.activation]
        hidden = inputs
        for depth in range(len(spec.hidden_layer_sizes)):
            if depth and spec.skip_connections == "dense":
                hidden = np.hstack([hidden, inputs])
            hidden = _affine(hidden, left)
            activate(hidden)
        if not spec.starts_at_pca:
            return _affine(hidden, left)
        outputs = _affine(inputs, left)
        if hidden is not inputs:
            outputs += hidden @ next(left)
        return outputs


def _affine(values: np.ndarray, weights: Iterator[np.ndarray]) -> np.ndarray:
    products = values @ next(weights)
    products += next(weights)
    return products


def _float32(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32, copy=False)
