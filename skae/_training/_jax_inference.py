"""Encoding and decoding as compiled JAX programs: pure functions of arrays."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np

from .._networks import Networks, build_networks
from .._spec import NetworkSpec

BLOCK = 128
"""Rows that one compiled call encodes. Every row goes through this one shape, so that
its code never depends, not even in the last bit, on the rows that came with it."""

BLOCKS = 16
"""Blocks that one call loops over, so that many rows cost few calls."""


class InferenceProgram:
    """Encode and decode, compiled for one network."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.networks = _build(spec)
        self._encode = _Blockwise(self._encode_block, spec.n_components)
        self._decode = _Blockwise(self._decode_block, spec.n_features)

    def encode(self, variables, offset, matrix, rows: np.ndarray) -> np.ndarray:
        """Return ``(network(rows) - offset) @ matrix``, as float32."""
        return self._encode((variables, offset, matrix), rows)

    def decode(self, variables, offset, matrix, codes: np.ndarray) -> np.ndarray:
        """Return ``network(codes @ matrix + offset)``, as float32."""
        return self._decode((variables, offset, matrix), codes)

    def _encode_block(self, arrays, rows):
        variables, offset, matrix = arrays
        codes, _, _ = self.networks.encode(variables, rows)
        return (codes - offset) @ matrix

    def _decode_block(self, arrays, codes):
        variables, offset, matrix = arrays
        rows, _, _ = self.networks.decode(variables, codes @ matrix + offset)
        return rows


class _Blockwise:
    """Run a function of a fixed number of rows over any number of rows."""

    def __init__(self, function, width: int) -> None:
        self._one = jax.jit(function)
        self._many = jax.jit(
            lambda arrays, blocks: jax.lax.map(partial(function, arrays), blocks)
        )
        self._width = width

    def __call__(self, arrays, rows: np.ndarray) -> np.ndarray:
        result = np.empty((len(rows), self._width), np.float32)
        start = 0
        while len(rows) - start >= BLOCKS * BLOCK:
            stop = start + BLOCKS * BLOCK
            blocks = rows[start:stop].reshape(BLOCKS, BLOCK, -1)
            result[start:stop] = self._many(arrays, blocks).reshape(-1, self._width)
            start = stop
        for begin in range(start, len(rows), BLOCK):
            block = rows[begin : begin + BLOCK]
            filler = ((0, BLOCK - len(block)), (0, 0))
            outputs = self._one(arrays, np.pad(block, filler))
            result[begin : begin + BLOCK] = outputs[: len(block)]
        return result


def _build(spec: NetworkSpec) -> Networks:
    if spec.is_custom:
        # The user's code may want real values, so it is not run under a trace.
        return build_networks(spec)
    built = []
    # Only names and shapes are needed; under a trace no initialiser runs.
    jax.eval_shape(lambda: built.append(build_networks(spec)))
    return built[0]
