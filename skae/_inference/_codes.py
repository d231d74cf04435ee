"""Codes as users see them: uncorrelated, sorted, signed like PCA's, and drawn anew."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from .._state import stored

_NEGLIGIBLE = 1e-6
"""Codes with a smaller fraction of the largest deviation count as constant."""


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
    def of(cls, codes: np.ndarray, rows: np.ndarray) -> CodeStatistics:
        """Return the sums over rows, given with their codes."""
        codes = codes.astype(np.float64)
        return cls(
            len(codes),
            codes.sum(axis=0),
            rows.sum(axis=0),
            codes.T @ codes,
            codes.T @ rows,
            float(np.vdot(rows, rows)),
        )

    def merged(self, other: CodeStatistics) -> CodeStatistics:
        """Return the sums over both sets of rows."""
        names = [field.name for field in fields(self)]
        return CodeStatistics(
            *[getattr(self, name) + getattr(other, name) for name in names]
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


@stored("code transform")
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


class Gaussian(NamedTuple):
    """A normal distribution of codes.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
        Mean of the codes.

    covariance : ndarray of shape (n_components, n_components)
        Their covariance.
    """

    mean: np.ndarray
    covariance: np.ndarray

    def sample(self, n_samples: int, random_state: np.random.RandomState) -> np.ndarray:
        """Draw codes."""
        variances, axes = np.linalg.eigh(self.covariance)
        normal = random_state.standard_normal((n_samples, len(self.mean)))
        return self.mean + normal * np.sqrt(np.maximum(variances, 0)) @ axes.T


def draw_from(density: Any, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw codes from a density estimator.

    Parameters
    ----------
    density : object
        An estimator with ``sample``. That of scikit-learn's ``KernelDensity`` takes the
        random state as an argument. ``GaussianMixture`` has it as a parameter.

    n_samples : int
        Number of codes.

    rng : RandomState
        Source of randomness.
    """
    if "random_state" in inspect.signature(density.sample).parameters:
        return density.sample(n_samples, random_state=rng)
    seeded = copy.copy(density).set_params(random_state=rng.randint(2**31))
    drawn = seeded.sample(n_samples)
    # A mixture also returns the mixture component of each code.
    codes = drawn[0] if isinstance(drawn, tuple) else drawn
    return codes[rng.permutation(n_samples)]
