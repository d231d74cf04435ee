"""What a fitted estimator does with rows and codes: plain arrays and a spec.

No codec holds a Keras object, so a pickle is small and does not care which backend, or
which version of Keras, made it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.sparse import issparse

from ._basis import Basis, Moments
from ._blocks import MANY, filled
from ._bounds import Bounds, Box
from ._chunks import chunks, dense, slices
from ._dense_inference import PRECISE_ROWS, DenseInference
from ._scaling import Scaling
from ._spec import NetworkSpec


class Codec(Protocol):
    """Rows to codes and back, in the data's units, in the dtype of the input."""

    def encode(self, X) -> np.ndarray:
        """Return the codes of the rows of ``X``: not finite where a row is not."""

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows that the codes stand for."""

    def keras_encoder(self) -> Any:
        """Return the encoder as a Keras model."""

    def keras_decoder(self) -> Any:
        """Return the decoder as a Keras model."""


def squared_errors(codec: Codec, X) -> np.ndarray:
    """Return the squared reconstruction error of each row of ``X``."""
    parts = []
    for chunk in chunks(X):
        rows = dense(X[chunk])
        restored = codec.decode(codec.encode(rows))
        parts.append(np.square(np.subtract(rows, restored, dtype=float)).sum(axis=1))
    return np.concatenate(parts)


@dataclass(frozen=True)
class LinearCodec:
    """PCA, kept because training did not improve on it.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Mean of the training rows.

    components : ndarray of shape (n_components, n_features)
        Principal axes.

    units : ndarray of shape (n_components,) or None
        Deviations to divide the codes by, for whitened codes.
    """

    mean: np.ndarray
    components: np.ndarray
    units: np.ndarray | None = None

    def encode(self, X: np.ndarray) -> np.ndarray:
        """Return the codes of the rows of ``X``."""
        axes = self.components.T.astype(X.dtype)
        mean = self.mean.astype(X.dtype)
        if issparse(X):
            codes = X @ axes - mean @ axes
        else:
            parts = [(dense(X[rows]) - mean) @ axes for rows in chunks(X)]
            codes = np.concatenate(parts)
        if self.units is not None:
            codes /= self.units.astype(X.dtype)
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows that the codes stand for."""
        dtype = codes.dtype
        if self.units is not None:
            codes = codes * self.units.astype(dtype)
        return codes @ self.components.astype(dtype) + self.mean.astype(dtype)

    def keras_encoder(self) -> Any:
        """Return the encoder as a Keras model."""
        from ._networks import affine_encoder

        return affine_encoder(self.mean, (self.components / self._row_units()).T)

    def keras_decoder(self) -> Any:
        """Return the decoder as a Keras model."""
        from ._networks import affine_decoder

        return affine_decoder(self.mean, self.components * self._row_units())

    def _row_units(self) -> Any:
        return 1.0 if self.units is None else self.units[:, None]


