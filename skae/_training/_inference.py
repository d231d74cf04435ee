"""A trained network's compiled programs, and its arrays on the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import jax
import numpy as np

from .._basis import Basis
from .._blocks import FEW, MANY
from .._bounds import Bounds
from .._chunks import chunk_rows
from .._scaling import Scaling
from .._spec import NetworkSpec
from ._jax_inference import DecoderArrays, EncoderArrays, InferenceProgram
from ._programs import inference_program


class CompiledInference:
    """What a trained network, whatever its layers, makes of rows and of codes.

    Parameters
    ----------
    spec, scaling, weights, basis, bounds
        As those of a ``NetworkCodec``.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        scaling: Scaling,
        weights: dict,
        basis: Basis,
        bounds: Bounds,
    ) -> None:
        self._spec, self._scaling = spec, scaling
        axes = bounds.components
        encoder = weights["encoder"], basis.offset, basis.matrix, *bounds.rows, axes.T
        decoder = weights["decoder"], basis.offset, basis.inverse, *bounds.codes, axes
        self._encoder = jax.device_put(EncoderArrays(*encoder))
        self._decoder = jax.device_put(DecoderArrays(*decoder))

    def block_rows(self, n_rows: int, width: int) -> int:
        """Return how many rows a block has, in a call with so many."""
        return FEW if n_rows <= FEW else min(chunk_rows(width), MANY)

    def encode(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the codes of blocks of rows, as float32."""
        return self._program.encode(self._encoder, self._scaled(blocks))

    def decode(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield rows in the network's units for blocks of codes, as float32."""
        codes = (block.astype(np.float32) for block in blocks)
        return self._program.decode(self._decoder, codes)

    def evidence(
        self, blocks: Iterable[np.ndarray], noise: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield lower bounds of the rows' log-likelihoods, in nats.

        Of rows in the network's units. Each draw of ``noise``, of shape (n_draws,
        n_components), serves all rows.
        """
        rows = self._scaled(blocks)
        return self._program.evidence(self._encoder, self._decoder, rows, noise)

    def divergences(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the divergence of each code of each row, in nats."""
        return self._program.divergences(self._encoder, self._scaled(blocks))

    def _scaled(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        # A value that is not finite is beyond all bounds, and is seen in the codes.
        return map(self._scaling.apply, blocks)

    @property
    def _program(self) -> InferenceProgram:
        # Not kept: estimators would hold on to programs that the cache let go.
        return inference_program(self._spec)
