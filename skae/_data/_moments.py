"""Number, mean and scatter matrix of rows, which merge exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Number, mean and scatter matrix of rows.

    Parameters
    ----------
    count : int
        Number of rows.

    mean : ndarray of shape (n_features,), float64
        Their mean.

    scatter : ndarray of shape (n_features, n_features), float64
        Sum of the products of their deviations from the mean.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def zero(cls, n_features: int) -> Moments:
        """Return the moments of no rows."""
        return cls(0, np.zeros(n_features), np.zeros((n_features, n_features)))

    @classmethod
    def of(cls, rows: np.ndarray) -> Moments:
        """Return the moments of some rows."""
        if not len(rows):
            return cls.zero(rows.shape[1])
        mean = rows.mean(axis=0)
        centred = rows - mean
        return cls(len(rows), mean, centred.T @ centred)

    @property
    def deviation(self) -> float:
        """Root of the mean variance."""
        n_values = self.count * len(self.mean)
        return float(np.sqrt(np.trace(self.scatter) / n_values))

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows."""
        if not self.count or not other.count:
            return other if other.count else self
        count = self.count + other.count
        ahead = other.mean - self.mean
        between = np.outer(ahead, ahead * (self.count * other.count / count))
        return Moments(
            count,
            self.mean + ahead * (other.count / count),
            self.scatter + other.scatter + between,
        )
