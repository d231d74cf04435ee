"""The density of rows: of their codes and of their residuals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._data import chunks, dense
from .._variational import VariationalAutoencoderTransformer
from ._code_density import LOG_2_PI, CodeDensity

_ROUNDING = 1e-12
"""Least variance of the residuals: a rounding error, as a share of a feature's."""


@dataclass(frozen=True)
class EncodedRows:
    """What the density of rows needs of the rows that it is fitted to.

    Parameters
    ----------
    autoencoder : estimator
        Fitted.

    codes : ndarray of shape (n_samples, n_components)
        Of the rows.

    unit : float
        Variance of a feature, in the units of the codes.

    noise : float
        Variance of the residuals in each direction that the codes leave out.
    """

    autoencoder: Any
    codes: np.ndarray
    unit: float
    noise: float

    @classmethod
    def of(cls, autoencoder: Any, X: Any) -> EncodedRows:
        """Encode rows by a fitted autoencoder of them."""
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
        return cls(autoencoder, stacked, unit, max(noise, _ROUNDING * variance))

    def density(self, bandwidth: float, seed: int) -> RowDensity:
        """Fit a density with this bandwidth."""
        codes = CodeDensity.fit(self.codes, bandwidth, self.unit, seed)
        return RowDensity(self.autoencoder, codes, self.noise)


class NewRows(NamedTuple):
    """What the density of rows needs of rows that it is asked about.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Of the rows.

    n_features : int
        Of the rows.

    distances : ndarray of shape (n_samples,)
        Squared length of each residual, or the lower bound of a variational
        autoencoder.
    """

    codes: np.ndarray
    n_features: int
    distances: np.ndarray

    @classmethod
    def of(cls, autoencoder: Any, X: Any) -> Iterator[NewRows]:
        """Yield rows, some at a time if they are many."""
        n_features = X.shape[1]
        if _is_variational(autoencoder):
            bounds = autoencoder.score_samples(X)
            yield cls(autoencoder.transform(X), n_features, bounds)
            return
        for code, _, residual in _parts(autoencoder, X):
            yield cls(code, n_features, np.square(residual).sum(axis=1))


@dataclass(frozen=True)
class RowDensity:
    """The density of a row's code times that of its residual.

    Parameters
    ----------
    autoencoder : estimator
        Fitted.

    codes : CodeDensity
        Of the codes.

    noise : float
        Variance of the residuals in each direction that the codes leave out.
    """

    autoencoder: Any
    codes: CodeDensity
    noise: float

    def log_density(self, X: Any) -> np.ndarray:
        """Return the logarithm of the density of rows, in nats."""
        return self.of(NewRows.of(self.autoencoder, X))

    def of(self, rows: Iterable[NewRows]) -> np.ndarray:
        """Return the logarithm of the density of rows that are encoded, in nats."""
        is_variational = _is_variational(self.autoencoder)
        term = self._bound if is_variational else self._log_density
        return np.concatenate([term(*some) for some in rows])

    def _log_density(self, codes, n_features, distances) -> np.ndarray:
        density = self.codes.log_density(codes)
        n_free = n_features - len(self.codes.mean)
        if n_free > 0:
            constant = n_free * (LOG_2_PI + np.log(self.noise))
            density -= 0.5 * (distances / self.noise + constant)
        return density

    def _bound(self, codes, n_features, bounds) -> np.ndarray:
        """Return the bound of a variational autoencoder.

        The density of the codes takes the place of the normal prior.
        """
        prior = self.codes.normal().log_density(codes)
        return bounds + self.codes.log_density(codes) - prior

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
