"""PCA of rows in float64, whatever their number and width, and with missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip

from .._data import Moments, Scaling, chunks, dense, variances
from ._model import LinearModel
from ._probabilistic_pca import ProbabilisticPCA, fit_ppca

_EXACT_COST = 2e9
"""Up to so many multiplications, about a second, the rows themselves are decomposed."""

_EXACT_SIZE = 1e7
"""Up to so many values, 80 MB, they are copied for that."""

_TALL = 10
"""From so many rows for each feature on, the covariance is as exact, and faster."""

_WIDE = 4000
"""With more features than this, their covariance is applied but never stored."""

_TOLERANCE = 1e-8
"""Expectation maximisation ends if no missing value moves by more, in deviations."""

_MOST_ITERATIONS, _FEWEST_ITERATIONS, _MOST_COST = 1000, 10, 5e9
"""It also ends after so many iterations, or after about as many multiplications."""


def fit_pca(
    X: Any, scaling: Scaling, n_components: float | None, rng: np.random.RandomState
) -> LinearModel:
    """Return PCA of rows.

    scikit-learn decomposes small data. Of tall and of large data the covariance is
    decomposed, summed chunk by chunk. Rows are centred before they are summed: centring
    the sums would lose digits far from the origin.

    Parameters
    ----------
    X : {array, CSR matrix, DaskRows} of shape (n_rows, n_features)
        The rows.

    scaling : Scaling
        Of the rows.

    n_components : int, float in (0, 1) or None
        Number of components, or the fraction of the variance that they explain at
        least. None stands for all of them.

    rng : RandomState
        Starts an iterative solver.

    Raises
    ------
    ValueError
        If there are thousands of both rows and features, and either all components are
        wanted or a fraction of the variance, for which all of them are needed.
    """
    if hasattr(X, "moments"):
        # Rows of Dask, which one pass has summed up.
        return _of_moments(X.moments, scaling, n_components)

    # Choose a solver by the shape of the rows.
    n_rows, n_features = X.shape
    size = n_rows * n_features
    is_small = size <= _EXACT_SIZE and size * min(X.shape) <= _EXACT_COST
    is_tall = n_rows >= _TALL * n_features
    is_wide = n_features > _WIDE
    is_part = n_components is not None and 1 <= n_components < min(X.shape)
    part = int(n_components) if is_part and n_components is not None else None
    has_few_rows = is_wide and part is None and n_rows <= _WIDE
    if (is_small and not is_tall) or has_few_rows:
        return _exact(dense(X) - scaling.mean, scaling, n_components)
    if part is not None and n_rows < n_features and n_rows <= _WIDE:
        spectrum, axes = _largest_of_few_rows(X, scaling.mean, part)
    elif not is_wide:
        # All of them. Solvers for the largest alone fail where variances differ by 22
        # orders of magnitude.
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
    total = variances(X, scaling.mean).sum() * n_rows / (n_rows - 1)
    return _of(spectrum, axes, float(total), X.shape, scaling, n_components)


def fit_incomplete_pca(
    X: np.ndarray, observed: np.ndarray, n_components: float | None
) -> LinearModel:
    """Return probabilistic PCA of the observed values of rows.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Rows with NaN.

    observed : ndarray of shape (n_rows, n_features), bool
        Which values are observed.

    n_components : int, float in (0, 1) or None
        As in ``fit_pca``.

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

    # Expectation maximisation, for a fraction of the variance with all components
    # first.
    n_rows, k = X.shape[0], min(X.shape)
    limit = k
    if n_components is not None and n_components >= 1:
        k = min(int(n_components), limit)
    model = _by_expectation_maximisation(rows, observed, k)
    if n_components is not None and n_components < 1:
        fractions = model.variances / (model.total or 1.0)
        k = min(_enough(fractions, n_components), limit)
        model = _by_expectation_maximisation(rows, observed, k)

    # The same in the data's units, with PCA's conventions.
    unit = units.scale**2 * n_rows / max(n_rows - 1, 1)
    left = max(model.total - float(model.variances.sum()), 0.0) * unit
    n_left_out = limit - model.n_components
    return LinearModel(
        "probabilistic PCA",
        Scaling(units.mean + units.scale * model.mean, units.scale),
        np.ascontiguousarray(
            svd_flip(None, model.components, u_based_decision=False)[1]
        ),
        model.variances * unit,
        model.variances / (model.total or 1.0),
        left / n_left_out if n_left_out > 0 else 0.0,
        n_rows,
    )


def _by_expectation_maximisation(
    rows: np.ndarray, observed: np.ndarray, k: int
) -> ProbabilisticPCA:
    cost = rows.size * k**2 + len(rows) * k**3
    most = int(np.clip(_MOST_COST / cost, _FEWEST_ITERATIONS, _MOST_ITERATIONS))
    return fit_ppca(rows, observed, k, _TOLERANCE, most)


def _of_moments(
    moments: Moments, scaling: Scaling, n_components: float | None
) -> LinearModel:
    total = float(np.trace(moments.scatter)) / max(moments.count - 1, 1)
    shape = moments.count, len(moments.mean)
    spectrum, axes = np.linalg.eigh(moments.scatter)
    return _of(spectrum, axes, total, shape, scaling, n_components)


def _of(
    spectrum: np.ndarray,
    axes: np.ndarray,
    total: float,
    shape: tuple[int, int],
    scaling: Scaling,
    n_components: float | None,
) -> LinearModel:
    """Return PCA, given ascending eigenvalues, their vectors and the total variance."""
    n_rows = shape[0]
    spectrum = np.maximum(spectrum[::-1], 0) / max(n_rows - 1, 1)
    components = svd_flip(None, axes.T[::-1], u_based_decision=False)[1]
    ratio = spectrum / total if total > 0 else np.zeros_like(spectrum)
    k = min(_enough(ratio, n_components), *shape)
    n_left_out = min(shape) - k
    noise = max(total - spectrum[:k].sum(), 0.0) / n_left_out if n_left_out else 0.0
    # In C order, as after unpickling: the last bits of products depend on it.
    components = np.ascontiguousarray(components[:k])
    return LinearModel(
        "PCA", scaling, components, spectrum[:k], ratio[:k], float(noise), n_rows
    )


def _exact(
    centred: np.ndarray, scaling: Scaling, n_components: float | None
) -> LinearModel:
    pca = PCA(n_components, svd_solver="full")
    # One row has no variance and constant rows no total to divide by.
    with np.errstate(invalid="ignore", divide="ignore"):
        pca.fit(centred)
    return of_fitted_pca(pca, scaling, len(centred))


def of_fitted_pca(pca: Any, scaling: Scaling, n_rows: int) -> LinearModel:
    """Return what scikit-learn's PCA of some rows, or IncrementalPCA, found."""
    return LinearModel(
        "PCA",
        scaling,
        pca.components_,
        np.nan_to_num(pca.explained_variance_),
        np.nan_to_num(pca.explained_variance_ratio_),
        float(np.nan_to_num(pca.noise_variance_)),
        n_rows,
    )


def _enough(ratio: np.ndarray, n_components: float | None) -> int:
    """Return the number of axes asked for, by scikit-learn's rule for a fraction."""
    if n_components is None:
        return len(ratio)
    if n_components < 1:
        return int(np.searchsorted(np.cumsum(ratio), n_components, side="right")) + 1
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
