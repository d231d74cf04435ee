"""Sums over rows and targets that come in batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from .._data import Moments, Scaling, chunks, dense, is_rounding
from ._principal_axes import PrincipalAxes
from ._target_regression import LabelledSums, total_deviation


@dataclass(frozen=True)
class RunningSums:
    """All that principal covariates regression needs to know of the rows so far.

    The sums of two batches are merged by the formulas of Chan, Golub & LeVeque (1979).
    They are sums of deviations from means, so no digits are lost far from the origin.

    Parameters
    ----------
    rows, labelled : Moments
        Of all rows, and of those with a label. The same object if all have one.

    products : ndarray of shape (n_features, n_targets), float64
        Sum of the products of labelled rows and their targets, both less their means.

    target_mean : ndarray of shape (n_targets,), float64
        Mean of the targets. For indicators these are the shares of the classes.

    target_square : float
        Sum of the squared deviations of the targets from it.
    """

    rows: Moments
    labelled: Moments
    products: np.ndarray
    target_mean: np.ndarray
    target_square: float

    @classmethod
    def zero(cls, n_features: int, n_targets: int) -> RunningSums:
        """Return the sums over no rows."""
        rows = Moments.zero(n_features)
        products = np.zeros((n_features, n_targets))
        return cls(rows, rows, products, np.zeros(n_targets), 0.0)

    def with_rows(self, X, Y: np.ndarray, labelled: np.ndarray) -> RunningSums:
        """Return the sums with more rows.

        Parameters
        ----------
        X : {ndarray, memory map, CSR matrix} of shape (n_samples, n_features)
            The rows.

        Y : ndarray of shape (n_samples, n_targets), float64
            Their targets. Rows without labels may hold anything.

        labelled : ndarray of shape (n_samples,), bool
            Which rows have labels.
        """
        sums = self
        for chunk in chunks(X):
            rows = dense(X[chunk]).astype(np.float64, copy=False)
            known = labelled[chunk]
            sums = sums._merged(_sums_of(rows, Y[chunk][known], known))
        return sums

    def _merged(self, other: RunningSums) -> RunningSums:
        rows = self.rows.merged(other.rows)
        all_known = self.labelled is self.rows and other.labelled is other.rows
        labelled = rows if all_known else self.labelled.merged(other.labelled)
        if not other.labelled.count:
            return RunningSums(
                rows, labelled, self.products, self.target_mean, self.target_square
            )
        ahead = other.labelled.mean - self.labelled.mean
        target_ahead = other.target_mean - self.target_mean
        share = other.labelled.count / labelled.count
        # Zero where these are the first labelled rows.
        target_between = target_ahead * (self.labelled.count * share)
        return RunningSums(
            rows,
            labelled,
            self.products + other.products + np.outer(ahead, target_between),
            self.target_mean + target_ahead * share,
            self.target_square
            + other.target_square
            + float(target_ahead @ target_between),
        )

    @property
    def scaling(self) -> Scaling:
        """Mean and scale of all rows."""
        return Scaling.of_moments(self.rows)

    @property
    def deviation(self) -> float:
        """Root of the mean variance of all rows."""
        return self.rows.deviation

    @property
    def axes(self) -> PrincipalAxes:
        """All principal axes of all rows."""
        scatter = self.rows.scatter
        if is_rounding(self.deviation, self.rows.mean):
            scatter = np.zeros_like(scatter)
        return PrincipalAxes.of_scatter(scatter, self.rows.count)

    def labelled_in(self, axes: np.ndarray, squares: np.ndarray) -> LabelledSums:
        """Return the sums over labelled rows in coordinates of principal axes.

        Parameters
        ----------
        axes : ndarray of shape (n_axes, n_features)
            Orthonormal axes.

        squares : ndarray of shape (n_axes,)
            Sums of the squared coordinates of all rows, of total variance one.
        """
        count, unit = self.labelled.count, total_deviation(self.scaling)
        scale = float(np.sqrt(self.target_square / max(count, 1)))
        if is_rounding(scale, self.target_mean):
            scale = 0.0
        products = axes @ self.products / (unit * (scale or 1.0))
        row_mean, spectrum, rotation = np.zeros(len(axes)), squares, None
        if count < self.rows.count and len(axes):
            row_mean = axes @ (self.labelled.mean - self.rows.mean) / unit
            scatter = axes @ self.labelled.scatter @ axes.T
            spectrum, rotation = eigh(scatter / unit**2)
            spectrum = np.maximum(spectrum, 0)
            products = rotation.T @ products
        return LabelledSums(
            count,
            row_mean,
            spectrum,
            rotation,
            products * bool(scale),
            float(count) * bool(scale),
            self.target_mean,
            scale,
        )


def _sums_of(rows: np.ndarray, Y: np.ndarray, labelled: np.ndarray) -> RunningSums:
    """Return the sums over one chunk, given the targets of its labelled rows."""
    moments = Moments.of(rows)
    if labelled.all():
        of_labelled = moments
    else:
        rows = rows[labelled]
        of_labelled = Moments.of(rows)
    mean = Y.mean(axis=0) if len(Y) else np.zeros(Y.shape[1])
    centred = Y - mean
    return RunningSums(
        moments,
        of_labelled,
        (rows - of_labelled.mean).T @ centred,
        mean,
        float(np.square(centred).sum()),
    )
