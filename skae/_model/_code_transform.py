"""Codes as users see them: uncorrelated, sorted by variance, with PCA's signs."""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass, fields

import numpy as np

_NEGLIGIBLE = 1e-6
"""A code counts as constant if its deviation is at most this share of the largest."""


@dataclass(frozen=True)
class CodeStatistics:
    """Sums over rows, from which variances and signs of their codes follow.

    Parameters
    ----------
    count : int
        Number of rows.

    codes, rows : ndarray of shape (n_components,) and (n_features,), float64
        Sums of the codes and of the rows.

    squares : ndarray of shape (n_components, n_components), float64
        Sum of the products of codes with codes.

    products : ndarray of shape (n_components, n_features), float64
        Sum of the products of codes with rows.

    row_squares : float
        Sum of the squares of all values of the rows.
    """

    count: int
    codes: np.ndarray
    rows: np.ndarray
    squares: np.ndarray
    products: np.ndarray
    row_squares: float

    @classmethod
    def zero(cls, n_components: int, n_features: int) -> CodeStatistics:
        """Return the sums over no rows."""
        k, d = n_components, n_features
        return cls(0, np.zeros(k), np.zeros(d), np.zeros((k, k)), np.zeros((k, d)), 0.0)

    def with_rows(self, codes: np.ndarray, rows: np.ndarray) -> CodeStatistics:
        """Return the sums with more rows, given with their codes."""
        codes = codes.astype(np.float64)
        return CodeStatistics(
            self.count + len(codes),
            self.codes + codes.sum(axis=0),
            self.rows + rows.sum(axis=0),
            self.squares + codes.T @ codes,
            self.products + codes.T @ rows,
            self.row_squares + float(np.vdot(rows, rows)),
        )

    def merged(self, other: CodeStatistics) -> CodeStatistics:
        """Return the sums over both sets of rows."""
        pairs = (
            (getattr(self, one.name), getattr(other, one.name)) for one in fields(self)
        )
        return CodeStatistics(*itertools.starmap(operator.add, pairs))

    @property
    def mean(self) -> np.ndarray:
        """Mean of the codes."""
        return self.codes / self.count

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the codes, (n_components, n_components)."""
        scatter = self.squares - np.outer(self.codes, self.mean)
        return scatter / max(self.count - 1, 1)

    @property
    def row_scatter(self) -> float:
        """Sum of the squared distances of the rows from their mean."""
        return self.row_squares - float(self.rows @ self.rows) / self.count

    def mapped(self, transform: CodeTransform) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and covariance of the codes as users see them."""
        matrix = transform.matrix.astype(np.float64)
        return (
            self.mean - transform.offset
        ) @ matrix, matrix.T @ self.covariance @ matrix

    @property
    def covariance_with_rows(self) -> np.ndarray:
        """Covariance of codes with rows, up to a factor."""
        return self.products - np.outer(self.mean, self.rows)


@dataclass(frozen=True)
class CodeTransform:
    """An invertible affine map from the network's codes to the codes users see.

    Codes are ``(network_codes - offset) @ matrix``, network codes are
    ``codes @ inverse + offset``.

    Parameters
    ----------
    offset : ndarray of shape (n_components,), float32
        Mean of the network's codes over the training rows, or zero.

    matrix, inverse : ndarray of shape (n_components, n_components), float32
        Rotation, sign and scale.
    """

    offset: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray

    @classmethod
    def identity(cls, n_components: int, scale: float) -> CodeTransform:
        """Return the map that keeps the network's own codes, in the data's units."""
        eye = np.eye(n_components, dtype=np.float32)
        return cls(np.zeros(n_components, np.float32), eye * scale, eye / scale)

    @classmethod
    def canonical(
        cls,
        statistics: CodeStatistics,
        scale: float,
        *,
        rotate: bool,
        whiten: bool,
    ) -> tuple[CodeTransform, np.ndarray]:
        """Return the map to codes that are sorted and, if rotated, uncorrelated.

        Parameters
        ----------
        statistics : CodeStatistics
            Of the network's codes and the training rows. The sign of a code is chosen
            so that its largest covariance with a feature is positive. For PCA's codes
            this is scikit-learn's sign.

        scale : float
            One unit of the network in the data's units.

        rotate : bool
            Whether codes may be rotated. Codes that a penalty made sparse, or that come
            from a nonlinear layer of the user's, are only sorted.

        whiten : bool
            Whether to bring every code to variance one.

        Returns
        -------
        transform : CodeTransform

        variances : ndarray of shape (n_components,), float64
            Non-increasing variances of the codes, before whitening, in the data's
            squared units.
        """
        covariance = statistics.covariance
        if rotate:
            variances, axes = np.linalg.eigh(covariance)
            order = np.arange(len(variances))[::-1]
        else:
            variances = np.diag(covariance)
            axes = np.eye(len(variances))
            order = np.argsort(-variances, kind="stable")
        variances = np.maximum(variances[order], 0)
        axes = axes[:, order]
        if rotate:
            with_rows = axes.T @ statistics.covariance_with_rows
            strongest = np.abs(with_rows).argmax(axis=1)
            picked = with_rows[np.arange(len(strongest)), strongest]
            axes = axes * np.where(picked < 0, -1.0, 1.0)
        mean = statistics.mean if rotate else np.zeros(len(variances))
        units = np.full(len(variances), scale)
        if whiten:
            deviations = np.sqrt(variances)
            constant = deviations <= _NEGLIGIBLE * deviations.max(initial=0)
            units = 1 / np.where(constant, 1.0, deviations)
        transform = cls(
            mean.astype(np.float32),
            (axes * units).astype(np.float32),
            (axes / units).T.astype(np.float32),
        )
        return transform, variances * scale**2
