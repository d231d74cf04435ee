"""The density of rows that an autoencoder and clusters of its codes describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from sklearn.mixture import GaussianMixture

from ._data import chunks, dense
from ._variational import VariationalAutoencoderTransformer

_CLUSTER_FLOOR = 0.1
"""Least variance of a cluster in each direction, in mean variances of a feature.

A few outliers that are equal would otherwise be a cluster of very high density.
"""

_NOISE_FLOOR = 0.01
"""Least variance of the residuals beside several clusters, likewise."""

_ROUNDING = 1e-12
"""Least variance beside a single cluster, likewise: no more than rounding errors."""

_LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Clusters:
    """A mixture of normal distributions of codes.

    Parameters
    ----------
    weights : ndarray of shape (n_clusters,)
        Share of the rows in each cluster.

    means : ndarray of shape (n_clusters, n_components)
        Their centres.

    covariances : ndarray of shape (n_clusters, n_components, n_components)
        Their covariances.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @classmethod
    def single(cls, codes: np.ndarray, variance: float) -> Clusters:
        """Return one normal distribution, as in probabilistic PCA.

        Its variance in each direction is at least a rounding error of ``variance``.
        """
        covariance = np.atleast_2d(np.cov(codes.T))
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, _ROUNDING * variance)
        covariance = (vectors * values) @ vectors.T
        return cls(np.ones(1), codes.mean(axis=0)[None], covariance[None])

    @classmethod
    def several(
        cls, codes: np.ndarray, n_clusters: int, variance: float, seed: int
    ) -> Clusters:
        """Return a mixture, fitted by expectation maximisation."""
        # The codes' spread is divided out, so that the floor is a share of it.
        unit = np.sqrt(variance)
        mixture = GaussianMixture(
            n_clusters,
            reg_covar=_CLUSTER_FLOOR,
            tol=1e-2,
            max_iter=1000,
            init_params="k-means++",
            random_state=seed,
        ).fit(codes / unit)
        return cls(
            mixture.weights_, mixture.means_ * unit, mixture.covariances_ * variance
        )

    def log_parts(self, codes: np.ndarray) -> np.ndarray:
        """Return the logarithm of each cluster's part of the density of codes."""
        parts = np.empty((len(codes), len(self.weights)))
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        for index, (mean, covariance) in enumerate(
            zip(self.means, self.covariances, strict=True)
        ):
            root = np.linalg.cholesky(covariance)
            white = solve_triangular(root, (codes - mean).T, lower=True)
            log_determinant = 2 * np.log(np.diag(root)).sum()
            distances = np.square(white).sum(axis=0)
            parts[:, index] = log_weights[index] - 0.5 * (
                distances + log_determinant + len(mean) * _LOG_2_PI
            )
        return parts

    def log_density(self, codes: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density of codes."""
        return logsumexp(self.log_parts(codes), axis=1)

    def whitened(self, codes: np.ndarray) -> np.ndarray:
        """Return each code's deviation from its most probable cluster.

        It is in standard deviations of the cluster, and not rotated.
        """
        nearest = self.log_parts(codes).argmax(axis=1)
        found = np.empty_like(codes)
        for index in np.unique(nearest):
            rows = nearest == index
            values, vectors = np.linalg.eigh(self.covariances[index])
            whitening = (vectors / np.sqrt(values)) @ vectors.T
            found[rows] = (codes[rows] - self.means[index]) @ whitening
        return found


@dataclass(frozen=True)
class RowDensity:
    """The density of a row's code times that of its residual.

    Parameters
    ----------
    autoencoder : estimator
        Fitted.

    clusters : Clusters
        Of the codes.

    normal : Clusters
        One normal distribution of the codes.

    noise : float
        Variance of the residuals in each direction that the codes leave out.
    """

    autoencoder: Any
    clusters: Clusters
    normal: Clusters
    noise: float

    @classmethod
    def fit(cls, autoencoder: Any, X: Any, n_clusters: int, seed: int) -> RowDensity:
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
        code_variance = variance
        if _is_variational(autoencoder):
            # Codes are in the units of the prior, whose variance is one.
            code_variance = 1.0
        normal = clusters = Clusters.single(stacked, code_variance)
        floor = _ROUNDING
        if n_clusters > 1:
            clusters = Clusters.several(stacked, n_clusters, code_variance, seed)
            floor = _NOISE_FLOOR
        return cls(autoencoder, clusters, normal, max(noise, floor * variance))

    def log_density(self, X: Any) -> np.ndarray:
        """Return the logarithm of the density of rows, in nats."""
        found = []
        n_free = X.shape[1] - self.clusters.means.shape[1]
        for code, _, residual in _parts(self.autoencoder, X):
            density = self.clusters.log_density(code)
            if _is_variational(self.autoencoder):
                found.append(density - self.normal.log_density(code))
                continue
            if n_free > 0:
                distance = np.square(residual).sum(axis=1) / self.noise
                constant = n_free * (_LOG_2_PI + np.log(self.noise))
                density = density - 0.5 * (distance + constant)
            found.append(density)
        total = np.concatenate(found)
        if _is_variational(self.autoencoder):
            # The bound has a normal prior. Several clusters take its place.
            total = total + self.autoencoder.score_samples(X)
        return total

    def shares(self, X: Any) -> np.ndarray:
        """Return each feature's share of a row's squared distance."""
        left, _, right = np.linalg.svd(
            self.autoencoder.components_.astype(np.float64), full_matrices=False
        )
        directions = left @ right
        found = []
        for code, _, residual in _parts(self.autoencoder, X):
            deviations = self.clusters.whitened(code) @ directions
            if residual.shape[1] > code.shape[1]:
                deviations = deviations + residual / np.sqrt(self.noise)
            squares = np.square(deviations)
            total = squares.sum(axis=1, keepdims=True)
            even = np.full_like(squares, 1 / squares.shape[1])
            found.append(np.divide(squares, total, out=even, where=total > 0))
        return np.concatenate(found)


def _is_variational(autoencoder: Any) -> bool:
    return isinstance(autoencoder, VariationalAutoencoderTransformer)


def _parts(autoencoder: Any, X: Any):
    """Yield codes, rows and residuals, some rows at a time, in float64."""
    for some in chunks(X):
        rows = np.asarray(dense(X[some]), dtype=np.float64)
        codes = autoencoder.transform(rows)
        yield codes, rows, rows - autoencoder.inverse_transform(codes)
