"""PCA of rows in memory, in float64, whatever their number and width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip

from .._data import Collection, Scaling, chunks, dense, variances

_EXACT_COST = 2e9
"""Up to so many multiplications, about a second, the rows themselves are decomposed."""

_EXACT_SIZE = 1e7
"""Up to so many values, 80 MB, they are copied for that."""

_TALL = 10
"""From so many rows for each feature on, the covariance is as exact, and faster."""

_WIDE = 4000
"""With more features than this, their covariance is applied but never stored."""


@dataclass(frozen=True)
class PrincipalAxes:
    """The principal axes of the training rows.

    Parameters
    ----------
    components : ndarray of shape (n_components, n_features), float64
        Orthonormal axes, scikit-learn's signs.

    explained_variance, explained_variance_ratio : ndarray of shape (n_components,)
        Variance along each axis, and its share of the total.

    noise_variance : float
        Mean variance along the axes left out, of as many as rows or features have.
    """

    components: np.ndarray
    explained_variance: np.ndarray
    explained_variance_ratio: np.ndarray
    noise_variance: float

    @property
    def unexplained(self) -> float:
        """Share of the variance that is off the axes."""
        return max(1 - float(self.explained_variance_ratio.sum()), 0.0)

    @property
    def unexplained_variance(self) -> float:
        """Variance off the axes, in the data's squared units."""
        share = float(self.explained_variance_ratio.sum())
        explained = float(self.explained_variance.sum())
        return max(explained / share - explained, 0.0) if share > 0 else 0.0

    @classmethod
    def fit(
        cls,
        X,
        scaling: Scaling,
        n_components: float | None,
        rng: np.random.RandomState,
    ) -> PrincipalAxes:
        """Decompose the rows of ``X``, in float64 whatever their dtype.

        scikit-learn decomposes small data. Of tall and of large data the covariance is
        decomposed, summed chunk by chunk. Rows are centred before they are summed:
        centring the sums would lose digits far from the origin.

        Raises
        ------
        ValueError
            If there are thousands of both rows and features, and either all axes are
            wanted or a share of the variance, for which all axes are needed.
        """
        if isinstance(X, Collection):
            moments = X.summary.moments
            return cls.of_scatter(moments.scatter, moments.count, n_components)
        n_samples, n_features = X.shape
        size = n_samples * n_features
        is_small = size <= _EXACT_SIZE and size * min(X.shape) <= _EXACT_COST
        is_tall = n_samples >= _TALL * n_features
        is_wide = n_features > _WIDE
        part = _part(n_components, min(X.shape))
        has_few_rows = is_wide and part is None and n_samples <= _WIDE
        if (is_small and not is_tall) or has_few_rows:
            return cls._exact(dense(X) - scaling.mean, n_components)
        if part is not None and n_samples < n_features and n_samples <= _WIDE:
            spectrum, axes = _largest_of_few_rows(X, scaling.mean, part)
        elif not is_wide:
            # All of them. Solvers for the largest alone fail where variances differ by
            # 22 orders of magnitude.
            spectrum, axes = np.linalg.eigh(_scatter(X, scaling.mean))
        elif part is not None:
            operator = _scatter_operator(X, scaling.mean)
            start = rng.uniform(-1, 1, size=n_features)
            spectrum, axes = eigsh(operator, part, v0=start)
        else:
            raise ValueError(
                f"n_components={n_components} must be an integer below {min(X.shape)} "
                f"for data of shape {X.shape}: not all of their principal components "
                "can be computed."
            )
        total = variances(X, scaling.mean).sum() * n_samples / (n_samples - 1)
        return cls._of(spectrum, axes, float(total), X.shape, n_components)

    @classmethod
    def of_scatter(
        cls, scatter: np.ndarray, n_samples: int, n_components: float | None = None
    ) -> PrincipalAxes:
        """Return axes of rows, given the scatter matrix about their mean."""
        total = float(np.trace(scatter)) / max(n_samples - 1, 1)
        shape = n_samples, len(scatter)
        return cls._of(*np.linalg.eigh(scatter), total, shape, n_components)

    @classmethod
    def _of(
        cls,
        spectrum: np.ndarray,
        axes: np.ndarray,
        total: float,
        shape: tuple[int, int],
        n_components: float | None,
    ) -> PrincipalAxes:
        """Return the axes of ascending eigenvalues and the total variance."""
        n_samples = shape[0]
        spectrum = np.maximum(spectrum[::-1], 0) / max(n_samples - 1, 1)
        components = svd_flip(None, axes.T[::-1], u_based_decision=False)[1]
        ratio = spectrum / total if total > 0 else np.zeros_like(spectrum)
        k = min(_enough(ratio, n_components), *shape)
        n_left_out = min(shape) - k
        noise = max(total - spectrum[:k].sum(), 0.0) / n_left_out if n_left_out else 0.0
        # In C order, as after unpickling: the last bits of products depend on it.
        components = np.ascontiguousarray(components[:k])
        return cls(components, spectrum[:k], ratio[:k], float(noise))

    @classmethod
    def _exact(cls, centred: np.ndarray, n_components) -> PrincipalAxes:
        pca = PCA(n_components, svd_solver="full")
        # One row has no variance and constant rows no total to divide by.
        with np.errstate(invalid="ignore", divide="ignore"):
            pca.fit(centred)
        variance = np.nan_to_num(pca.explained_variance_)
        ratio = np.nan_to_num(pca.explained_variance_ratio_)
        noise = float(np.nan_to_num(pca.noise_variance_))
        return cls(pca.components_, variance, ratio, noise)

    @property
    def n_components(self) -> int:
        """Number of axes."""
        return len(self.components)


