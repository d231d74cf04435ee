"""Encoding and decoding as compiled JAX programs: pure functions of arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from sklearn.utils import gen_batches

from .._chunks import aligned_empty, chunk_rows
from .._networks import Networks, build_networks
from .._spec import NetworkSpec

FEW, MANY = 8, 1024
"""Rows in a compiled call: two sizes, so that no number of rows compiles anew.

A row's result does not depend on the rows around it, and in calls of more than ``FEW``
rows not even its last bit does, since all go through one compiled shape. Products of
``FEW`` rows, for which one row need not wait for a thousand, add up in another order.
"""


class EncoderArrays(NamedTuple):
    """What encoding takes, as arrays.

    Codes are ``(network((rows - shift) / unit) - offset) @ matrix``.
    """

    variables: Any
    shift: Any
    unit: Any
    offset: Any
    matrix: Any


class DecoderArrays(NamedTuple):
    """What decoding takes: ``network(codes @ matrix + offset)``."""

    variables: Any
    offset: Any
    matrix: Any


class InferenceProgram:
    """Encode and decode, compiled for one network."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.networks = _build(spec)
        self._spec = spec
        self._many = min(chunk_rows(spec.n_features), MANY)
        self._compiled_encode = jax.jit(self._encode_block)
        self._compiled_decode = jax.jit(self._decode_block)

    @staticmethod
    def place(arrays: Any) -> Any:
        """Return the arrays on the device, to be used in many calls."""
        return jax.device_put(arrays)

    def encode(self, arrays: EncoderArrays, rows: np.ndarray) -> np.ndarray:
        """Return the codes of float32 rows, as float32."""
        width = self._spec.n_components
        return self._in_blocks(self._compiled_encode, arrays, rows, width)

    def decode(self, arrays: DecoderArrays, codes: np.ndarray) -> np.ndarray:
        """Return the network's rows for float32 codes, as float32."""
        width = self._spec.n_features
        return self._in_blocks(self._compiled_decode, arrays, codes, width)

    def _encode_block(self, arrays: EncoderArrays, rows):
        scaled = (rows - arrays.shift) / arrays.unit
        codes, _, _ = self.networks.encode(arrays.variables, scaled)
        return (codes - arrays.offset) @ arrays.matrix

    def _decode_block(self, arrays: DecoderArrays, codes):
        inner = codes @ arrays.matrix + arrays.offset
        rows, _, _ = self.networks.decode(arrays.variables, inner)
        return rows

    def _in_blocks(self, compiled, arrays, rows: np.ndarray, width: int) -> np.ndarray:
        size = FEW if len(rows) <= FEW else self._many
        blocks = list(gen_batches(len(rows), size))
        # All are under way before the first is waited for.
        outputs = [compiled(arrays, _filled(rows[block], size)) for block in blocks]
        result = np.empty((len(rows), width), np.float32)
        for block, output in zip(blocks, outputs, strict=True):
            result[block] = np.asarray(output)[: block.stop - block.start]
        return result


def _filled(rows: np.ndarray, size: int) -> np.ndarray:
    if len(rows) == size:
        return rows
    filled = aligned_empty((size, rows.shape[1]))
    filled[: len(rows)] = rows
    filled[len(rows) :] = 0
    return filled


def _build(spec: NetworkSpec) -> Networks:
    if spec.is_custom:
        # The user's code may want real values, so it is not run under a trace.
        return build_networks(spec)
    built = []
    # Only names and shapes are needed; under a trace no initialiser runs.
    jax.eval_shape(lambda: built.append(build_networks(spec)))
    return built[0]
