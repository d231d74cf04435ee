"""Inference by NumPy: nothing to compile, and Keras is not imported."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .._data import Scaling, chunk_rows
from .._networks import ACTIVATIONS, NetworkSpec
from ._bounds import Bounds, Box, blend
from ._code_transform import CodeTransform

PRECISE_ROWS = 128
"""Calls with at most so many rows are computed in float64, all rows at once.

The order in which a matrix product adds up depends on a row's place, and so do its last
bits in float32. Few rows may be compared by hand, and for them float64 costs little.
"""

_MANY = 1024
"""Rows in a block of float32. Their hidden values stay in the cache."""


class _Network(NamedTuple):
    """A network, the box in which it is used, and PCA for the values beyond.

    Parameters
    ----------
    forward : callable
        From weights and values to outputs.

    weights : list of ndarray
        In Keras' order.

    box : Box
        Around the values that the network was trained on.

    outside, origin : ndarray of shape (n_inputs, n_outputs) and (n_outputs,)
        PCA is ``values @ outside + origin``.
    """

    forward: Any
    weights: list[np.ndarray]
    box: Box
    outside: np.ndarray
    origin: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the outputs, continued by PCA beyond the box."""
        if self._holds(values):
            return self.forward(self.weights, values)
        inside = np.clip(values, *self.box)
        outputs = self.forward(self.weights, inside)
        # Squares of very distant values overflow. The network then has no share.
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
    """Encoding and decoding by a network that NumPy can compute.

    Parameters
    ----------
    spec, scaling, weights, transform, bounds
        As those of a ``NetworkCodec``.

    precise : bool
        Whether to compute in float64, else in float32.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        scaling: Scaling,
        weights: dict,
        transform: CodeTransform,
        bounds: Bounds,
        *,
        precise: bool,
    ) -> None:
        self._scaling, self._transform = scaling, transform
        self._activate = ACTIVATIONS[spec.final_activation]
        self._dtype = np.float64 if precise else np.float32
        nowhere = np.zeros(1, np.float32)
        self._encoder = _Network(
            spec.encoder.numpy_forward_of_few(spec, "encoder"),
            [self._cast(array) for array in weights["encoder"][0]],
            bounds.rows,
            bounds.down,
            nowhere,
        )
        self._enter: Callable[[np.ndarray], np.ndarray] = scaling.apply
        # Around images there are zeros in the network's units.
        if scaling.is_mild and spec.encoder.has_coordinates:
            self._encoder = self._with_scaled_inputs(self._encoder)
            self._enter = _float32
        self._decoder = _Network(
            spec.decoder.numpy_forward_of_few(spec, "decoder"),
            [self._cast(array) for array in weights["decoder"][0]],
            bounds.codes,
            bounds.components,
            nowhere,
        )

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
            values = self._cast(_float32(block))
            codes = values @ self._transform.inverse + self._transform.offset
            rows = self._decoder(codes)
            self._activate(rows)
            yield rows

    def _cast(self, array: np.ndarray) -> np.ndarray:
        return array.astype(self._dtype, copy=False)

    def _with_scaled_inputs(self, encoder: _Network) -> _Network:
        """Return the encoder for rows in the data's units: its kernels scale them.

        This saves one pass over the rows.
        """
        mean, scale = self._scaling.mean, self._scaling.scale
        weights = encoder.forward.with_scaled_inputs(encoder.weights, mean, scale)
        outside = encoder.outside / scale
        return _Network(
            encoder.forward,
            [self._cast(array) for array in weights],
            encoder.box.in_units(1 / scale, -mean / scale),
            self._cast(outside),
            self._cast(-mean @ outside),
        )


def _float32(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32, copy=False)
