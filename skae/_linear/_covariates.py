"""Principal covariates regression: linear codes of rows that also predict targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from sklearn.utils.extmath import svd_flip

from .._data import Scaling
from ._principal_axes import PrincipalAxes
from ._running_sums import RunningSums
from ._target_regression import (
    LabelledSums,
    TargetRegression,
    Targets,
    total_deviation,
)

_LEAST_SHARE = 1e-12
"""Axes with a smaller share of the largest variance have none but rounding errors."""

_ALL_AXES = 4000
"""With more rows and more features than this, only a few axes can be computed."""

_AXES_SIZE = 10_000_000
"""Axes have at most about so many values, 80 MB."""

_LEADING = 100
"""So many axes more than components are used at least."""


@dataclass(frozen=True)
class PrincipalCovariates:
    r"""The best linear codes for rows and targets, in closed form.

    De Jong & Kiers (1992) and Helfrecht et al. (2020): with centred rows :math:`X` and
    targets :math:`Y`, each of total variance one, the codes :math:`T = X W` minimise

    .. math::
        (1 - w) \lVert X - T P \rVert^2 + w \lVert Y - T Q \rVert^2.

    They are the leading eigenvectors of :math:`(1 - w) X X^T + w \hat Y \hat Y^T`,
    where :math:`\hat Y` is the regression of the targets on the rows. With
    :math:`w = 0` they are PCA's codes. The eigenvalues are the squared norms of the
    codes.

    Parameters
    ----------
    encoder : ndarray of shape (n_features, n_components), float64
        Maps centred rows to codes in the same units. These codes are uncorrelated.

    decoder : ndarray of shape (n_components, n_features), float64
        Maps codes to centred rows. It is the least squares regression on the codes.

    head : ndarray of shape (n_components, n_targets), float64
        Maps codes in the data's units to targets without their mean. For codes that are
        ``scale`` times smaller, it has to be ``scale`` times larger.

    target_mean : ndarray of shape (n_targets,), float64
        The targets predicted at the mean row. If all rows have labels, their mean.

    explained_variance : ndarray of shape (n_components,), float64
        Variance of each code. Not increasing.

    unexplained, unexplained_targets : float
        Share of the rows' variance, and of the targets' variance on labelled rows, that
        the codes leave.

    alpha : float
        Ridge penalty of the regression, for rows of total variance one.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    head: np.ndarray
    target_mean: np.ndarray
    explained_variance: np.ndarray
    unexplained: float
    unexplained_targets: float
    alpha: float

    def as_axes(self, n_samples: int) -> PrincipalAxes:
        """Return the decoder and the variances as PCA's axes have them.

        The axes are not orthonormal. The variance off them is spread evenly over as
        many further axes as rows or features have.
        """
        n_components, n_features = self.decoder.shape
        variances = self.explained_variance
        explained = (np.square(self.decoder).sum(axis=1) * variances).sum()
        share = (1 - self.unexplained) / (explained or 1.0)
        ratio = np.square(self.decoder).sum(axis=1) * variances * share
        n_left_out = min(n_samples, n_features) - n_components
        total = explained / ((1 - self.unexplained) or 1.0)
        noise = total * self.unexplained / n_left_out if n_left_out else 0.0
        return PrincipalAxes(self.decoder, variances, ratio, float(noise))

    @classmethod
    def fit(
        cls,
        X,
        Y: np.ndarray,
        scaling: Scaling,
        n_components: int,
        target_weight: float,
        rng: np.random.RandomState,
        *,
        labelled: np.ndarray | None = None,
        alpha: float | None = None,
    ) -> PrincipalCovariates:
        """Return the codes of all rows of ``X`` that best predict ``Y``, too.

        Rows without labels count as rows with predicted targets: the regression is
        fitted to labelled rows, and all rows are encoded and predicted.

        Everything is computed in the basis of the principal axes. There the covariance
        of the rows is diagonal, and no matrix is larger than their number squared. If
        all axes would be too large, the leading ones stand for all of them.

        Parameters
        ----------
        X : {ndarray, memory map, CSR matrix} of shape (n_samples, n_features)
            Rows.

        Y : ndarray of shape (n_samples, n_targets), float64
            Targets in any units. Rows without labels may hold anything.

        scaling : Scaling
            Of the rows.

        n_components : int
            At most ``min(n_samples, n_features)``.

        target_weight : float in [0, 1)
            Weight of the targets. PCovR's mixing parameter is one minus it.

        rng : RandomState
            Start of the search for leading axes.

        labelled : ndarray of shape (n_samples,), bool, default=None
            Which rows have labels, at least one. None stands for all of them.

        alpha : float, default=None
            Ridge penalty, positive. None stands for 1e-6 from ten labelled rows for
            each feature on. With fewer it is chosen by generalised cross-validation.
        """
        n_samples = X.shape[0]
        n_axes = _n_axes(X.shape, n_components)
        axes = PrincipalAxes.fit(X, scaling, n_axes, rng)
        squares, components = _spanned(axes, n_samples)
        targets = Targets.of(Y, labelled)
        sums = LabelledSums.of_rows(X, targets, scaling, components, squares)
        regression = TargetRegression.fit(sums, alpha)
        return cls._of(
            axes, regression, n_samples, scaling, n_components, target_weight
        )

    @classmethod
    def of_sums(
        cls,
        sums: RunningSums,
        axes: PrincipalAxes,
        n_components: int,
        target_weight: float,
    ) -> PrincipalCovariates:
        """Return the same of rows that were summed, given all ``axes`` of the sums."""
        squares, components = _spanned(axes, sums.rows.count)
        regression = TargetRegression.fit(sums.labelled_in(components, squares), None)
        return cls._of(
            axes,
            regression,
            sums.rows.count,
            sums.scaling,
            n_components,
            target_weight,
        )

    @classmethod
    def _of(
        cls,
        axes: PrincipalAxes,
        regression: TargetRegression,
        n_samples: int,
        scaling: Scaling,
        n_components: int,
        target_weight: float,
    ) -> PrincipalCovariates:
        squares, components = _spanned(axes, n_samples)
        unit, target_scale = total_deviation(scaling), regression.sums.target_scale
        # Rows are U S A with orthonormal columns U. Codes are U V L.
        singular = np.sqrt(squares)
        predicted = singular[:, None] * regression.coefficients
        weight = target_weight if target_scale else 0.0
        k = min(n_components, len(squares))
        lengths, vectors = _leading(squares, predicted, weight, k)
        decoder = ((vectors / lengths).T * singular) @ components
        vectors, decoder = svd_flip(vectors, decoder, u_based_decision=False)
        weights = vectors * lengths / singular[:, None]
        head = weights.T @ regression.imputed_products(squares) / lengths[:, None] ** 2
        explained = np.square(np.linalg.norm(decoder, axis=1) * lengths).sum()

        # Further axes have no variance. PCA has them, too.
        others = axes.components[k:n_components]
        variances = np.square(lengths * unit) / max(n_samples - 1, 1)
        return cls(
            np.hstack([components.T @ weights, others.T]),
            np.vstack([decoder, others]),
            np.pad(head * (target_scale / unit), [(0, len(others)), (0, 0)]),
            regression.at_mean,
            np.append(variances, axes.explained_variance[k:n_components]),
            unexplained=max(1 - float(explained) / n_samples, 0.0),
            unexplained_targets=regression.unexplained(weights @ head),
            alpha=regression.alpha,
        )


