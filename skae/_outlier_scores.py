"""The outlier score: the density of codes and residuals, and who chooses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from sklearn.model_selection import KFold, ShuffleSplit

from ._data import chunks, dense
from ._state import stored
from ._training import is_gain
from ._variational import VariationalAutoencoderTransformer

_N_SAMPLES = 10
_SAMPLE_ROWS = 128
"""Random samples, and rows in each. A few outliers are in few samples, if in any."""

_ROUNDING = 1e-12
"""Least variance in a direction: a rounding error, as a fraction of a given one."""

_N_FOLDS = 3
_FEWEST_ROWS = 2 * _N_FOLDS

_MOST_FOLDED = 1000
_HELD_OUT = 0.2
"""With more rows this fraction is enough to choose and to find a threshold."""

_BANDWIDTHS = 0.85, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12
"""To try beside 1."""

LOG_2_PI = float(np.log(2 * np.pi))


@stored("code density")
@dataclass(frozen=True)
class CodeDensity:
    """A density of codes, whose covariance is the covariance of the codes.

    With a bandwidth of 1 it is one normal distribution. With less, each code of a
    random sample of the rows is the centre of a kernel. A kernel is a normal
    distribution, with the covariance of the codes times the squared bandwidth. Its
    centre is moved towards the mean, so that the whole has the covariance of the codes
    again (West 1993). The logarithm of the density is the mean over several samples.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
        Of the codes.

    root : ndarray of shape (n_components, n_components)
        Lower Cholesky factor of their covariance.

    bandwidth : float
        More than 0, at most 1.

    samples : list of ndarray of shape (n_sample_rows, n_components)
        Centres of the kernels, with unit covariance. None if the bandwidth is 1.
    """

    mean: np.ndarray
    root: np.ndarray
    bandwidth: float
    samples: list[np.ndarray]

    @classmethod
    def fit(
        cls, codes: np.ndarray, bandwidth: float, variance: float, seed: int
    ) -> CodeDensity:
        """Fit the density to codes.

        The variance in each direction is at least a rounding error of ``variance``.
        """
        mean = codes.mean(axis=0)
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(codes.T)))
        values = np.maximum(values, _ROUNDING * variance)
        root = np.linalg.cholesky((vectors * values) @ vectors.T)
        if bandwidth == 1:
            return cls(mean, root, 1.0, [])
        centres = np.sqrt(1 - bandwidth**2) * _white(codes, mean, root)
        rng = np.random.RandomState(seed)
        n_samples = _N_SAMPLES if len(codes) > _SAMPLE_ROWS else 1
        rows = [rng.permutation(len(codes))[:_SAMPLE_ROWS] for _ in range(n_samples)]
        return cls(mean, root, float(bandwidth), [centres[some] for some in rows])

    def normal(self) -> CodeDensity:
        """Return one normal distribution with the same mean and covariance."""
        return CodeDensity(self.mean, self.root, 1.0, [])

    def log_density(self, codes: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density, in nats."""
        white = _white(codes, self.mean, self.root)
        n_components = white.shape[1]
        constant = 0.5 * n_components * (LOG_2_PI + 2 * np.log(self.bandwidth))
        constant += np.log(np.diag(self.root)).sum()
        if not self.samples:
            return -0.5 * np.square(white).sum(axis=1) - constant
        found = [
            logsumexp(self._log_kernels(white, centres), axis=1) - np.log(len(centres))
            for centres in self.samples
        ]
        return np.mean(found, axis=0) - constant

    def pull(self, codes: np.ndarray) -> np.ndarray:
        """Return the gradient of minus the logarithm of the density."""
        white = _white(codes, self.mean, self.root)
        nearby = np.zeros_like(white)
        for centres in self.samples:
            parts = self._log_kernels(white, centres)
            weights = np.exp(parts - logsumexp(parts, axis=1, keepdims=True))
            nearby += weights @ centres / len(self.samples)
        deviations = (white - nearby) / self.bandwidth**2
        return solve_triangular(self.root, deviations.T, lower=True, trans=1).T

    def precision(self) -> np.ndarray:
        """Return the inverse of the covariance of one kernel."""
        inverse = solve_triangular(self.root, np.eye(len(self.root)), lower=True)
        return inverse.T @ inverse / self.bandwidth**2

    def _log_kernels(self, white: np.ndarray, centres: np.ndarray) -> np.ndarray:
        """Return the logarithm of each kernel, without its constant factor."""
        distances = np.square(white).sum(axis=1)[:, None] - 2 * white @ centres.T
        distances += np.square(centres).sum(axis=1)
        return -0.5 / self.bandwidth**2 * distances


