"""Canonical codes: uncorrelated, sorted by variance, with a deterministic sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_NEGLIGIBLE = 1e-6
"""Share of the largest code's deviation under which a code counts as constant."""


@dataclass(frozen=True)
class Moments:
    """Sums over rows, from which their codes' variances and signs follow.

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
    def zero(cls, n_components: int, n_features: int) -> Moments:
        """Return the sums over no rows."""
        k, d = n_components, n_features
        return cls(0, np.zeros(k), np.zeros(d), np.zeros((k, k)), np.zeros((k, d)), 0.0)

    def with_rows(self, codes: np.ndarray, rows: np.ndarray) -> Moments:
        """Return the sums with more rows, given with their codes."""
        codes = codes.astype(np.float64)
        return Moments(
            self.count + len(codes),
            self.codes + codes.sum(axis=0),
            self.rows + rows.sum(axis=0),
            self.squares + codes.T @ codes,
            self.products + codes.T @ rows,
            self.row_squares + float(np.vdot(rows, rows)),
        )

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

    def mapped(self, basis: Basis) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and covariance of the codes that users see."""
        matrix = basis.matrix.astype(np.float64)
        return (self.mean - basis.offset) @ matrix, matrix.T @ self.covariance @ matrix

    @property
    def covariance_with_rows(self) -> np.ndarray:
        """Covariance, but for a factor, of codes with rows."""
        return self.products - np.outer(self.mean, self.rows)


@dataclass(frozen=True)
class Basis:
    """An invertible affine map from the network's codes to those that users see.

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
    def identity(cls, n_components: int, scale: float) -> Basis:
        """Keep the network's own codes, in the data's units."""
        eye = np.eye(n_components, dtype=np.float32)
        return cls(np.zeros(n_components, np.float32), eye * scale, eye / scale)

    @classmethod
    def canonical(
        cls,
        moments: Moments,
        scale: float,
        *,
        rotate: bool,
        whiten: bool,
    ) -> tuple[Basis, np.ndarray]:
        """Find the basis in which the codes are sorted and, rotated, uncorrelated.

        Parameters
        ----------
        moments : Moments
            Of the network's codes and the training rows. A code's sign is such that
            the feature it covaries with most, it covaries with positively. On PCA's
            codes that is scikit-learn's sign.

        scale : float
            One unit of the network in the data's units.

        rotate : bool
            Whether a rotation is free: codes that a penalty made sparse, or that end
            in a nonlinear layer of the user's, are only put in order.

        whiten : bool
            Whether to bring every code to variance one.

        Returns
        -------
        basis : Basis

        variances : ndarray of shape (n_components,), float64
            Non-increasing variances of the codes, before whitening, in the data's
            squared units.
        """
        covariance = moments.covariance
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
            with_rows = axes.T @ moments.covariance_with_rows
            strongest = np.abs(with_rows).argmax(axis=1)
            picked = with_rows[np.arange(len(strongest)), strongest]
            axes = axes * np.where(picked < 0, -1.0, 1.0)
        mean = moments.mean if rotate else np.zeros(len(variances))
        units = np.full(len(variances), scale)
        if whiten:
            deviations = np.sqrt(variances)
            constant = deviations <= _NEGLIGIBLE * deviations.max(initial=0)
            units = 1 / np.where(constant, 1.0, deviations)
        basis = cls(
            mean.astype(np.float32),
            (axes * units).astype(np.float32),
            (axes / units).T.astype(np.float32),
        )
        return basis, variances * scale**2
