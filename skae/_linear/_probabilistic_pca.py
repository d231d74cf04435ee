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
"""Values of the arrays that hold something for each row and pair of components."""


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
        return self.components.T * np.sqrt(
            np.maximum(self.variances - self.positive_noise, 0)
        )

    @property
    def positive_noise(self) -> float:
        """The noise, or a very small number where there is none."""
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
        return self._completed(X, observed, patterns or Patterns.of(observed), None)

    def stepped(
        self, X: np.ndarray, observed: np.ndarray, patterns: Patterns
    ) -> tuple[np.ndarray, ProbabilisticPCA]:
        """Return complete rows, and the model after a step of expectation maximisation.

        The missing values are what is not known. Their conditional means and
        covariances give the expected covariance of the rows, and its principal axes are
        the next model. Without missing values this is PCA after one step.
        """
        scatter = np.zeros((len(self.mean), len(self.mean)))
        filled = self._completed(X, observed, patterns, scatter)
        mean = filled.mean(axis=0)
        centred = filled - mean
        scatter += centred.T @ centred
        return filled, self.of_moments(mean, scatter / len(X), self.n_components)

    def _completed(
        self,
        X: np.ndarray,
        observed: np.ndarray,
        patterns: Patterns,
        uncertainty: np.ndarray | None,
    ) -> np.ndarray:
        """Return complete rows.

        The conditional covariances of the missing values, summed over the rows, are
        added to ``uncertainty``, if it is given.
        """
        W, noise, k = self.loadings, self.positive_noise, self.n_components
        products = (W[:, :, None] * W[:, None, :]).reshape(-1, k * k)
        projected = np.where(observed, X - self.mean, 0) @ W
        codes = np.empty_like(projected)
        missing = ~patterns.observed
        if uncertainty is not None:
            uncertainty += noise * np.diag(patterns.counts @ missing.astype(np.float64))
        for part, rows in patterns.parts(max(_CHUNK // (k * len(W)), 1)):
            seen = patterns.observed[part].astype(np.float64)
            precisions = (seen @ products).reshape(-1, k, k) + noise * np.identity(k)
            # A precision is the inverse of this root's transpose times the root.
            roots = np.linalg.inv(np.linalg.cholesky(precisions))
            for some in slices(len(rows), max(_CHUNK // k**2, 1)):
                own = roots[patterns.of_row[rows[some]] - part.start]
                whitened = np.matmul(own, projected[rows[some], :, None])
                codes[rows[some]] = np.matmul(own.transpose(0, 2, 1), whitened)[:, :, 0]
            if uncertainty is None:
                continue
            spread = np.matmul(roots, W.T) * missing[part, None, :]
            spread *= np.sqrt(patterns.counts[part])[:, None, None]
            spread = spread.reshape(-1, len(W))
            uncertainty += noise * (spread.T @ spread)
        return np.where(observed, X, codes @ W.T + self.mean)


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
    before = np.full(X.shape, np.inf)
    for _ in range(max_iter):
        after, following = model.stepped(X, observed, patterns)
        moved = np.abs(after - before)[~observed].max()
        if moved <= tol * np.sqrt(model.total / len(model.mean)):
            break
        before, model = after, following
    return model
