"""Clusters of codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from sklearn.mixture import GaussianMixture

_FLOOR = 0.1
"""Least variance of one of several clusters in each direction.

It is a share of the mean variance of a feature. A few outliers that are equal would
otherwise be a cluster of very high density.
"""

ROUNDING = 1e-12
"""Least variance of a single cluster, likewise: no more than rounding errors."""

LOG_2_PI = float(np.log(2 * np.pi))


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
        values = np.maximum(values, ROUNDING * variance)
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
            reg_covar=_FLOOR,
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
                distances + log_determinant + len(mean) * LOG_2_PI
            )
        return parts

    def log_density(self, codes: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density of codes."""
        return logsumexp(self.log_parts(codes), axis=1)

    def nearest(self, codes: np.ndarray) -> np.ndarray:
        """Return the index of each code's most probable cluster."""
        return self.log_parts(codes).argmax(axis=1)
