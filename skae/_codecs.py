"""What a fitted estimator does with rows and codes: plain arrays and a spec.

No codec holds a Keras object, so a pickle is small and does not care which backend, or
which version of Keras, made it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ._basis import Basis
from ._chunks import chunks
from ._scaling import Scaling
from ._spec import NetworkSpec


class Codec(Protocol):
    """Rows to codes and back, in the data's units, in the dtype of the input."""

    def encode(self, X: np.ndarray) -> np.ndarray:
        """Return the codes of the rows of ``X``."""

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows that the codes stand for."""

    def keras_encoder(self) -> Any:
        """Return the encoder as a Keras model."""

    def keras_decoder(self) -> Any:
        """Return the decoder as a Keras model."""


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
        codes = (X - self.mean.astype(X.dtype)) @ self.components.T.astype(X.dtype)
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
    """

    spec: NetworkSpec
    scaling: Scaling
    weights: dict
    basis: Basis

    @classmethod
    def plain(cls, spec: NetworkSpec, scaling: Scaling, weights: dict) -> NetworkCodec:
        """Return a codec with the network's own codes, in the data's units."""
        basis = Basis.identity(spec.n_components, scaling.scale)
        return cls(spec, scaling, weights, basis)

    def canonical(
        self, X: np.ndarray, *, rotate: bool, whiten: bool
    ) -> tuple[NetworkCodec, np.ndarray]:
        """Return this codec with canonical codes on ``X``, and their variances."""
        codes = self.encode(X) / self.scaling.scale
        basis, variances = Basis.canonical(
            codes, X, self.scaling.scale, rotate=rotate, whiten=whiten
        )
        return replace(self, basis=basis), variances

    def encode(self, X: np.ndarray) -> np.ndarray:
        """Return the codes of the rows of ``X``."""
        program = self._program()
        codes = np.empty((len(X), self.spec.n_components), X.dtype)
        for chunk in chunks(len(X)):
            rows = self.scaling.apply(X[chunk])
            codes[chunk] = program.encode(
                self.weights["encoder"], self.basis.offset, self.basis.matrix, rows
            )
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows that the codes stand for."""
        program = self._program()
        X = np.empty((len(codes), self.spec.n_features), codes.dtype)
        for chunk in chunks(len(codes)):
            rows = program.decode(
                self.weights["decoder"],
                self.basis.offset,
                self.basis.inverse,
                codes[chunk].astype(np.float32),
            )
            X[chunk] = self.scaling.invert(rows)
        return X

    def keras_encoder(self) -> Any:
        """Return the encoder as a Keras model."""
        from ._networks import export_encoder

        return export_encoder(
            self.spec, self.weights["encoder"], self.scaling, self.basis
        )

    def keras_decoder(self) -> Any:
        """Return the decoder as a Keras model."""
        from ._networks import export_decoder

        return export_decoder(
            self.spec, self.weights["decoder"], self.scaling, self.basis
        )

    def _program(self) -> Any:
        from ._training import inference_program

        return inference_program(self.spec)
