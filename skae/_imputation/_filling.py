"""Rows with missing values on their way through an autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils.extmath import svd_flip

from .._data import Batch, Scaling
from .._linear import PrincipalAxes, ProbabilisticPCA, fitted
from ._holes import with_further_holes

_TOLERANCE = 1e-8
"""Expectation maximisation ends if no missing value moves by more, in deviations."""

_MOST_ITERATIONS, _FEWEST_ITERATIONS, _MOST_COST = 1000, 10, 5e9
"""It also ends after so many iterations, or after about as many multiplications."""

_MOST_COPIES, _MOST_VALUES = 5, 10_000_000
"""Each row gets other holes in each copy. Of large data there are two copies."""


@dataclass(frozen=True)
class Filling:
    """Fill in the missing values of rows by their conditional means.

    Parameters
    ----------
    scaling : Scaling
        Between the data's units and those of the model.

    model : ProbabilisticPCA
        A model of scaled rows, whose mean is zero.

    n_rows : int
        Number of rows that it was fitted to.
    """

    scaling: Scaling
    model: ProbabilisticPCA
    n_rows: int

    @classmethod
    def fit(
        cls, X: np.ndarray, observed: np.ndarray, n_components: float | None
    ) -> Filling:
        """Fit probabilistic PCA to the observed values.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows with NaN.

        observed : ndarray of shape (n_samples, n_features), bool
            Which values are observed.

        n_components : int, float in (0, 1) or None
            Number of components, or the share of the variance that they explain at
            least. None stands for as many as PCA has.

        Raises
        ------
        ValueError
            If a feature has no observed value.
        """
        empty = np.flatnonzero(~observed.any(axis=0))
        if len(empty):
            raise ValueError(
                f"Input X contains nothing but NaN in the features {empty.tolist()}. "
                "Leave them out, or fill them in by "
                "skae.impute.AutoencoderImputer(keep_empty_features=True)."
            )
        # Rows without an observed value say nothing.
        with_values = observed.any(axis=1)
        X, observed = X[with_values], observed[with_values]
        units = Scaling.of_observed(X, observed)
        rows = np.where(observed, (X - units.mean) / units.scale, 0)
        limit = min(X.shape)
        if n_components is not None and n_components >= 1:
            k = min(int(n_components), limit)
        else:
            k = limit
        model = _fitted(rows, observed, k)
        if n_components is not None and n_components < 1:
            shares = np.cumsum(model.variances) / (model.total or 1.0)
            k = min(int(np.searchsorted(shares, n_components, side="right")) + 1, limit)
            model = _fitted(rows, observed, k)
        mean = units.mean + units.scale * model.mean
        axes = svd_flip(None, model.components, u_based_decision=False)[1]
        model = replace(model, mean=np.zeros(len(mean)), components=axes)
        return cls(Scaling(mean, units.scale), model, len(X))

    @property
    def axes(self) -> PrincipalAxes:
        """The principal axes of the model, with PCA's variances."""
        unit = self.scaling.scale**2 * self.n_rows / max(self.n_rows - 1, 1)
        model, d = self.model, len(self.model.mean)
        variances = model.variances * unit
        left = max(model.total - float(model.variances.sum()), 0.0) * unit
        n_left_out = min(self.n_rows, d) - model.n_components
        return PrincipalAxes(
            np.ascontiguousarray(model.components),
            variances,
            model.variances / (model.total or 1.0),
            left / n_left_out if n_left_out > 0 else 0.0,
        )

    def filled(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return complete rows, in the dtype of ``X``."""
        holed = ~observed.all(axis=1)
        complete = X.copy()
        complete[holed] = self._conditional_means(X[holed], observed[holed])
        return complete

    def copies(
        self, X: np.ndarray, observed: np.ndarray, rng: np.random.RandomState
    ) -> tuple[Batch, int]:
        """Return copies of rows with further holes, and how many there are of each row.

        The first copy has the holes of the data only. A network sees filled rows. It
        should return the observed values, those that only became missing included.
        """
        n_copies = int(np.clip(_MOST_VALUES // X.size, 2, _MOST_COPIES))
        patterns = [observed]
        patterns += [with_further_holes(observed, rng) for _ in range(n_copies - 1)]
        inputs = [self.filled(X, shown) for shown in patterns]
        target = np.tile(inputs[0], (n_copies, 1))
        mask = np.tile(observed, (n_copies, 1))
        return Batch(np.concatenate(inputs), target, None, mask), n_copies

    def _conditional_means(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray:
        rows = np.where(observed, (X - self.scaling.mean) / self.scaling.scale, 0)
        means = self.scaling.invert(self.model.imputed(rows, observed))
        return np.where(observed, X, means.astype(X.dtype))


@dataclass(frozen=True)
class Spread:
    """What PCA of complete rows knows beside its axes. It fills in other rows.

    Parameters
    ----------
    variances : ndarray of shape (n_components,)
        Variance along each axis. Divided by n_samples.

    noise : float
        Mean variance along the other axes.

    total : float
        Variance summed over all features.

    scale : float
        Unit of the model.

    n_rows : int
        Number of rows that PCA was fitted to.
    """

    variances: np.ndarray
    noise: float
    total: float
    scale: float
    n_rows: int

    @classmethod
    def of(cls, axes: PrincipalAxes, own: Scaling, n_rows: int) -> Spread:
        """Return what the axes of rows know, which have their own mean and scale."""
        # Variances of PCA are divided by n_samples - 1.
        unit = max(n_rows - 1, 1) / n_rows
        variances = axes.explained_variance * unit
        left = axes.unexplained_variance * unit
        n_left_out = len(own.mean) - axes.n_components
        noise = left / n_left_out if n_left_out else 0.0
        total = float(variances.sum() + left)
        return cls(variances, noise, total, own.scale, n_rows)

    def filling(self, mean: np.ndarray, components: np.ndarray) -> Filling:
        """Return the probabilistic PCA that PCA is, given its mean and axes."""
        unit = self.scale**2
        model = ProbabilisticPCA(
            np.zeros(len(mean)),
            components.astype(np.float64),
            self.variances / unit,
            self.noise / unit,
            self.total / unit,
        )
        return Filling(Scaling(mean.astype(np.float64), self.scale), model, self.n_rows)


def filling_of(
    estimator: Any, known: Filling | Spread | None, axes: np.ndarray | None
) -> Filling:
    """Return what fills in rows, given what ``fit`` stored and PCA's axes.

    Raises
    ------
    ValueError
        If the estimator knows no PCA.
    """
    if isinstance(known, Spread) and axes is not None:
        return known.filling(estimator.mean_, axes)
    if isinstance(known, Filling):
        return known
    raise ValueError(
        f"Input X contains NaN, but this {type(estimator).__name__} knows no PCA to "
        "fill it in. Fit with missing values, or with skip_connections and without "
        "corruption, by fit and not by partial_fit, or use "
        "skae.impute.AutoencoderImputer."
    )


def _fitted(rows: np.ndarray, observed: np.ndarray, k: int) -> ProbabilisticPCA:
    cost = rows.size * k**2 + len(rows) * k**3
    most = int(np.clip(_MOST_COST / cost, _FEWEST_ITERATIONS, _MOST_ITERATIONS))
    return fitted(rows, observed, k, _TOLERANCE, most)
