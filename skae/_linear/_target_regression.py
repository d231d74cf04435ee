"""Ridge regression of targets on rows, in the basis of the rows' principal axes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh, svd

from .._data import Scaling, chunk_rows, dense, is_rounding, slices

_ALPHA = 1e-6
"""Smallest penalty, for rows of total variance one."""

_TALL = 10
"""From so many labelled rows for each axis on, a larger penalty gains nothing."""

_N_ALPHAS = 60
"""Number of penalties that cross-validation compares."""

_INFLATION = 1.4
"""So much a degree of freedom costs in cross-validation."""

_LEAST_SHARE = 1e-12
"""Directions with a smaller share of the largest variance hold rounding errors."""


def total_deviation(scaling: Scaling) -> float:
    """Return the root of the total variance of the rows."""
    return scaling.scale * float(np.sqrt(len(scaling.mean)))


@dataclass(frozen=True)
class Targets:
    """The targets of the labelled rows, centred and with a total variance of one.

    Parameters
    ----------
    values : ndarray of shape (n_labelled, n_targets), float64
        Scaled targets. Constant targets are zero.

    index : ndarray of shape (n_labelled,), int
        Which rows have labels.

    mean : ndarray of shape (n_targets,)
        Mean of the targets.

    scale : float
        Root of their total variance, 0 if they are constant.
    """

    values: np.ndarray
    index: np.ndarray
    mean: np.ndarray
    scale: float

    @classmethod
    def of(cls, Y: np.ndarray, labelled: np.ndarray | None) -> Targets:
        """Scale the targets of labelled rows."""
        index = np.arange(len(Y)) if labelled is None else np.flatnonzero(labelled)
        mean = Y[index].mean(axis=0)
        values = Y[index] - mean
        scale = float(np.sqrt(np.square(values).sum() / len(index)))
        if is_rounding(scale, mean):
            return cls(np.zeros_like(values), index, mean, 0.0)
        return cls(values / scale, index, mean, scale)


@dataclass(frozen=True)
class LabelledSums:
    """What the regression needs to know of the labelled rows.

    Rows are coordinates in principal axes, of total variance one over all rows. Targets
    have a total variance of one.

    Parameters
    ----------
    count : int
        Number of labelled rows.

    row_mean : ndarray of shape (n_axes,)
        Mean coordinates of the labelled rows.

    spectrum, rotation : ndarray of shape (rank,) and (n_axes, rank) or None
        Eigenvalues and eigenvectors of their scatter matrix. None stands for the axes
        themselves.

    products : ndarray of shape (rank, n_targets)
        Sums of the products of rotated coordinates with targets.

    target_square : float
        Sum of the squares of the targets.

    target_mean : ndarray of shape (n_targets,)
        Mean of the targets in their own units.

    target_scale : float
        Root of their total variance, 0 if they are constant.
    """

    count: int
    row_mean: np.ndarray
    spectrum: np.ndarray
    rotation: np.ndarray | None
    products: np.ndarray
    target_square: float
    target_mean: np.ndarray
    target_scale: float

    @classmethod
    def of_rows(
        cls,
        X,
        targets: Targets,
        scaling: Scaling,
        axes: np.ndarray,
        squares: np.ndarray,
    ) -> LabelledSums:
        """Sum over the labelled rows.

        Parameters
        ----------
        X : {ndarray, memory map, CSR matrix} of shape (n_samples, n_features)
            All rows.

        targets : Targets
            Of the labelled rows.

        scaling : Scaling
            Of all rows.

        axes : ndarray of shape (n_axes, n_features)
            Orthonormal axes.

        squares : ndarray of shape (n_axes,)
            Sums of the squared coordinates of all rows, of total variance one.
        """
        return cls(
            len(targets.index),
            *_sums_of_rows(X, targets, scaling, axes, squares),
            float(np.square(targets.values).sum()),
            targets.mean,
            targets.scale,
        )

    def with_rank(self) -> LabelledSums:
        """Return the sums with zeros for directions that hold rounding errors."""
        largest = self.spectrum.max(initial=0.0)
        spectrum = self.spectrum * (self.spectrum > _LEAST_SHARE * largest)
        products = self.products * (spectrum > 0)[:, None]
        return replace(self, spectrum=spectrum, products=products)


@dataclass(frozen=True)
class TargetRegression:
    """The regression of targets on the coordinates of rows in their principal axes.

    Parameters
    ----------
    coefficients : ndarray of shape (n_axes, n_targets), float64
        From coordinates to targets.

    alpha : float
        Ridge penalty.

    sums : LabelledSums
        Of the rows that it was fitted to.
    """

    coefficients: np.ndarray
    alpha: float
    sums: LabelledSums

    @classmethod
    def fit(cls, sums: LabelledSums, alpha: float | None) -> TargetRegression:
        """Fit the regression. None chooses the ridge penalty ``alpha``."""
        # Directions without variance have no coefficients.
        sums = sums.with_rank()
        if alpha is None:
            alpha = _chosen_alpha(sums)
        coefficients = sums.products / (sums.spectrum + alpha)[:, None]
        if sums.rotation is not None:
            coefficients = sums.rotation @ coefficients
        return cls(coefficients, alpha, sums)

    def imputed_products(self, squares: np.ndarray) -> np.ndarray:
        """Return the products of all rows with their targets.

        Rows without labels have predicted targets. By the normal equation of ridge
        regression the others' residuals add ``alpha`` times the coefficients.
        """
        return (squares + self.alpha)[:, None] * self.coefficients

    @property
    def at_mean(self) -> np.ndarray:
        """The targets predicted at the mean of all rows, in their own units."""
        sums = self.sums
        return sums.target_mean - sums.target_scale * (
            sums.row_mean @ self.coefficients
        )

    def unexplained(self, other: np.ndarray) -> float:
        """Return the share of the targets' variance that other coefficients leave.

        Their intercept is that of this regression.
        """
        sums = self.sums
        if not sums.target_scale:
            return 0.0
        ahead = sums.row_mean @ (self.coefficients - other)
        mine = self.coefficients
        if sums.rotation is not None:
            mine, other = sums.rotation.T @ mine, sums.rotation.T @ other
        products = (sums.spectrum + self.alpha)[:, None] * mine
        explained = 2 * products - sums.spectrum[:, None] * other
        share = np.vdot(other, explained) / sums.count - ahead @ ahead
        return max(1 - float(share), 0.0)


def _sums_of_rows(
    X, targets: Targets, scaling: Scaling, axes: np.ndarray, squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Return mean, spectrum and rotation, and rotated products with the targets."""
    n_axes, n_labelled = len(squares), len(targets.index)
    parts = list(slices(n_labelled, chunk_rows(X.shape[1])))
    unit = total_deviation(scaling)
    chunks = ((dense(X[targets.index[p]]) - scaling.mean) / unit for p in parts)
    values = [targets.values[part] for part in parts]
    if n_labelled == X.shape[0] or not n_axes:
        total = sum(rows.T @ y for rows, y in zip(chunks, values, strict=True))
        return np.zeros(n_axes), squares, None, axes @ total
    if n_labelled <= n_axes:
        few = np.concatenate([rows @ axes.T for rows in chunks])
        row_mean = few.mean(axis=0)
        left, singular, right = svd(few - row_mean, full_matrices=False)
        products = singular[:, None] * (left.T @ targets.values)
        return row_mean, singular**2, right.T, products
    row_mean = np.zeros(n_axes)
    scatter = np.zeros((n_axes, n_axes))
    products = np.zeros((n_axes, targets.values.shape[1]))
    for rows, y in zip(chunks, values, strict=True):
        coordinates = rows @ axes.T
        row_mean += coordinates.sum(axis=0) / n_labelled
        scatter += coordinates.T @ coordinates
        products += coordinates.T @ y
    # Little is lost here, as the mean of all rows was subtracted before.
    scatter -= n_labelled * np.outer(row_mean, row_mean)
    spectrum, rotation = eigh(scatter)
    return row_mean, spectrum, rotation, rotation.T @ products