def _spanned(axes: PrincipalAxes, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes along which rows vary, and the squares along each.

    These are the squares of the singular values of rows with a total variance of one.
    """
    squares = n_samples * axes.explained_variance_ratio
    rank = int((squares > _LEAST_SHARE * squares.max(initial=0.0)).sum())
    return squares[:rank], axes.components[:rank]


def _n_axes(shape: tuple[int, int], n_components: int) -> int:
    """Return the number of axes to work in: all of them if possible."""
    n_samples, n_features = shape
    leading = n_components + _LEADING
    if min(shape) <= _ALL_AXES:
        leading = max(leading, _AXES_SIZE // n_features)
    # Centred rows have at least one direction less than there are rows.
    return max(min(leading, n_samples - 1, n_features), n_components)


def _leading(
    squares: np.ndarray, predicted: np.ndarray, weight: float, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the roots of the largest eigenvalues and their eigenvectors."""
    rank = len(squares)
    if not weight or not k:
        return np.sqrt(squares[:k]), np.eye(rank, k)
    mixed = weight * (predicted @ predicted.T)
    mixed[np.diag_indices(rank)] += (1 - weight) * squares
    values, vectors = eigh(mixed, subset_by_index=[rank - k, rank - 1])
    # Rounding may leave nothing of small eigenvalues.
    values = np.maximum(values, np.finfo(np.float64).eps * values[-1])
    return np.sqrt(values[::-1]), np.ascontiguousarray(vectors[:, ::-1])
