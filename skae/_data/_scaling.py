"""Mean and scale of rows, and the map from the data's units to the network's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from .._state import stored
from ._rows import aligned_empty, cached_chunks, dense, slices

_STEPS = 2.0**16

_TINY = 1e-18
"""Squares of values below this scale underflow in float32."""

_SQUARES_VANISH = 1e-140
"""Squares of values below this scale underflow in float64."""

_STORED = 2**20
"""Values of a sparse matrix that are copied at once."""

_NEAR = 8
"""Largest distance of the mean from the origin, in units of the scale, at which float32
rows keep enough digits."""


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


@stored("scaling")
@dataclass(frozen=True)
class Scaling:
    r"""The map between the data's units and the network's units.

    The network sees :math:`(x - \mu) / s`. Here :math:`\mu` is the mean of the training
    rows, and :math:`s = \sqrt{\frac{1}{d} \sum_j \mathrm{Var}(x_j)}` is one number for
    all features. A single scale keeps the squared error that PCA minimises. One scale
    for each feature would weight the features differently.

    Parameters
    ----------
    mean : ndarray of shape (n_features,), float64
        Mean of each feature.

    scale : float
        Root of the mean variance, in the data's units. It is 1 for constant data.
    """

    mean: np.ndarray
    scale: float

    @classmethod
    def fit(cls, X) -> Scaling:
        """Measure the mean and the scale of the rows of ``X`` in float64."""
        if hasattr(X, "moments"):
            # Rows of Dask, which one pass has summed up.
            return cls.of_moments(X.moments)
        mean = _means(X)
        scale = float(np.sqrt(variances(X, mean).mean()))
        if scale < _SQUARES_VANISH:
            largest = _largest_deviation(X, mean) or 1.0
            scale = largest * float(np.sqrt(variances(X, mean, largest).mean()))
        return cls(mean, 1.0 if is_rounding(scale, mean) else scale)

    @classmethod
    def of_moments(cls, moments: Moments) -> Scaling:
        """Return the mean and the scale of rows of which the moments are known."""
        scale = moments.deviation
        return cls(moments.mean, 1.0 if is_rounding(scale, moments.mean) else scale)

    @classmethod
    def of_observed(cls, X: np.ndarray, observed: np.ndarray) -> Scaling:
        """Measure the observed values. A feature without any has mean and variance 0.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            Rows. Values that are not observed are not read.

        observed : ndarray of shape (n_rows, n_features), bool
            Which values are observed.
        """
        # Values are divided before they are squared: squares of very small ones vanish.
        largest = float(np.abs(np.where(observed, X, 0)).max(initial=0)) or 1.0
        values = np.where(observed, X, 0).astype(np.float64) / largest
        counts = np.maximum(observed.sum(axis=0), 1)
        mean = values.sum(axis=0) / counts
        squares = np.square(np.where(observed, values - mean, 0)).sum(axis=0)
        scale = float(np.sqrt((squares / counts).mean()))
        is_constant = is_rounding(scale, mean)
        return cls(mean * largest, 1.0 if is_constant else scale * largest)

    @classmethod
    def none(cls, n_features: int) -> Scaling:
        """Keep the data's own units."""
        return cls(np.zeros(n_features), 1.0)

    @property
    def is_mild(self) -> bool:
        """Whether float32 holds the unscaled rows well enough to compute with them."""
        is_near = np.abs(self.mean).max() <= _NEAR * self.scale
        return bool(is_near and _TINY < self.scale < 1 / _TINY)

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Return ``X`` in the network's units, as float32.

        The mean is subtracted in two parts: its value in the dtype of ``X``, then the
        rest. In one part, float32 rows far from the origin would lose their small
        differences.
        """
        if not _TINY < self.scale < 1 / _TINY:
            return ((X - self.mean) / self.scale).astype(np.float32)
        mean = self.mean.astype(X.dtype)
        rows = np.subtract(X, mean, out=aligned_empty(X.shape), casting="same_kind")
        if X.dtype == np.float32:
            rows -= (self.mean - mean).astype(np.float32)
        rows *= np.float32(1 / self.scale)
        return rows

    def apply_for_training(self, X: np.ndarray) -> np.ndarray:
        """Return ``X`` in the network's units, rounded to multiples of 2^-16.

        Training magnifies the last bit of its data, and a change of units changes last
        bits. Without the rounding, the same data in metres and in feet would end at
        different networks.
        """
        rows = aligned_empty(X.shape)
        for part in cached_chunks(X):
            steps = X[part] - self.mean
            # The divisor is exact: 2^16 is a power of two.
            steps /= self.scale / _STEPS
            np.rint(steps, out=rows[part], casting="same_kind")
            rows[part] /= np.float32(_STEPS)
        return rows

    def invert(self, rows: np.ndarray) -> np.ndarray:
        """Return network outputs in the data's units, as float64."""
        return rows * self.scale + self.mean


def is_rounding(deviation: float, mean: np.ndarray) -> bool:
    """Say whether a computed deviation is at most a rounding error of the mean."""
    largest = np.abs(mean).max(initial=0.0)
    return not deviation > 10 * np.finfo(np.float64).eps * largest


def variances(X, mean: np.ndarray | None = None, unit: float = 1.0) -> np.ndarray:
    """Return the variance of each feature in float64, in squares of a unit."""
    mean = _means(X) if mean is None else mean
    if issparse(X):
        total, n_zeros = np.zeros(X.shape[1]), np.full(X.shape[1], X.shape[0])
        for values, columns in _stored(X):
            squares = np.square((values - mean[columns]) / unit)
            total += np.bincount(columns, squares, minlength=X.shape[1])
            n_zeros -= np.bincount(columns, minlength=X.shape[1])
        # Values that are not stored are zero.
        return (total + n_zeros * np.square(mean / unit)) / X.shape[0]
    total = np.zeros(X.shape[1])
    for part in cached_chunks(X):
        total += np.square((dense(X[part]) - mean) / unit).sum(axis=0)
    return total / X.shape[0]


def _largest_deviation(X, mean: np.ndarray) -> float:
    return max(float(np.abs(dense(X[p]) - mean).max()) for p in cached_chunks(X))


def _means(X) -> np.ndarray:
    total = np.zeros(X.shape[1])
    if issparse(X):
        for values, columns in _stored(X):
            total += np.bincount(columns, values, X.shape[1])
    else:
        for part in cached_chunks(X):
            total += dense(X[part]).sum(axis=0, dtype=np.float64)
    return total / X.shape[0]


def _stored(X) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield stored values of a CSR matrix as float64, and their columns, in parts."""
    for part in slices(X.nnz, _STORED):
        yield X.data[part].astype(np.float64), X.indices[part]