@dataclass(frozen=True)
class EncodedRows:
    """What the density of rows needs of the rows that it is fitted to.

    Parameters
    ----------
    autoencoder : estimator
        Fitted.

    codes : ndarray of shape (n_samples, n_components)
        Of the rows.

    unit : float
        Variance of a feature, in the units of the codes.

    noise : float
        Variance of the residuals in each direction that the codes leave out.
    """

    autoencoder: Any
    codes: np.ndarray
    unit: float
    noise: float

    @classmethod
    def of(cls, autoencoder: Any, X: Any) -> EncodedRows:
        """Encode rows by a fitted autoencoder of them."""
        codes, residuals, scatter = [], 0.0, 0.0
        for code, row, residual in _parts(autoencoder, X):
            codes.append(code)
            residuals += np.square(residual).sum()
            scatter += np.square(row - autoencoder.mean_).sum()
        stacked = np.concatenate(codes)
        n_rows, n_features = X.shape
        n_left_out = max(min(n_rows, n_features) - stacked.shape[1], 1)
        variance = scatter / (n_rows - 1) / n_features
        variance = variance if variance > 0 else 1.0
        noise = residuals / (n_rows - 1) / n_left_out
        # Codes of a variational autoencoder are in the units of the prior.
        unit = 1.0 if _is_variational(autoencoder) else variance
        return cls(autoencoder, stacked, unit, max(noise, _ROUNDING * variance))

    def density(self, bandwidth: float, seed: int) -> RowDensity:
        """Fit a density with this bandwidth."""
        codes = CodeDensity.fit(self.codes, bandwidth, self.unit, seed)
        return RowDensity(self.autoencoder, codes, self.noise)


class NewRows(NamedTuple):
    """What the density of rows needs of rows that it is asked about.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Of the rows.

    n_features : int
        Of the rows.

    distances : ndarray of shape (n_samples,)
        Squared length of each residual, or the lower bound of a variational
        autoencoder.
    """

    codes: np.ndarray
    n_features: int
    distances: np.ndarray

    @classmethod
    def of(cls, autoencoder: Any, X: Any) -> Iterator[NewRows]:
        """Yield rows, some at a time if they are many."""
        n_features = X.shape[1]
        if _is_variational(autoencoder):
            bounds = autoencoder.score_samples(X)
            yield cls(
                np.ascontiguousarray(autoencoder.transform(X)), n_features, bounds
            )
            return
        for code, _, residual in _parts(autoencoder, X):
            yield cls(code, n_features, np.square(residual).sum(axis=1))


@stored("row density")
@dataclass(frozen=True)
class RowDensity:
    """The density of a row's code times that of its residual.

    Parameters
    ----------
    autoencoder : estimator
        Fitted.

    codes : CodeDensity
        Of the codes.

    noise : float
        Variance of the residuals in each direction that the codes leave out.
    """

    autoencoder: Any
    codes: CodeDensity
    noise: float

    @property
    def code_units(self) -> Any:
        """By what whitening divided each code. 1 without whitening."""
        return _code_units(self.autoencoder)

    def log_density(self, X: Any) -> np.ndarray:
        """Return the logarithm of the density of rows, in nats."""
        return self.of(NewRows.of(self.autoencoder, X))

    def of(self, rows: Iterable[NewRows]) -> np.ndarray:
        """Return the logarithm of the density of rows that are encoded, in nats."""
        is_variational = _is_variational(self.autoencoder)
        term = self._bound if is_variational else self._log_density
        return np.concatenate([term(*some) for some in rows])

    def _log_density(self, codes, n_features, distances) -> np.ndarray:
        density = self.codes.log_density(codes)
        n_free = n_features - len(self.codes.mean)
        if n_free > 0:
            constant = n_free * (LOG_2_PI + np.log(self.noise))
            density -= 0.5 * (distances / self.noise + constant)
        return density

    def _bound(self, codes, n_features, bounds) -> np.ndarray:
        """Return the bound of a variational autoencoder.

        The density of the codes takes the place of the normal prior.
        """
        prior = self.codes.normal().log_density(codes)
        return bounds + self.codes.log_density(codes) - prior

    def contributions(self, X: Any) -> np.ndarray:
        """Return how much each feature contributes to what makes a row improbable.

        A feature counts by how much the row's squared distance falls if the feature
        takes its most probable value, and the others keep theirs.
        """
        left, _, right = np.linalg.svd(
            self.autoencoder.components_.astype(np.float64), full_matrices=False
        )
        directions = left @ right
        left_out = np.maximum(1 - np.square(directions).sum(axis=0), 0)
        is_complete = directions.shape[0] == directions.shape[1]
        weight = 0.0 if is_complete else 1 / self.noise
        diagonal = weight * left_out + np.einsum(
            "ij,if,jf->f", self.codes.precision(), directions, directions
        )
        found = []
        for code, _, residual in _parts(self.autoencoder, X):
            gradients = self.codes.pull(code) @ directions + weight * residual
            falls = np.square(gradients) / diagonal
            total = falls.sum(axis=1, keepdims=True)
            even = np.full_like(falls, 1 / falls.shape[1])
            found.append(np.divide(falls, total, out=even, where=total > 0))
        return np.concatenate(found)


