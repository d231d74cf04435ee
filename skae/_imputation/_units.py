"""The units of each feature, and what networks see of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MOST_KNOTS = 200
"""Most values of a feature between which ranks are interpolated."""


@dataclass(frozen=True)
class Units:
    """Mean, deviation and distribution of each feature, by its observed values.

    Parameters
    ----------
    mean, deviation : ndarray of shape (n_features,), float64
        Deviations are 1 where a feature is constant.

    knots : list of tuple of ndarray
        For each feature some of its values in units of the deviation, ascending, and
        their ranks. Ranks have a mean of 0 and a variance of 1.
    """

    mean: np.ndarray
    deviation: np.ndarray
    knots: list[tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, X: np.ndarray, observed: np.ndarray) -> Units:
        """Measure features, each of which is observed in some row."""
        counts = observed.sum(axis=0)
        # Values are divided before they are added and squared. So neither the sum of
        # very large values overflows nor the square of very small ones vanishes.
        largest = np.abs(np.where(observed, X, 0)).max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)
        values = np.where(observed, X / unit, 0)
        mean = values.sum(axis=0) / counts
        centred = np.where(observed, values - mean, 0)
        deviation = np.sqrt(np.square(centred).sum(axis=0) / counts)
        is_constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
        deviation = np.where(is_constant, 1.0, deviation)
        knots = [
            _knots(column[known] / width)
            for column, known, width in zip(
                centred.T, observed.T, deviation, strict=True
            )
        ]
        return cls(mean * unit, deviation * unit, knots)

    def apply(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return standardised rows, with 0 where a value is missing."""
        return np.where(observed, (X - self.mean) / self.deviation, 0)

    def invert(self, rows: np.ndarray) -> np.ndarray:
        """Return standardised rows in the data's units."""
        return rows * self.deviation + self.mean

    def inputs(self, imputed: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return what networks see of standardised rows, as float32.

        Three numbers stand for each value: its inverse hyperbolic sine, which is about
        linear near the mean and logarithmic in the tails, its rank among the observed
        values, and whether it was missing. A few very large values then do not decide
        what is learnt.
        """
        n_rows, d = imputed.shape
        seen = np.empty((n_rows, 3 * d), np.float32)
        seen[:, :d] = np.arcsinh(2 * imputed)
        for feature, (values, ranks) in enumerate(self.knots):
            seen[:, d + feature] = np.interp(imputed[:, feature], values, ranks)
        seen[:, 2 * d :] = ~observed
        return seen


def _knots(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, counts = np.unique(values, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / len(values)
    if len(distinct) > _MOST_KNOTS:
        places = np.linspace(0, len(distinct) - 1, _MOST_KNOTS).astype(int)
        distinct, ranks = distinct[places], ranks[places]
    return distinct, np.sqrt(12) * (ranks - 0.5)
