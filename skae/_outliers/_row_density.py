"""The density of rows that an autoencoder and clusters of its codes describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._data import chunks, dense
from .._variational import VariationalAutoencoderTransformer
from ._clusters import LOG_2_PI, ROUNDING, Clusters

_NOISE_FLOOR = 0.01
"""Least variance of the residuals beside several clusters.

It is a share of the mean variance of a feature.
"""


@dataclass(frozen=True)
class RowDensity:
    """The density of a row's code times that of its residual.

    The density of the code is the geometric mean of what clusters and one normal
    distribution give. Outliers that form a cluster stay improbable under the latter.

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
        floor = ROUNDING
        if n_clusters > 1:
            clusters = Clusters.several(stacked, n_clusters, code_variance, seed)
            floor = _NOISE_FLOOR
        return cls(autoencoder, clusters, normal, max(noise, floor * variance))

    def log_density(self, X: Any) -> np.ndarray:
        """Return the logarithm of the density of rows, in nats."""
        found = []
        n_free = X.shape[1] - self.clusters.means.shape[1]
        for code, _, residual in _parts(self.autoencoder, X):
            normal = self.normal.log_density(code)
            density = 0.5 * (normal + self.clusters.log_density(code))
            if _is_variational(self.autoencoder):
                found.append(density - normal)
                continue
            if n_free > 0:
                distance = np.square(residual).sum(axis=1) / self.noise
                constant = n_free * (LOG_2_PI + np.log(self.noise))
                density = density - 0.5 * (distance + constant)
            found.append(density)
        total = np.concatenate(found)
        if _is_variational(self.autoencoder):
            # The bound has a normal prior. The density of the codes takes its place.
            total = total + self.autoencoder.score_samples(X)
        return total

    def shares(self, X: Any) -> np.ndarray:
        """Return each feature's share of what makes a row improbable.

        A feature counts by how much the row's squared distance from its cluster falls
        if the feature takes its most probable value, and the others keep theirs.
        """
        left, _, right = np.linalg.svd(
            self.autoencoder.components_.astype(np.float64), full_matrices=False
        )
        directions = left @ right
        left_out = np.maximum(1 - np.square(directions).sum(axis=0), 0)
        is_complete = directions.shape[0] == directions.shape[1]
        weight = 0.0 if is_complete else 1 / self.noise
        single = np.linalg.inv(self.normal.covariances[0])
        inverses = np.linalg.inv(self.clusters.covariances)
        precisions = 0.5 * (single + inverses)
        diagonals = weight * left_out + np.einsum(
            "cij,if,jf->cf", precisions, directions, directions
        )
        found = []
        for code, _, residual in _parts(self.autoencoder, X):
            nearest = self.clusters.nearest(code)
            deviations = code - self.clusters.means[nearest]
            pulls = np.einsum("nij,nj->ni", inverses[nearest], deviations)
            pulls = 0.5 * (pulls + (code - self.normal.means[0]) @ single)
            gradients = pulls @ directions + weight * residual
            falls = np.square(gradients) / diagonals[nearest]
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