@dataclass(frozen=True)
class HeldOutFits:
    """Autoencoders that were each fitted without some of the rows.

    Parameters
    ----------
    data : {array, CSR matrix} of shape (n_samples, n_features)
        All rows.

    splits : list of tuple
        For each autoencoder the rows that train and those that are held out.

    autoencoders : list
        Fitted.

    seed : int
        Chooses the centres of kernels.
    """

    data: Any
    splits: list
    autoencoders: list
    seed: int

    @classmethod
    def fit(cls, data: Any, autoencoder: Callable[[], Any], seed: int) -> HeldOutFits:
        """Hold out a fifth of the rows, or with few rows each third in turn.

        The held-out rows also choose the best epoch of a network.
        """
        if data.shape[0] > _MOST_FOLDED:
            splitter = ShuffleSplit(1, test_size=_HELD_OUT, random_state=seed)
        else:
            splitter = KFold(_N_FOLDS, shuffle=True, random_state=seed)
        splits = list(splitter.split(np.empty((data.shape[0], 1))))
        autoencoders = []
        for training, held_out in splits:
            one = autoencoder()
            X_val = data[held_out] if one.early_stopping else None
            autoencoders.append(one.fit(data[training], X_val=X_val))
        return cls(data, splits, autoencoders, seed)

    def final(self, autoencoder: Callable[[], Any]) -> Any:
        """Return the autoencoder of all rows.

        A network that most of many rows have trained is as good, and is taken as it is.
        """
        if len(self.splits) == 1 and self.autoencoders[0].selected_model_ == "network":
            return self.autoencoders[0]
        return autoencoder().fit(self.data)

    def chosen(self, bandwidth: float | str) -> tuple[float, np.ndarray]:
        """Return the bandwidth and the log-likelihood of each row, in their order.

        If it is "auto", a smaller bandwidth has to be significantly better.
        """
        encoded = [
            (
                EncodedRows.of(one, self.data[training]),
                list(NewRows.of(one, self.data[held_out])),
            )
            for one, (training, held_out) in zip(
                self.autoencoders, self.splits, strict=True
            )
        ]
        order = np.argsort(np.concatenate([held_out for _, held_out in self.splits]))

        def scores(bandwidth: float) -> np.ndarray:
            found = [
                training.density(bandwidth, self.seed).of(held_out)
                for training, held_out in encoded
            ]
            return np.concatenate(found)[order]

        if bandwidth != "auto":
            return float(bandwidth), scores(float(bandwidth))
        chosen, best = 1.0, scores(1.0)
        for candidate in _BANDWIDTHS:
            found = scores(candidate)
            if is_gain(found - best):
                chosen, best = candidate, found
        return chosen, best


def check_can_hold_out(owner: str, n_rows: int, autoencoder: Any) -> None:
    """Raise ``ValueError`` if rows cannot be held out while the others train."""
    if n_rows < _FEWEST_ROWS:
        raise ValueError(
            f"{owner} needs at least {_FEWEST_ROWS} rows, because it holds out a third "
            f"of them. Got n_samples={n_rows}."
        )
    weight = getattr(autoencoder, "target_weight", 0)
    if weight:
        raise ValueError(
            f"{owner} needs an estimator with target_weight=0, because it has no "
            f"labels. Got target_weight={weight}."
        )
    fraction = _HELD_OUT if n_rows > _MOST_FOLDED else 1 / _N_FOLDS
    n_training = n_rows - int(np.ceil(fraction * n_rows))
    n_components = autoencoder.n_components
    if isinstance(n_components, Integral) and int(n_components) > n_training:
        raise ValueError(
            f"n_components={n_components} of the estimator must be at most "
            f"{n_training}, the number of rows that train while others are held out. "
            f"Got n_samples={n_rows}."
        )


def _is_variational(autoencoder: Any) -> bool:
    return isinstance(autoencoder, VariationalAutoencoderTransformer)


def _parts(autoencoder: Any, X: Any):
    """Yield codes, rows and residuals, some rows at a time, in float64.

    Codes are in the units of the rows, also where the autoencoder whitens them.
    Whitening would hide which codes are rounding errors.
    """
    units = _code_units(autoencoder)
    for some in chunks(X):
        rows = np.asarray(dense(X[some]), dtype=np.float64)
        codes = np.ascontiguousarray(autoencoder.transform(rows))
        yield codes * units, rows, rows - autoencoder.inverse_transform(codes)


def _code_units(autoencoder: Any) -> Any:
    """Return by what whitening divided each code. 1 without whitening."""
    if not getattr(autoencoder, "whiten", False):
        return 1.0
    model = autoencoder._model
    deviations = getattr(model, "deviations", None)
    if deviations is None:
        deviations = np.sqrt(model.explained_variance)
    return np.where(deviations > 0, deviations, 1.0)


def _white(codes: np.ndarray, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return codes with mean zero and unit covariance."""
    return solve_triangular(root, (codes - mean).T, lower=True).T
