"""Encoding and decoding as compiled JAX programs: pure functions of arrays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._blocks import FEW
from .._bounds import TINY
from .._likelihood import divergences, draw_codes, negative_log_likelihood
from .._networks import Networks, build_networks
from .._spec import NetworkSpec
from ._jax_exact import exact

_MUCH_MORE = 20
"""Times the weights of PCA from which on a network is hardly delayed by PCA.

A branch around PCA takes longer to compile, and as long as PCA on few rows.
"""

AHEAD = 4
"""Blocks under way before the first is waited for."""


class EncoderArrays(NamedTuple):
    """What encoding takes, as arrays.

    Codes are ``(network(rows) - offset) @ matrix``, where beyond its bounds the network
    is continued by ``outside``.
    """

    variables: Any
    offset: Any
    matrix: Any
    low: Any
    high: Any
    outside: Any


class DecoderArrays(NamedTuple):
    """What decoding takes: ``network(codes @ matrix + offset)``, continued likewise."""

    variables: Any
    offset: Any
    matrix: Any
    low: Any
    high: Any
    outside: Any


class InferenceProgram:
    """Encode and decode, compiled for one network."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.networks = _build(spec)
        self._spec = spec
        self._compiled_encode = exact(self._encode_block)
        self._compiled_decode = exact(self._decode_block)
        self._compiled_evidence = exact(self._evidence_block)
        self._compiled_divergences = exact(self._divergences_block)

    def encode(
        self, arrays: EncoderArrays, blocks: Iterable[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Yield the codes of blocks of rows in the network's units, as float32."""
        return _each(partial(self._compiled_encode, arrays), blocks)

    def decode(
        self, arrays: DecoderArrays, blocks: Iterable[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Yield the network's rows for blocks of float32 codes, as float32."""
        return _each(partial(self._compiled_decode, arrays), blocks)

    def evidence(
        self, encoder: EncoderArrays, decoder: DecoderArrays, blocks, noise: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Yield the lower bounds of the log-likelihoods of blocks of float32 rows.

        Of rows in the network's units, in nats. Each draw of ``noise``, of shape
        (n_draws, n_components), serves all rows.
        """
        return _each(partial(self._compiled_evidence, encoder, decoder, noise), blocks)

    def divergences(
        self, arrays: EncoderArrays, blocks: Iterable[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Yield the divergence of each code of blocks of float32 rows, in nats."""
        return _each(partial(self._compiled_divergences, arrays), blocks)

    def _encode_block(self, arrays: EncoderArrays, rows):
        codes = _continued(self._codes, arrays, rows)
        return (codes - arrays.offset) @ arrays.matrix

    def _decode_block(self, arrays: DecoderArrays, codes):
        inner = codes @ arrays.matrix + arrays.offset
        return _continued(self._rows, arrays, inner)

    def _codes(self, variables, rows):
        return self.networks.codes(self.networks.encode(variables, rows)[0])

    def _rows(self, variables, codes):
        return self.networks.rows(self.networks.decode(variables, codes)[0])

    def _posterior(self, arrays: EncoderArrays, rows):
        return self.networks.encode(arrays.variables, rows)[0]

    def _divergences_block(self, arrays: EncoderArrays, rows):
        return divergences(self._posterior(arrays, rows))

    def _evidence_block(self, encoder, decoder: DecoderArrays, noise, rows):
        likelihood = self._spec.likelihood
        assert likelihood is not None
        posterior = self._posterior(encoder, rows)

        def log_likelihood(one):
            code = draw_codes(posterior, jnp.broadcast_to(one, (len(rows), len(one))))
            decoded, _, _ = self.networks.decode(decoder.variables, code)
            return -negative_log_likelihood(likelihood, rows, decoded)

        expected = jax.lax.map(log_likelihood, noise).mean(axis=0)
        return expected * self._spec.n_features - divergences(posterior).sum(axis=1)


def _each(function, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    under_way: deque[Any] = deque()
    for block in blocks:
        under_way.append(function(block))
        # The next block is made ready while the device computes.
        if len(under_way) > AHEAD:
            yield np.asarray(under_way.popleft())
    while under_way:
        yield np.asarray(under_way.popleft())


def _continued(network, arrays: EncoderArrays | DecoderArrays, values):
    inside = jnp.clip(values, arrays.low, arrays.high)
    outputs = network(arrays.variables, inside)
    excess = values - inside

    def shared():
        beyond = excess @ arrays.outside
        squares = jnp.square(jnp.stack([beyond, outputs])).sum(axis=-1, keepdims=True)
        share = jnp.maximum(0, 1 - squares[0] / jnp.maximum(squares[1], TINY))
        return share * outputs + (1 - share) * (inside @ arrays.outside) + beyond

    weights = sum(array.size for array in jax.tree.leaves(arrays.variables))
    if len(values) <= FEW or weights > _MUCH_MORE * arrays.outside.size:
        return shared()
    # Most blocks hold nothing beyond the bounds, and are not asked to pay for it. By
    # columns first: a sum of all in one is not vectorised.
    some_beyond = jnp.any(jnp.any(excess != 0, axis=0))
    return jax.lax.cond(some_beyond, shared, lambda: outputs)


def _build(spec: NetworkSpec) -> Networks:
    if spec.is_custom:
        # The user's code may want real values, so it is not run under a trace.
        return build_networks(spec)
    built = []
    # Only names and shapes are needed; under a trace no initialiser runs.
    jax.eval_shape(lambda: built.append(build_networks(spec)))
    return built[0]
