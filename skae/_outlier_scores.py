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

from ._data import chunks, dense, groups_of_copies, merged_groups, numbered
from ._linear import LinearModel
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
_FEW_GROUPS = 50
_HELD_OUT = 0.2
"""With more rows than the first, in more groups than the second, this fraction is
enough to choose and to find a threshold."""

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
        cls,
        codes: np.ndarray,
        bandwidth: float,
        variance: float,
        seed: int,
        moments: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> CodeDensity:
        """Fit the density to codes, with their mean and covariance if none are given.

        The variance in each direction is at least a rounding error of ``variance``.
        """
        mean, covariance = moments or (codes.mean(axis=0), np.cov(codes.T))
        values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
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

    moments : tuple of ndarray, or None
        Mean and covariance of the codes, where they are not those of these codes: these
        know nothing of how far values that were filled in may differ.
    """

    autoencoder: Any
    codes: np.ndarray
    unit: float
    noise: float
    moments: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(cls, autoencoder: Any, X: Any) -> EncodedRows:
        """Encode rows by a fitted autoencoder of them."""
        X, observed = autoencoder._complete(X)
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
        moments = None
        model = autoencoder._model
        if observed is not None and isinstance(model, LinearModel):
            # The model was fitted by expectation maximisation, which knows them.
            variances = np.asarray(model.explained_variance, dtype=np.float64)
            moments = np.zeros(len(variances)), np.diag(variances)
            noise = model.noise_variance
        elif observed is not None:
            # Values that were filled in have the smaller residuals.
            noise /= observed.mean()
        noise = max(noise, _ROUNDING * variance)
        return cls(autoencoder, stacked, unit, noise, moments)

    def density(self, bandwidth: float, seed: int) -> RowDensity:
        """Fit a density with this bandwidth."""
        codes = CodeDensity.fit(self.codes, bandwidth, self.unit, seed, self.moments)
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
        """Yield complete rows, some at a time if they are many."""
        n_features = X.shape[1]
        if _is_variational(autoencoder):
            bounds = autoencoder.score_samples(X)
            yield cls(
                np.ascontiguousarray(autoencoder.transform(X)), n_features, bounds
            )
            return
        for code, _, residual in _parts(autoencoder, X):
            yield cls(code, n_features, np.square(residual).sum(axis=1))


class Precision(NamedTuple):
    """The inverse covariance of rows, as that of their codes and of what is beside.

    Parameters
    ----------
    directions : ndarray of shape (n_components, n_features)
        Orthonormal directions of the codes.

    codes : ndarray of shape (n_components, n_components)
        Inverse covariance along these.

    beside : float
        Inverse variance in all other directions.
    """

    directions: np.ndarray
    codes: np.ndarray
    beside: float

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return the rows and columns that belong to some features."""
        some = self.directions[:, features]
        others = np.eye(len(features)) - some.T @ some
        # Rounding must not make the rest negative.
        np.fill_diagonal(others, np.maximum(np.diag(others), 0))
        return self.beside * others + some.T @ self.codes @ some


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
        """Return the logarithm of the density of observed values, in nats."""
        filled, observed = self.autoencoder._complete(X)
        found = self.of(NewRows.of(self.autoencoder, filled))
        if observed is None:
            return found
        # At their most probable values, what is missing has its largest density.
        return found - self._log_density_of_missing(observed)

    def expected_log_density(self, X: Any) -> tuple[np.ndarray, Any]:
        """Return the log-density that rows are expected to have when complete.

        So rows with missing values compare with complete rows. Each missing value costs
        half a nat, the mean of its squared standard normal deviation. The second result
        are the rows with the most probable values in place of missing ones.
        """
        filled, observed = self.autoencoder._complete(X)
        found = self.of(NewRows.of(self.autoencoder, filled))
        if observed is not None:
            found -= 0.5 * (~observed).sum(axis=1)
        return found, filled

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

    def contributions(self, X: Any, groups: list[np.ndarray]) -> np.ndarray:
        """Return how much each group of features makes a row improbable.

        A group counts by how much the row's squared distance falls if its features take
        their most probable values, and the others keep theirs.
        """
        precision, (X, _) = self._precision(), self.autoencoder._complete(X)
        directions, weight = precision.directions, precision.beside
        parts = [precision.of(features) for features in groups]
        found = []
        for code, _, residual in _parts(self.autoencoder, X):
            gradients = self.codes.pull(code) @ directions + weight * residual
            falls = np.stack(
                [
                    _falls(gradients[:, f], p)
                    for f, p in zip(groups, parts, strict=True)
                ],
                axis=1,
            )
            total = falls.sum(axis=1, keepdims=True)
            even = np.full_like(falls, 1 / falls.shape[1])
            found.append(np.divide(falls, total, out=even, where=total > 0))
        return np.concatenate(found)

    def _precision(self) -> Precision:
        """Return the inverse covariance of rows."""
        left, _, right = np.linalg.svd(
            self.autoencoder.components_.astype(np.float64), full_matrices=False
        )
        directions = left @ right
        is_complete = directions.shape[0] == directions.shape[1]
        beside = 0.0 if is_complete else 1 / self.noise
        return Precision(directions, self.codes.precision(), beside)

    def _log_density_of_missing(self, observed: np.ndarray) -> np.ndarray:
        """Return the largest log-density of missing values, given the others."""
        found, precision = np.zeros(len(observed)), self._precision()
        patterns, which = np.unique(observed, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            missing = np.flatnonzero(~pattern)
            if len(missing):
                log_determinant = np.linalg.slogdet(precision.of(missing))[1]
                largest = 0.5 * (log_determinant - len(missing) * LOG_2_PI)
                found[which.reshape(-1) == number] = largest
        return found


@dataclass(frozen=True)
class HeldOutFits:
    """Autoencoders that were each fitted without some of the rows.

    Parameters
    ----------
    parts : list of tuple
        For each autoencoder the rows that train it, and those that are held out.

    autoencoders : list
        Fitted.

    order : ndarray of int
        Puts the held-out rows, one part after another, into the order of all rows.

    groups : ndarray of int
        Number of each held-out row's group, in that order.

    seed : int
        Chooses the centres of kernels.
    """

    parts: list
    autoencoders: list
    order: np.ndarray
    groups: np.ndarray
    seed: int

    @classmethod
    def fit(
        cls,
        data: Any,
        autoencoder: Callable[[], Any],
        seed: int,
        groups: np.ndarray,
        X_val: Any = None,
    ) -> HeldOutFits:
        """Hold out ``X_val``, or a fifth of the groups, or each third in turn.

        The held-out rows also choose the best epoch of a network, unless values are
        missing.
        """
        if X_val is None:
            splits = list(_splits(groups, seed))
            parts = [(data[train], data[held_out]) for train, held_out in splits]
            groups_of_parts = [groups[train] for train, _ in splits]
            held_out = np.concatenate([held_out for _, held_out in splits])
            order = np.argsort(held_out)
            members = groups[held_out[order]]
        else:
            parts, groups_of_parts = [(data, X_val)], [groups]
            order = members = np.arange(X_val.shape[0])
        autoencoders = []
        for (rows, others), groups_of_rows in zip(parts, groups_of_parts, strict=True):
            one, beside = autoencoder(), {}
            if one.early_stopping and _is_complete(rows) and _is_complete(others):
                beside = {"X_val": others}
            elif one.early_stopping:
                beside = {"groups": groups_of_rows}
            autoencoders.append(one.fit(rows, **beside))
        return cls(parts, autoencoders, order, members, seed)

    def final(
        self, data: Any, autoencoder: Callable[[], Any], groups: np.ndarray
    ) -> Any:
        """Return the autoencoder of all rows.

        A network that most of many rows have trained is as good, and is taken as it is.
        """
        only = self.autoencoders[0]
        trains_all = self.parts[0][0] is data
        if len(self.parts) == 1 and (trains_all or only.selected_model_ == "network"):
            return only
        return autoencoder().fit(data, groups=groups)

    def bandwidth(self, bandwidth: float | str) -> float:
        """Return the bandwidth. If it is "auto", held-out rows choose it.

        A smaller one has to be significantly better than 1.
        """
        if bandwidth != "auto":
            return float(bandwidth)
        encoded = [
            (
                EncodedRows.of(one, train),
                list(NewRows.of(one, one._complete(held_out)[0])),
            )
            for one, (train, held_out) in zip(
                self.autoencoders, self.parts, strict=True
            )
        ]
        sizes = np.bincount(self.groups)

        def scores(bandwidth: float) -> np.ndarray:
            found = [
                train.density(bandwidth, self.seed).of(held_out)
                for train, held_out in encoded
            ]
            ordered = np.concatenate(found)[self.order]
            # Rows of a group depend on each other, and count as one.
            return (np.bincount(self.groups, ordered)[sizes > 0]) / sizes[sizes > 0]

        chosen, best = 1.0, scores(1.0)
        for candidate in _BANDWIDTHS:
            found = scores(candidate)
            if is_gain(found - best):
                chosen, best = candidate, found
        return chosen

    def held_out_scores(self, fit: Callable[[Any, Any], Callable]) -> np.ndarray:
        """Return scores of held-out rows, in the order of all rows.

        Parameters
        ----------
        fit : callable
            Called with an autoencoder and the rows that trained it. It returns what
            scores rows.
        """
        found = [
            fit(one, train)(held_out)
            for one, (train, held_out) in zip(
                self.autoencoders, self.parts, strict=True
            )
        ]
        return np.concatenate(found)[self.order]


def _splits(groups: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield row numbers that train, and those that are held out.

    Of many rows in many groups a fifth of the groups is held out, otherwise each third
    of them in turn.
    """
    n_groups = int(groups.max()) + 1
    if _is_folded(len(groups), n_groups):
        splitter = KFold(_N_FOLDS, shuffle=True, random_state=seed)
    else:
        splitter = ShuffleSplit(1, test_size=_HELD_OUT, random_state=seed)
    members = np.split(
        np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1]
    )
    for parts in splitter.split(np.empty((n_groups, 1))):
        # Rows keep the order in which their groups are drawn.
        train, held_out = (
            np.concatenate([members[group] for group in part]) for part in parts
        )
        yield train, held_out


def _is_folded(n_rows: int, n_groups: int) -> bool:
    return n_rows <= _MOST_FOLDED or n_groups < _FEW_GROUPS


def _is_complete(X: Any) -> bool:
    return hasattr(X, "indptr") or not np.isnan(X).any()


def dependent_rows(owner: str, data: Any, groups: Any) -> np.ndarray:
    """Return the number of each row's group. Equal rows are in one group.

    Raises
    ------
    ValueError
        If there are too few groups to hold some out.
    """
    copies = groups_of_copies(data)
    if groups is None:
        # Rows that are all alike are held out from each other nevertheless.
        return copies if copies.max() + 1 >= _N_FOLDS else np.arange(len(copies))
    merged = merged_groups(copies, numbered(groups))
    n_groups = int(merged.max()) + 1
    if n_groups < _N_FOLDS:
        raise ValueError(
            f"{owner} holds out a third of the groups in turn, so groups must divide "
            f"the rows into at least {_N_FOLDS}. Got {n_groups}, where equal rows are "
            "in one group. Make more groups, for example parts of time, or give X_val."
        )
    return merged


def check_can_hold_out(
    owner: str, n_rows: int, autoencoder: Any, is_given: bool
) -> None:
    """Raise ``ValueError`` if rows cannot be held out while the others train.

    Parameters
    ----------
    owner : str
        Name of the estimator, for the message.

    n_rows : int
        Number of training rows.

    autoencoder : estimator
        Not fitted.

    is_given : bool
        Whether the held-out rows are others.
    """
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
    fraction = 1 / _N_FOLDS if n_rows <= _MOST_FOLDED else _HELD_OUT
    n_training = n_rows if is_given else n_rows - int(np.ceil(fraction * n_rows))
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


def _falls(gradients: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return by how much squared distances fall at the best values of features."""
    if len(precision) == 1:
        return np.square(gradients[:, 0]) / precision[0, 0]
    solved = np.linalg.lstsq(precision, gradients.T, rcond=None)[0]
    return np.einsum("fn,nf->n", solved, gradients)


def _white(codes: np.ndarray, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return codes with mean zero and unit covariance."""
    return solve_triangular(root, (codes - mean).T, lower=True).T