class CodeSummary(NamedTuple):
    """What the codes of the training rows are like.

    Parameters
    ----------
    variances : ndarray of shape (n_components,)
        Variance of each, before whitening.

    explained : float
        Share of the rows' variance that they explain.

    mean, covariance : ndarray of shape (n_components,) and square
        Of the codes as users see them.
    """

    variances: np.ndarray
    explained: float
    mean: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class NetworkCodec:
    """A trained network.

    Parameters
    ----------
    spec : NetworkSpec
        Its shape.

    scaling : Scaling
        Between the data's units and the network's.

    weights : dict
        For "encoder" and "decoder", the lists of trainable and of other arrays.

    basis : Basis
        Between the network's codes and those that users see.

    bounds : Bounds
        Where the network ends and PCA continues.
    """

    spec: NetworkSpec
    scaling: Scaling
    weights: dict
    basis: Basis
    bounds: Bounds

    @classmethod
    def plain(cls, spec: NetworkSpec, scaling: Scaling, weights: dict) -> NetworkCodec:
        """Return a codec with the network's own codes, in the data's units."""
        basis = Basis.identity(spec.n_components, _unit(spec, scaling))
        bounds = Bounds.none(spec.n_components, spec.n_features)
        return cls(spec, scaling, weights, basis, bounds)

    def canonical(
        self, X, components: np.ndarray | None, *, rotate: bool, whiten: bool
    ) -> tuple[NetworkCodec, CodeSummary]:
        """Return this codec with canonical codes on ``X``, and what these are like.

        Beyond ``X``, PCA's ``components`` continue it, if given.
        """
        unit = _unit(self.spec, self.scaling)
        moments = Moments.zero(self.spec.n_components, self.spec.n_features)
        error = 0.0
        row_box = Box.around_nothing(self.spec.n_features)
        code_box = Box.around_nothing(self.spec.n_components)
        for chunk in chunks(X):
            rows = dense(X[chunk])
            codes = self.encode(rows)
            residuals = np.subtract(rows, self.decode(codes), dtype=np.float64)
            error += float(np.vdot(residuals, residuals))
            row_box, code_box = row_box.with_rows(rows), code_box.with_rows(codes)
            moments = moments.with_rows(codes / unit, rows - self.scaling.mean)
        basis, variances = Basis.canonical(moments, unit, rotate=rotate, whiten=whiten)
        total = moments.row_scatter
        explained = 1 - error / total if total > 0 else float(error == 0)
        bounds = self.bounds
        if components is not None:
            bounds = Bounds(
                row_box.widened().in_units(self.scaling.scale, self.scaling.mean),
                code_box.widened().in_units(self.scaling.scale),
                components.astype(np.float32),
            )
        summary = CodeSummary(variances, explained, *moments.mapped(basis))
        return replace(self, basis=basis, bounds=bounds), summary

    def evidence(self, X, noise: np.ndarray) -> np.ndarray:
        """Return a lower bound of each row's log-likelihood, in nats.

        Of a variational network, with the draws of standard normal ``noise``, of shape
        (n_draws, n_components), for the codes of every row.
        """
        compute = functools.partial(self._compiled.evidence, noise=noise)
        # Sums over many draws: in one shape, so that a row's does not depend on others.
        found = _blockwise(compute, X, np.empty(X.shape[0]), MANY)
        # A density in other units is another number.
        return found - self.spec.n_features * np.log(self.scaling.scale)

    def divergences(self, X) -> np.ndarray:
        """Return each code's mean divergence from its prior over ``X``, in nats."""
        found = np.empty((X.shape[0], self.spec.n_components))
        _blockwise(self._compiled.divergences, X, found, MANY)
        return found.mean(axis=0) @ (self.basis.matrix != 0)

    def encode(self, X) -> np.ndarray:
        """Return the codes of the rows of ``X``: not finite where a row is not."""
        codes = np.empty((X.shape[0], self.spec.n_components), X.dtype)
        inference = self._inference(len(codes))
        size = inference.block_rows(*X.shape)
        return _blockwise(inference.encode, X, codes, size)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows that the codes stand for."""
        X = np.empty((len(codes), self.spec.n_features), codes.dtype)
        inference = self._inference(len(codes))

        def decode(blocks):
            return map(self.scaling.invert, inference.decode(blocks))

        return _blockwise(decode, codes, X, inference.block_rows(*X.shape))

    def keras_encoder(self) -> Any:
        """Return the encoder as a Keras model."""
        from ._networks import export_encoder

        return export_encoder(
            self.spec, self.weights["encoder"], self.scaling, self.basis, self.bounds
        )

    def keras_decoder(self) -> Any:
        """Return the decoder as a Keras model."""
        from ._networks import export_decoder

        return export_decoder(
            self.spec, self.weights["decoder"], self.scaling, self.basis, self.bounds
        )

    def __getstate__(self) -> dict:
        # What computes with the arrays is no part of the codec.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _inference(self, n_rows: int) -> Any:
        """Return what computes so many rows."""
        if not DenseInference.knows(self.spec):
            return self._compiled
        return self._precise if n_rows <= PRECISE_ROWS else self._fast

    @functools.cached_property
    def _precise(self) -> DenseInference:
        return DenseInference(*self._parts, precise=True)

    @functools.cached_property
    def _fast(self) -> DenseInference:
        return DenseInference(*self._parts, precise=False)

    @functools.cached_property
    def _compiled(self) -> Any:
        from ._training import CompiledInference

        return CompiledInference(*self._parts)

    @property
    def _parts(self) -> tuple:
        return tuple(getattr(self, field.name) for field in fields(self))


def _blockwise(compute, values, out: np.ndarray, size: int) -> np.ndarray:
    """Fill ``out`` with what is computed of blocks of ``values``, so many rows each."""
    parts = list(slices(len(out), size))
    blocks = (filled(dense(values[part]), size) for part in parts)
    for part, block in zip(parts, compute(blocks), strict=True):
        out[part] = block[: part.stop - part.start]
    return out


def _unit(spec: NetworkSpec, scaling: Scaling) -> float:
    """Return one unit of the network's codes: those of a prior are their own."""
    return scaling.scale if spec.likelihood is None else 1.0
