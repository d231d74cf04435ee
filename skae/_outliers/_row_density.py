"""The density of rows: of their codes and of their residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._data import chunks, dense
from .._variational import VariationalAutoencoderTransformer
from ._code_density import LOG_2_PI, CodeDensity

_ROUNDING = 1e-12
"""Least variance of the residuals: a rounding error, as a share of a feature's."""


@dataclass(frozen=True)
class RowDensity:
    """The density of a row's code times that of its residual.

    Parameters
    ----------
    autoencoder : estimator
        Fitted.

    codes : CodeDensity
        Of the codes.

    normal : CodeDensity
        One normal distribution of the codes.

    noise : float
        Variance of the residuals in each direction that the codes leave out.
    """

    autoencoder: Any
    codes: CodeDensity
    normal: CodeDensity
    noise: float

    @classmethod
    def fit(cls, autoencoder: Any, X: Any, bandwidth: float, seed: int) -> RowDensity:
        """Fit the density to rows and to a fitted autoencoder of them."""
        codes, residuals, scatter = [], 0.0, 0.0
        for code, row, residual in _parts(autoencoder, X):
            codes.append(code)
            residuals += np.square(residual).sum()
            scatter += np.square(row - autoencoder.mean_).sum()
        stacked = np.concatenate(codes)
        n_rows, n_features = X.shape
        n_left_out = max(min(n_rows, n_features) - stacked.shape[1], 1)
        variance = scatter / (n_rows - 1) / n_features
        variance = variance if variance > 0 else 1.0
        noise = residuals / (n_rows - 1) / n_left_out
        # Codes of a variational autoencoder are in the units of the prior.
        unit = 1.0 if _is_variational(autoencoder) else variance
        return cls(
            autoencoder,
            CodeDensity.fit(stacked, bandwidth, unit, seed),
            CodeDensity.fit(stacked, 1, unit, seed),
            max(noise, _ROUNDING * variance),
        )

    def log_density(self, X: Any) -> np.ndarray:
        """Return the logarithm of the density of rows, in nats."""
        if _is_variational(self.autoencoder):
            return self._lower_bound(X)
        found = []
        n_free = X.shape[1] - len(self.codes.mean)
        for code, _, residual in _parts(self.autoencoder, X):
            density = self.codes.log_density(code)
            if n_free > 0:
                distance = np.square(residual).sum(axis=1) / self.noise
                constant = n_free * (LOG_2_PI + np.log(self.noise))
                density -= 0.5 * (distance + constant)
            found.append(density)
        return np.concatenate(found)

    def _lower_bound(self, X: Any) -> np.ndarray:
        """Return the bound of a variational autoencoder.

        The density of the codes takes the place of the normal prior.
        """
        codes = self.autoencoder.transform(X)
        prior = self.normal.log_density(codes)
        bound = self.autoencoder.score_samples(X)
        return bound + self.codes.log_density(codes) - prior

    def shares(self, X: Any) -> np.ndarray:
        """Return each feature's share of what makes a row improbable.

        A feature counts by how much the row's squared distance falls if the feature
        takes its most probable value, and the others keep theirs.
        """
        left, _, right = np.linalg.svd(
            self.autoencoder.components_.astype(np.float64), full_matrices=False
        )
        directions = left @ right
        left_out = np.maximum(1 - np.square(directions).sum(axis=0), 0)
        is_complete = directions.shape[0] == directions.shape[1]
        weight = 0.0 if is_complete else 1 / self.noise
        diagonal = weight * left_out + np.einsum(
            "ij,if,jf->f", self.codes.precision(), directions, directions
        )
        found = []
        for code, _, residual in _parts(self.autoencoder, X):
            gradients = self.codes.pull(code) @ directions + weight * residual
            falls = np.square(gradients) / diagonal
            total = falls.sum(axis=1, keepdims=True)
            even = np.full_like(falls, 1 / falls.shape[1])
            found.append(np.divide(falls, total, out=even, where=total > 0))
        return np.concatenate(found)


def _is_variational(autoencoder: Any) -> bool:
    return isinstance(autoencoder, VariationalAutoencoderTransformer)


def _parts(autoencoder: Any, X: Any):
    """Yield codes, rows and residuals, some rows at a time, in float64."""
    for some in chunks(X):
        rows = np.asarray(dense(X[some]), dtype=np.float64)
        codes = autoencoder.transform(rows)
        yield codes, rows, rows - autoencoder.inverse_transform(codes)
