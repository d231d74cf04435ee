"""Inference by compiled programs, for networks of any layers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import _backends as backends
from .. import _keras as keras
from .._data import chunk_rows
from .._losses.likelihood import divergences, draw_codes, negative_log_likelihood
from .._networks import NetworkSpec
from ._forward import InferenceParts, blend

FEW, MANY = 8, 256
"""Rows in a block.

Compiled products add up in the same order in every row of a block, so a row's result
does not depend on the other rows. Calls with few rows use the small block: one row need
not wait for hundreds. Its products add up in another order.
"""

_MUCH_MORE = 20
"""With so many times more weights than the linear model, a network is hardly delayed.

A branch around the linear model takes longer to compile, and on few rows as long.
"""

_AHEAD = 4
"""Blocks under way before the first is waited for."""


class CodingArrays(NamedTuple):
    """The arrays of an encoder or of a decoder.

    Codes are ``(network(rows) - offset) @ matrix``. Rows are
    ``network(codes @ matrix + offset)``. ``outside`` continues the network beyond its
    bounds.
    """

    variables: Any
    offset: Any
    matrix: Any
    low: Any
    high: Any
    outside: Any


class InferenceProgram:
    """Compiled functions of the arrays of one network, written with ``keras.ops``."""

    def __init__(self, spec: NetworkSpec) -> None:
        self._spec = spec
        self._networks = backends.networks(spec)
        compiled = backends.backend().compiled
        self.encode = compiled(self._encode)
        self.decode = compiled(self._decode)
        self.evidence = compiled(self._evidence)
        self.divergences = compiled(self._divergences)

    def _encode(self, arrays: CodingArrays, rows):
        codes = _continued(self._codes, arrays, rows)
        return keras.ops.matmul(codes - arrays.offset, arrays.matrix)

    def _decode(self, arrays: CodingArrays, codes):
        inner = keras.ops.matmul(codes, arrays.matrix) + arrays.offset
        return _continued(self._rows, arrays, inner)

    def _divergences(self, arrays: CodingArrays, rows):
        return divergences(self._posterior(arrays, rows))

    def _evidence(self, encoder: CodingArrays, decoder: CodingArrays, noise, rows):
        likelihood = self._spec.likelihood
        assert likelihood is not None
        posterior = self._posterior(encoder, rows)

        def log_likelihood(one):
            shape = posterior.shape[0], one.shape[0]
            code = draw_codes(posterior, keras.ops.broadcast_to(one, shape))
            decoded, _, _ = self._networks.decode(decoder.variables, code)
            return -negative_log_likelihood(likelihood, rows, decoded)

        expected = keras.ops.mean(keras.ops.map(log_likelihood, noise), axis=0)
        divergence = keras.ops.sum(divergences(posterior), axis=1)
        return expected * self._spec.n_features - divergence

    def _codes(self, variables, rows):
        return self._networks.codes(self._networks.encode(variables, rows)[0])

    def _rows(self, variables, codes):
        return self._networks.rows(self._networks.decode(variables, codes)[0])

    def _posterior(self, arrays: CodingArrays, rows):
        return self._networks.encode(arrays.variables, rows)[0]


@backends.shared
def inference_program(spec: NetworkSpec) -> InferenceProgram:
    """Return the program that encodes and decodes with the networks of ``spec``."""
    return InferenceProgram(spec)


class CompiledInference:
    """Encoding and decoding by a network of any layers.

    Parameters
    ----------
    parts : InferenceParts
        The network and what surrounds it.
    """

    def __init__(self, parts: InferenceParts) -> None:
        self._spec, self._scaling = parts.spec, parts.scaling
        transform, place = parts.transform, backends.backend().place
        weights, offset = parts.weights, transform.offset
        self._encoder = place(
            CodingArrays(
                weights["encoder"], offset, transform.matrix, *parts.row_box, parts.down
            )
        )
        self._decoder = place(
            CodingArrays(
                weights["decoder"], offset, transform.inverse, *parts.code_box, parts.up
            )
        )

    def block_rows(self, n_rows: int, width: int) -> int:
        """Return the number of rows in a block, for a call with so many rows."""
        return FEW if n_rows <= FEW else min(chunk_rows(width), MANY)

    def encode(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the codes of blocks of rows, as float32."""
        return _each(partial(self._program.encode, self._encoder), self._scaled(blocks))

    def decode(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield rows in the network's units for blocks of codes, as float32."""
        codes = (block.astype(np.float32) for block in blocks)
        return _each(partial(self._program.decode, self._decoder), codes)

    def evidence(
        self, blocks: Iterable[np.ndarray], noise: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield lower bounds of the log-likelihoods of blocks of rows, in nats.

        The rows are taken in the network's units. Each draw of ``noise``, of shape
        (n_draws, n_components), serves all rows.
        """
        compute = partial(self._program.evidence, self._encoder, self._decoder, noise)
        return _each(compute, self._scaled(blocks))

    def divergences(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the divergence of each code of blocks of rows, in nats."""
        compute = partial(self._program.divergences, self._encoder)
        return _each(compute, self._scaled(blocks))

    def _scaled(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        # Values that are not finite make codes that are not finite.
        return map(self._scaling.apply, blocks)

    @property
    def _program(self) -> InferenceProgram:
        # Not stored: estimators would keep programs that left the cache.
        return inference_program(self._spec)


def _each(function, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    under_way: deque[Any] = deque()
    for block in blocks:
        under_way.append(function(block))
        # The next block is prepared while the device computes.
        if len(under_way) > _AHEAD:
            yield np.asarray(under_way.popleft())
    while under_way:
        yield np.asarray(under_way.popleft())


def _continued(network, arrays: CodingArrays, values):
    ops = keras.ops
    inside = ops.clip(values, arrays.low, arrays.high)
    outputs = network(arrays.variables, inside)
    excess = values - inside

    def blended():
        linear = ops.matmul(inside, arrays.outside)
        return blend(ops, outputs, linear, ops.matmul(excess, arrays.outside))

    n_weights = sum(
        math.prod(array.shape) for array in keras.tree.flatten(arrays.variables)
    )
    of_linear = math.prod(arrays.outside.shape)
    if values.shape[0] <= FEW or n_weights > _MUCH_MORE * of_linear:
        return blended()
    # In most blocks nothing is beyond the bounds, so that the linear model is not
    # needed. The test goes by columns first: one reduction of everything is not
    # vectorised.
    some_beyond = ops.any(ops.any(excess != 0, axis=0))
    return ops.cond(some_beyond, blended, lambda: outputs)
