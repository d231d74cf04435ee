"""Probabilistic PCA of rows with missing values, by expectation maximisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._data import slices
from ._patterns import Patterns

_LEAST_NOISE = 1e-8
"""Least variance of the noise, as a share of the mean variance. Without noise the codes
of rows with few observed values are not determined."""

_CHUNK = 2**22
"""Values of an array that holds something for each row and pair of components."""


@dataclass(frozen=True)
class ProbabilisticPCA:
    r"""A normal distribution whose covariance is that of a few axes, and noise.

    Tipping & Bishop (1999):

    .. math::
        x = W z + \mu + \sigma \epsilon, \qquad
        W = U (\Lambda - \sigma^2)^{1/2}.

    The values that are missing in a row have the conditional mean :math:`W_m E[z |
    x_o] + \mu_m`, given the observed values :math:`x_o`.

    Parameters
    ----------
    mean : ndarray of shape (n_features,), float64
        :math:`\mu`.

    components : ndarray of shape (n_components, n_features), float64
        Orthonormal axes, the rows of :math:`U^T`.

    variances : ndarray of shape (n_components,), float64
        Variance along each axis, :math:`\Lambda`. Divided by n_samples.

    noise : float
        :math:`\sigma^2`, the mean variance along the other axes.

    total : float
        Variance summed over all features.
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    noise: float
    total: float

    @classmethod
    def of_moments(
        cls, mean: np.ndarray, covariance: np.ndarray, n_components: int
    ) -> ProbabilisticPCA:
        """Return the most likely model of rows, given their mean and covariance."""
        spectrum, axes = np.linalg.eigh(covariance)
        spectrum = np.maximum(spectrum[::-1], 0)
        n_left_out = len(mean) - n_components
        left = spectrum[n_components:].sum()
        return cls(
            mean,
            np.ascontiguousarray(axes.T[::-1][:n_components]),
            spectrum[:n_components],
            float(left / n_left_out) if n_left_out else 0.0,
            float(spectrum.sum()),
        )

    @classmethod
    def start(
        cls, X: np.ndarray, observed: np.ndarray, n_components: int
    ) -> ProbabilisticPCA:
        """Return the model of rows whose missing values are replaced by the mean.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features), float64
            Rows. Values that are not observed are not read.

        observed : ndarray of shape (n_rows, n_features), bool
            Every feature is observed in some row.

        n_components : int
            Number of axes, at most n_features.
        """
        mean = np.where(observed, X, 0).sum(axis=0) / observed.sum(axis=0)
        centred = np.where(observed, X - mean, 0)
        return cls.of_moments(mean, centred.T @ centred / len(X), n_components)

    @property
    def n_components(self) -> int:
        """Number of axes."""
        return len(self.variances)

    @property
    def loadings(self) -> np.ndarray:
        """:math:`W`, of shape (n_features, n_components)."""
        return self.components.T * np.sqrt(np.maximum(self.variances - self._noise, 0))

    @property
    def _noise(self) -> float:
        least = _LEAST_NOISE * self.total / len(self.mean)
        return max(self.noise, least, float(np.finfo(np.float64).tiny))

    def imputed(
        self, X: np.ndarray, observed: np.ndarray, patterns: Patterns | None = None
    ) -> np.ndarray:
        """Return rows with the conditional means of their missing values.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features), float64
            Rows. Values that are not observed are not read.

        observed : ndarray of shape (n_rows, n_features), bool
            Which values are observed.

        patterns : Patterns or None
            Those of ``observed``, if they are known.
        """
        patterns = patterns or Patterns.of(observed)
        return self._imputed(X, observed, patterns, self._precisions(patterns))

    def improved(
        self, X: np.ndarray, observed: np.ndarray, patterns: Patterns
    ) -> ProbabilisticPCA:
        """Return the model after one step of expectation maximisation.

        The missing values are what is not known. Their conditional means and
        covariances give the expected covariance of the rows, and its principal axes are
        the next model. Without missing values this is PCA after one step.
        """
        precisions = self._precisions(patterns)
        filled = self._imputed(X, observed, patterns, precisions)
        mean = filled.mean(axis=0)
        filled -= mean
        scatter = filled.T @ filled + self._uncertainty(patterns, precisions)
        return self.of_moments(mean, scatter / len(X), self.n_components)

    def _precisions(self, patterns: Patterns) -> np.ndarray:
        r"""Return :math:`W_o^T W_o + \sigma^2 I` for each pattern."""
        loadings, k = self.loadings, self.n_components
        products = (loadings[:, :, None] * loadings[:, None, :]).reshape(-1, k * k)
        summed = patterns.observed.astype(np.float64) @ products
        return summed.reshape(-1, k, k) + self._noise * np.identity(k)

    def _imputed(self, X, observed, patterns: Patterns, precisions) -> np.ndarray:
        loadings, k = self.loadings, self.n_components
        centred = np.where(observed, X - self.mean, 0)
        projected = centred @ loadings
        codes = np.empty_like(projected)
        inverses = np.linalg.inv(precisions)
        for part in slices(len(X), max(_CHUNK // k**2, 1)):
            own = inverses[patterns.of_row[part]]
            codes[part] = np.matmul(own, projected[part, :, None])[:, :, 0]
        return np.where(observed, X, codes @ loadings.T + self.mean)

    def _uncertainty(self, patterns: Patterns, precisions) -> np.ndarray:
        """Return the conditional covariances of missing values, summed over rows."""
        loadings, k = self.loadings, self.n_components
        d = len(loadings)
        missing = ~patterns.observed
        total = np.diag(patterns.counts @ missing.astype(np.float64))
        # The inverse of a precision is the product of this root with its transpose.
        roots = np.linalg.inv(np.linalg.cholesky(precisions))
        roots *= np.sqrt(patterns.counts)[:, None, None]
        for part in slices(len(missing), max(_CHUNK // (k * d), 1)):
            spread = np.matmul(roots[part], loadings.T) * missing[part, None, :]
            spread = spread.reshape(-1, d)
            total += spread.T @ spread
        return self._noise * total


def fitted(
    X: np.ndarray,
    observed: np.ndarray,
    n_components: int,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> ProbabilisticPCA:
    """Return the most likely model of rows with missing values.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float64
        Rows. Values that are not observed are not read.

    observed : ndarray of shape (n_rows, n_features), bool
        Every feature is observed in some row.

    n_components : int
        Number of axes, at most n_features.

    tol : float
        Iteration ends if no imputed value moves by more than this, in deviations.

    max_iter : int
        Most iterations.
    """
    patterns = Patterns.of(observed)
    model = ProbabilisticPCA.start(X, observed, n_components)
    if observed.all():
        return model
    before = model.imputed(X, observed, patterns)
    for _ in range(max_iter):
        model = model.improved(X, observed, patterns)
        after = model.imputed(X, observed, patterns)
        moved = np.abs(after - before).max(initial=0)
        if moved <= tol * np.sqrt(model.total / len(model.mean)):
            break
        before = after
    return model