def _enough(ratio: np.ndarray, n_components: float | None) -> int:
    """Return the number of axes asked for, by scikit-learn's rule for a share."""
    if n_components is None:
        return len(ratio)
    if n_components < 1:
        return int(np.searchsorted(np.cumsum(ratio), n_components, side="right")) + 1
    return int(n_components)


def _part(n_components: float | None, limit: int) -> int | None:
    """Return the number of axes, or None where all of them are needed."""
    if n_components is None or not 1 <= n_components < limit:
        return None
    return int(n_components)


def _largest_of_few_rows(X, mean: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest eigenvalues of the scatter matrix, ascending, and their axes.

    The matrix of products between rows, (n_samples, n_samples), has the same nonzero
    eigenvalues. The axes are its eigenvectors times the rows.
    """
    n_samples = X.shape[0]
    products = np.empty((n_samples, n_samples))
    parts = list(chunks(X))
    for number, part in enumerate(parts):
        rows = dense(X[part]) - mean
        for other in parts[: number + 1]:
            products[part, other] = rows @ (dense(X[other]) - mean).T
            products[other, part] = products[part, other].T
    largest = [n_samples - k, n_samples - 1]
    spectrum, vectors = eigh(products, subset_by_index=largest)
    axes = sum((dense(X[part]) - mean).T @ vectors[part] for part in parts)
    # Orthonormal axes also where all variance is rounding error.
    return spectrum, np.linalg.qr(axes[:, ::-1])[0][:, ::-1]


def _scatter(X, mean: np.ndarray) -> np.ndarray:
    """Return the scatter matrix of the rows, (n_features, n_features)."""
    total = np.zeros((X.shape[1], X.shape[1]))
    for chunk in chunks(X):
        rows = dense(X[chunk]) - mean
        total += rows.T @ rows
    return total


def _scatter_operator(X, mean: np.ndarray) -> LinearOperator:
    """Return the same as an operator, for data too wide to store the matrix."""
    if issparse(X):
        rows = X.astype(np.float64, copy=False)

        def apply(vector):
            scores = rows @ vector - mean @ vector
            return rows.T @ scores - mean * scores.sum()
    else:

        def apply(vector):
            total = np.zeros_like(mean)
            for chunk in chunks(X):
                rows = dense(X[chunk]) - mean
                total += rows.T @ (rows @ vector)
            return total

    return LinearOperator((X.shape[1], X.shape[1]), matvec=apply, dtype=np.float64)
