"""PCA, measured by scikit-learn: the start of training and what it must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from ._scaling import Scaling

_EXACT_COST = 2e9
"""Multiplications up to which the exact decomposition is taken, about a second."""


@dataclass(frozen=True)
class PrincipalAxes:
    """What PCA finds in the training rows.

    Parameters
    ----------
    components : ndarray of shape (n_components, n_features), float64
        Orthonormal axes, scikit-learn's signs.

    explained_variance, explained_variance_ratio : ndarray of shape (n_components,)
        Variance along each axis, and its share of the total.
    """

    components: np.ndarray
    explained_variance: np.ndarray
    explained_variance_ratio: np.ndarray

    @classmethod
    def fit(
        cls,
        X: np.ndarray,
        scaling: Scaling,
        n_components: float | None,
        rng: np.random.RandomState,
    ) -> PrincipalAxes:
        """Decompose the rows of ``X``, in float64 whatever their dtype.

        The rows are centred first: scikit-learn's covariance solver centres the
        covariance instead, which far from the origin leaves little of it.
        """
        n_samples, n_features = X.shape
        cost = n_samples * n_features * min(X.shape)
        pca = PCA(
            n_components,
            svd_solver="full" if cost <= _EXACT_COST else "auto",
            random_state=rng,
        )
        # One row has no variance and constant rows no total to divide by.
        with np.errstate(invalid="ignore", divide="ignore"):
            pca.fit(X - scaling.mean)
        components = pca.components_
        variance = np.nan_to_num(pca.explained_variance_)
        ratio = np.nan_to_num(pca.explained_variance_ratio_)
        return cls(components, variance, ratio)

    @property
    def n_components(self) -> int:
        """Number of axes."""
        return len(self.components)