def _chosen_alpha(sums: LabelledSums) -> float:
    """Return the least penalty if there are many rows, else a cross-validated one.

    With few rows least squares learns the targets by heart. Generalised
    cross-validation (Golub, Heath & Wahba 1979) follows from the same eigenvalues. With
    very few rows it still fits too closely, so degrees of freedom count 1.4 times (Kim
    & Gu 2004).
    """
    n_free = sums.count - 1
    if n_free >= _TALL * len(sums.row_mean):
        return _ALPHA
    inside = sums.spectrum > 0
    spectrum = sums.spectrum[inside]
    fitted = np.square(sums.products[inside]).sum(axis=1) / spectrum
    outside = max(sums.target_square - fitted.sum(), 0.0)
    largest = 10 * spectrum.max(initial=_ALPHA)
    alphas = np.geomspace(_ALPHA, largest, _N_ALPHAS)[:, None]
    kept = alphas / (spectrum + alphas)
    errors = outside + kept**2 @ fitted
    free = n_free - _INFLATION * (1 - kept).sum(axis=1)
    # With one labelled row no penalty has a score. The largest predicts the mean.
    scores = np.full(_N_ALPHAS, np.inf)
    np.divide(errors, np.square(free), out=scores, where=free > 0)
    return float(alphas[::-1][scores[::-1].argmin(), 0])
