"""Principal covariates regression: linear codes of rows that also predict targets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh, svd
from sklearn.utils.extmath import svd_flip

from .._data import Scaling, chunk_rows, dense, is_rounding, slices
from ._model import LinearModel
from ._pca import fit_pca

_ALL_AXES = 4000
"""With more rows and more features than this, only a few axes can be computed."""

_AXES_SIZE = 10_000_000
"""Axes have at most about so many values, 80 MB."""

_LEADING = 100
"""So many axes more than components are used at least."""

_ALPHA = 1e-6
"""Smallest ridge penalty, for rows of total variance one."""

_TALL = 10
"""From so many labelled rows for each axis on, a larger penalty gains nothing."""

_N_ALPHAS = 60
"""Number of penalties that cross-validation compares."""

_INFLATION = 1.4
"""So much a degree of freedom costs in cross-validation."""

_LEAST_FRACTION = 1e-12
"""Directions with a smaller fraction of the largest variance hold rounding errors."""


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
        Fraction of the rows' variance, and of the targets' variance on labelled rows,
        that the codes leave.

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

    def linear_model(
        self,
        pca: LinearModel,
        head: tuple[np.ndarray, np.ndarray],
    ) -> LinearModel:
        """Return the linear model, beside the PCA of the same rows.

        Its components are not orthonormal. The variance that it leaves is spread evenly
        over as many further directions as rows or features have.

        Parameters
        ----------
        pca : LinearModel
            PCA with as many components.

        head : tuple of ndarray
            Kernel and bias that predict labels from codes in units of the scale.
        """
        n_components, n_features = self.decoder.shape
        variances = self.explained_variance
        explained = (np.square(self.decoder).sum(axis=1) * variances).sum()
        fraction = (1 - self.unexplained) / (explained or 1.0)
        ratio = np.square(self.decoder).sum(axis=1) * variances * fraction
        n_left_out = min(pca.n_rows, n_features) - n_components
        total = explained / ((1 - self.unexplained) or 1.0)
        noise = total * self.unexplained / n_left_out if n_left_out else 0.0
        return replace(
            pca,
            name="principal covariates regression",
            components=self.decoder,
            explained_variance=variances,
            explained_variance_ratio=ratio,
            noise_variance=float(noise),
            projection=self.encoder,
            head=head,
            pca_unexplained=pca.unexplained,
            filler=pca.filler or pca,
        )

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
        # Find the principal axes of the rows, and regress the targets on them.
        n_rows = X.shape[0]
        axes = fit_pca(X, scaling, _n_axes(X.shape, n_components), rng)
        squares, components = _spanned(axes)
        targets = Targets.of(Y, labelled)
        sums = LabelledSums.of_rows(X, targets, scaling, components, squares)
        regression = TargetRegression.fit(sums, alpha)

        # Rows are U S A with orthonormal columns U. Codes are U V L.
        unit, target_scale = total_deviation(scaling), regression.sums.target_scale
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
        variances = np.square(lengths * unit) / max(n_rows - 1, 1)
        return cls(
            np.hstack([components.T @ weights, others.T]),
            np.vstack([decoder, others]),
            np.pad(head * (target_scale / unit), [(0, len(others)), (0, 0)]),
            regression.at_mean,
            np.append(variances, axes.explained_variance[k:n_components]),
            unexplained=max(1 - float(explained) / n_rows, 0.0),
            unexplained_targets=regression.unexplained(weights @ head),
            alpha=regression.alpha,
        )


def _spanned(axes: LinearModel) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes along which rows vary, and the squares along each.

    These are the squares of the singular values of rows with a total variance of one.
    """
    squares = axes.n_rows * axes.explained_variance_ratio
    rank = int((squares > _LEAST_FRACTION * squares.max(initial=0.0)).sum())
    return squares[:rank], axes.components[:rank]


def _n_axes(shape: tuple[int, int], n_components: int) -> int:
    """Return the number of axes to work in: all of them if possible."""
    n_rows, n_features = shape
    leading = n_components + _LEADING
    if min(shape) <= _ALL_AXES:
        leading = max(leading, _AXES_SIZE // n_features)
    # Centred rows have at least one direction less than there are rows.
    return max(min(leading, n_rows - 1, n_features), n_components)


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
        spectrum = self.spectrum * (self.spectrum > _LEAST_FRACTION * largest)
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
        """Return the fraction of the targets' variance that other coefficients leave.

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
        fraction = np.vdot(other, explained) / sums.count - ahead @ ahead
        return max(1 - float(fraction), 0.0)


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


def total_deviation(scaling: Scaling) -> float:
    """Return the root of the total variance of the rows."""
    return scaling.scale * float(np.sqrt(len(scaling.mean)))
