"""The density of codes: one normal distribution, or kernels around some of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

_N_SAMPLES = 10
_SAMPLE_ROWS = 128
"""Random samples, and rows in each. A few outliers are in few samples, if in any."""

_ROUNDING = 1e-12
"""Least variance in a direction: a rounding error, as a share of a given variance."""

LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class CodeDensity:
    """A density of codes, whose covariance is the covariance of the codes.

    With a bandwidth of 1 it is one normal distribution. With less, each code of a
    random sample of the rows is the centre of a kernel. A kernel is a normal
    distribution, with the covariance of the codes times the squared bandwidth. Its
    centre is moved towards the mean, so that the whole has the covariance of the codes
    again (West 1993). The logarithm of the density is the mean over several samples.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
        Of the codes.

    root : ndarray of shape (n_components, n_components)
        Lower Cholesky factor of their covariance.

    bandwidth : float
        More than 0, at most 1.

    samples : list of ndarray of shape (n_sample_rows, n_components)
        Centres of the kernels, with unit covariance. None if the bandwidth is 1.
    """

    mean: np.ndarray
    root: np.ndarray
    bandwidth: float
    samples: list[np.ndarray]

    @classmethod
    def fit(
        cls, codes: np.ndarray, bandwidth: float, variance: float, seed: int
    ) -> CodeDensity:
        """Fit the density to codes.

        The variance in each direction is at least a rounding error of ``variance``.
        """
        mean = codes.mean(axis=0)
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(codes.T)))
        values = np.maximum(values, _ROUNDING * variance)
        root = np.linalg.cholesky((vectors * values) @ vectors.T)
        if bandwidth == 1:
            return cls(mean, root, 1.0, [])
        centres = np.sqrt(1 - bandwidth**2) * _white(codes, mean, root)
        rng = np.random.RandomState(seed)
        n_samples = _N_SAMPLES if len(codes) > _SAMPLE_ROWS else 1
        rows = [rng.permutation(len(codes))[:_SAMPLE_ROWS] for _ in range(n_samples)]
        return cls(mean, root, float(bandwidth), [centres[some] for some in rows])

    def normal(self) -> CodeDensity:
        """Return one normal distribution with the same mean and covariance."""
        return CodeDensity(self.mean, self.root, 1.0, [])

    def log_density(self, codes: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density, in nats."""
        white = _white(codes, self.mean, self.root)
        n_components = white.shape[1]
        constant = 0.5 * n_components * (LOG_2_PI + 2 * np.log(self.bandwidth))
        constant += np.log(np.diag(self.root)).sum()
        if not self.samples:
            return -0.5 * np.square(white).sum(axis=1) - constant
        found = [
            logsumexp(self._log_kernels(white, centres), axis=1) - np.log(len(centres))
            for centres in self.samples
        ]
        return np.mean(found, axis=0) - constant

    def pull(self, codes: np.ndarray) -> np.ndarray:
        """Return the gradient of minus the logarithm of the density."""
        white = _white(codes, self.mean, self.root)
        nearby = np.zeros_like(white)
        for centres in self.samples:
            parts = self._log_kernels(white, centres)
            shares = np.exp(parts - logsumexp(parts, axis=1, keepdims=True))
            nearby += shares @ centres / len(self.samples)
        deviations = (white - nearby) / self.bandwidth**2
        return solve_triangular(self.root, deviations.T, lower=True, trans=1).T

    def precision(self) -> np.ndarray:
        """Return the inverse of the covariance of one kernel."""
        inverse = solve_triangular(self.root, np.eye(len(self.root)), lower=True)
        return inverse.T @ inverse / self.bandwidth**2

    def _log_kernels(self, white: np.ndarray, centres: np.ndarray) -> np.ndarray:
        """Return the logarithm of each kernel, without its constant factor."""
        distances = np.square(white).sum(axis=1)[:, None] - 2 * white @ centres.T
        distances += np.square(centres).sum(axis=1)
        return -0.5 / self.bandwidth**2 * distances


def _white(codes: np.ndarray, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return codes with mean zero and unit covariance."""
    return solve_triangular(root, (codes - mean).T, lower=True).T
