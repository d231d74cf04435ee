"""Probabilistic PCA of rows with missing values, by expectation maximisation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigh

from .._data import slices
from .._state import stored

_LEAST_NOISE = 1e-8
"""Least variance of the noise, as a fraction of the mean variance. Without noise the
codes of rows with few observed values are not determined."""

_CHUNK = 2**22
"""Values of the arrays that hold something for each row and pair of components."""

_HELD_OUT = 0.1
"""Fraction of the observed values that is held out."""

_MOST_ITERATIONS = 100
_PATIENCE, _DOUBLINGS = 4, 2
"""Iterations or numbers of components, and doublings of this number, without progress
after which to stop."""

_PROGRESS = 1e-4
"""Least relative change of the error that counts."""

_CLEAR_RISE = 0.01
"""A relative rise of the error after which no larger number is better."""

_SIZES = 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100
"""Numbers of components that are tried."""

_ALL_TRIED = 20
"""Up to so many features, all these numbers are tried, and all but one component.
Errors of more features are a smooth function of the number."""

_FIRST_TRIED = 4
"""Of more features this number is tried first. One or two components are rarely best,
and they take the most iterations."""

_WIDE = 128
"""From so many features on only the axes that are kept are computed."""

_FEW_VALUES, _MOST_SPLITS = 100_000, 5
"""Of few values several tenths are held out, one after the other: the error of one
depends on chance. So many values divided by those of the data is their number."""


class Patterns(NamedTuple):
    """The distinct patterns of observed values.

    What depends on the pattern only is computed once for all rows that share it.

    Parameters
    ----------
    observed : ndarray of shape (n_patterns, n_features), bool
        The distinct patterns.

    of_row : ndarray of shape (n_rows,), int
        Number of each row's pattern.

    counts : ndarray of shape (n_patterns,), int
        Number of rows of each pattern.

    n_missing : ndarray of shape (n_patterns,), int
        Number of missing values of each pattern, ascending.
    """

    observed: np.ndarray
    of_row: np.ndarray
    counts: np.ndarray
    n_missing: np.ndarray

    @classmethod
    def of(cls, observed: np.ndarray) -> Patterns:
        """Group the rows of a boolean array."""
        # Eight values fit into a byte, and sorting takes an eighth of the time.
        packed = np.packbits(observed, axis=1)
        _, first, of_row, counts = np.unique(
            packed, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        n_missing = np.sum(~observed[first], axis=1)
        order = np.argsort(n_missing, kind="stable")
        place = np.argsort(order)
        # NumPy 2.0 returned the inverse in two dimensions.
        return cls(
            *(observed[first[order]], place[of_row.ravel()]),
            *(counts[order], n_missing[order]),
        )

    def parts(
        self, limits: Iterable[tuple[int, int, int]]
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield a few patterns at a time, with the numbers of their rows.

        Parameters
        ----------
        limits : iterable of tuple of int
            First pattern, end, and how many at a time.
        """
        order = np.argsort(self.of_row, kind="stable")
        ends = np.append(0, np.cumsum(self.counts))
        for start, stop, size in limits:
            for first in range(start, stop, max(size, 1)):
                part = slice(first, min(first + max(size, 1), stop))
                yield part, order[ends[part.start] : ends[part.stop]]


@stored("probabilistic PCA")
@dataclass(frozen=True)
class ProbabilisticPCA:
    r"""A normal distribution whose covariance is that of a few axes, and noise.

    Tipping & Bishop (1999):

    .. math::
        x = W z + \mu + \sigma \epsilon, \qquad
        W = U (\Lambda - \sigma^2)^{1/2}.

    The values that are missing in a row have the conditional mean :math:`W_m E[z |
    x_o] + \mu_m`, given the observed values :math:`x_o`.

    Parameters
    ----------
    mean : ndarray of shape (n_features,), float64
        :math:`\mu`.

    components : ndarray of shape (n_components, n_features), float64
        Orthonormal axes, the rows of :math:`U^T`.

    variances : ndarray of shape (n_components,), float64
        Variance along each axis, :math:`\Lambda`. Divided by n_samples.

    noise : float
        :math:`\sigma^2`, the mean variance along the other axes.

    total : float
        Variance summed over all features.
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    noise: float
    total: float

    @classmethod
    def of_moments(
        cls, mean: np.ndarray, covariance: np.ndarray, n_components: int
    ) -> ProbabilisticPCA:
        """Return the most likely model of rows, given their mean and covariance."""
        d, k = len(mean), n_components
        if d >= _WIDE and 4 * k <= d:
            # The leading axes alone take less than half the time.
            spectrum, axes = eigh(covariance, subset_by_index=(d - k, d - 1))
        else:
            spectrum, axes = np.linalg.eigh(covariance)
        variances = np.maximum(spectrum[::-1][:k], 0)
        total = float(np.trace(covariance))
        left = max(total - float(variances.sum()), 0.0)
        return cls(
            mean,
            np.ascontiguousarray(axes.T[::-1][:k]),
            variances,
            left / (d - k) if k < d else 0.0,
            total,
        )

    @classmethod
    def start(
        cls, X: np.ndarray, observed: np.ndarray, n_components: int
    ) -> ProbabilisticPCA:
        """Return the model of rows whose missing values are replaced by the mean.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features), float64
            Rows. Values that are not observed are not read.

        observed : ndarray of shape (n_rows, n_features), bool
            Every feature is observed in some row.

        n_components : int
            Number of axes, at most n_features.
        """
        mean = np.where(observed, X, 0).sum(axis=0) / observed.sum(axis=0)
        centred = np.where(observed, X - mean, 0)
        return cls.of_moments(mean, centred.T @ centred / len(X), n_components)

    @property
    def n_components(self) -> int:
        """Number of axes."""
        return len(self.variances)

    @property
    def loadings(self) -> np.ndarray:
        """:math:`W`, of shape (n_features, n_components)."""
        return self.components.T * np.sqrt(
            np.maximum(self.variances - self.positive_noise, 0)
        )

    @property
    def positive_noise(self) -> float:
        """The noise, or a very small number where there is none."""
        least = _LEAST_NOISE * self.total / len(self.mean)
        return max(self.noise, least, float(np.finfo(np.float64).tiny))

    def imputed(
        self, X: np.ndarray, observed: np.ndarray, patterns: Patterns | None = None
    ) -> np.ndarray:
        """Return rows with the conditional means of their missing values.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features), float64
            Rows. Values that are not observed are not read.

        observed : ndarray of shape (n_rows, n_features), bool
            Which values are observed.

        patterns : Patterns or None
            Those of ``observed``, if they are known.
        """
        return self._completed(X, observed, patterns or Patterns.of(observed), None)

    def drawn_errors(
        self, observed: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """Return by how much missing values may differ from their conditional means.

        It is 0 for observed values. The differences have the conditional distribution
        of the missing values, which does not depend on the values that are observed: so
        a row that is drawn and then imputed shows it.
        """
        n_rows, noise = len(observed), np.sqrt(self.positive_noise)
        rows = rng.standard_normal((n_rows, self.n_components)) @ self.loadings.T
        rows += self.mean + noise * rng.standard_normal(observed.shape)
        return rows - self.imputed(rows, observed)

    def stepped(
        self, X: np.ndarray, observed: np.ndarray, patterns: Patterns
    ) -> tuple[np.ndarray, ProbabilisticPCA]:
        """Return complete rows, and the model after a step of expectation maximisation.

        The missing values are what is not known. Their conditional means and
        covariances give the expected covariance of the rows, and its principal axes are
        the next model. Without missing values this is PCA after one step.
        """
        scatter = np.zeros((len(self.mean), len(self.mean)))
        filled = self._completed(X, observed, patterns, scatter)
        mean = filled.mean(axis=0)
        centred = filled - mean
        scatter += centred.T @ centred
        return filled, self.of_moments(mean, scatter / len(X), self.n_components)

    def _completed(
        self,
        X: np.ndarray,
        observed: np.ndarray,
        patterns: Patterns,
        uncertainty: np.ndarray | None,
    ) -> np.ndarray:
        """Return complete rows.

        The conditional covariances of the missing values, summed over the rows, are
        added to ``uncertainty``, if it is given.
        """
        # The conditional covariance of m missing values needs the inverse of a matrix
        # of m by m, or of k by k and a product as large as all features. The limit is
        # where both took the same time, for 25 to 600 features.
        k, d = self.n_components, len(self.mean)
        few = int(np.searchsorted(patterns.n_missing, np.sqrt(k * (k + d) / 2)))
        centred = np.where(observed, X - self.mean, 0)
        filled = np.where(observed, X, self.mean)
        self._by_missing_values(centred, filled, patterns, few, uncertainty)
        self._by_codes(centred, filled, patterns, few, uncertainty)
        return filled

    def _by_missing_values(
        self,
        centred: np.ndarray,
        filled: np.ndarray,
        patterns: Patterns,
        end: int,
        uncertainty: np.ndarray | None,
    ) -> None:
        """Complete the rows of the first patterns, up to ``end``."""
        start, d = int(np.searchsorted(patterns.n_missing, 1)), len(self.mean)
        if start >= end:
            return
        W, noise = self.loadings, self.positive_noise
        # The inverse of the covariance, times the noise.
        inner = W.T @ W + noise * np.identity(self.n_components)
        precision = np.identity(d) - W @ np.linalg.solve(inner, W.T)
        # Patterns of equally many missing values are computed together.
        numbers = np.unique(patterns.n_missing[start:end])
        limits = [
            (*np.searchsorted(patterns.n_missing, (m, m + 1)), _CHUNK // m**2)
            for m in numbers
        ]
        for part, rows in patterns.parts(limits):
            m = int(patterns.n_missing[part.start])
            places = np.nonzero(~patterns.observed[part])[1].reshape(-1, m)
            pairs = places[:, :, None], places[:, None, :]
            covariances = np.linalg.inv(precision[pairs])
            for some in slices(len(rows), max(_CHUNK // m**2, 1)):
                own = patterns.of_row[rows[some]] - part.start
                pulled = np.take_along_axis(
                    centred[rows[some]] @ precision, places[own], axis=1
                )
                moved = np.matmul(covariances[own], pulled[:, :, None])[:, :, 0]
                filled[rows[some, None], places[own]] -= moved
            if uncertainty is None:
                continue
            covariances *= noise * patterns.counts[part, None, None]
            cells = (pairs[0] * d + pairs[1]).ravel()
            sums = np.bincount(cells, covariances.ravel(), d * d)
            uncertainty += sums.reshape(d, d)

    def _by_codes(
        self,
        centred: np.ndarray,
        filled: np.ndarray,
        patterns: Patterns,
        start: int,
        uncertainty: np.ndarray | None,
    ) -> None:
        """Complete the rows of the last patterns, from ``start``."""
        W, noise, k = self.loadings, self.positive_noise, self.n_components
        products = (W[:, :, None] * W[:, None, :]).reshape(-1, k * k)
        missing = ~patterns.observed
        if uncertainty is not None:
            uncertain = patterns.counts[start:] @ missing[start:].astype(np.float64)
            uncertainty += noise * np.diag(uncertain)
        limit = start, len(patterns.counts), _CHUNK // (k * len(W))
        for part, rows in patterns.parts([limit]):
            seen = patterns.observed[part].astype(np.float64)
            precisions = (seen @ products).reshape(-1, k, k) + noise * np.identity(k)
            # A precision is the inverse of this root's transpose times the root.
            roots = np.linalg.inv(np.linalg.cholesky(precisions))
            for some in slices(len(rows), max(_CHUNK // max(k**2, len(W)), 1)):
                numbers = patterns.of_row[rows[some]]
                own = roots[numbers - part.start]
                projected = (centred[rows[some]] @ W)[:, :, None]
                codes = np.matmul(own.transpose(0, 2, 1), np.matmul(own, projected))
                filled[rows[some]] += missing[numbers] * (codes[:, :, 0] @ W.T)
            if uncertainty is None:
                continue
            roots *= np.sqrt(patterns.counts[part])[:, None, None]
            spread = np.matmul(roots, W.T)
            spread *= missing[part, None, :]
            spread = spread.reshape(-1, len(W))
            uncertainty += noise * (spread.T @ spread)


def fit_ppca(
    X: np.ndarray,
    observed: np.ndarray,
    n_components: int,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> ProbabilisticPCA:
    """Return the most likely model of rows with missing values.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float64
        Rows. Values that are not observed are not read.

    observed : ndarray of shape (n_rows, n_features), bool
        Every feature is observed in some row.

    n_components : int
        Number of axes, at most n_features.

    tol : float
        Iteration ends if no imputed value moves by more than this, in deviations.

    max_iter : int
        Most iterations.
    """
    patterns = Patterns.of(observed)
    model = ProbabilisticPCA.start(X, observed, n_components)
    if observed.all():
        return model
    before = np.full(X.shape, np.inf)
    for _ in range(max_iter):
        after, following = model.stepped(X, observed, patterns)
        moved = np.abs(after - before)[~observed].max()
        if moved <= tol * np.sqrt(model.total / len(model.mean)):
            break
        before, model = after, following
    return model


class _Split(NamedTuple):
    """Values that are held out, and the others."""

    chosen: np.ndarray
    known: np.ndarray
    patterns: Patterns

    @classmethod
    def of(
        cls, observed: np.ndarray, rng: np.random.RandomState, variables: Any
    ) -> _Split:
        chosen = held_out(observed, rng, variables)
        known = observed & ~chosen
        return cls(chosen, known, Patterns.of(known))


def held_out(
    observed: np.ndarray, rng: np.random.RandomState, variables: Any = None
) -> np.ndarray:
    """Choose a tenth of the observed values. Each row and column keeps some.

    Features with the same number in ``variables`` are chosen together.
    """
    if variables is not None:
        return _of_variables(held_out, observed, rng, variables)
    chosen = observed & (rng.random_sample(observed.shape) < _HELD_OUT)
    for axis in (1, 0):
        bare = ~(observed & ~chosen).any(axis=axis, keepdims=True)
        chosen &= ~bare
    return chosen


def hide_values(
    observed: np.ndarray, rng: np.random.RandomState, variables: Any = None
) -> np.ndarray:
    """Return which of the observed values a network still sees in training.

    Each row also loses the values that another row lacks. So as many are missing as in
    the data, in such groups. A tenth of the values is hidden in addition. A row that
    would be empty stays as it is. Features with the same number in ``variables`` are
    hidden together.
    """
    if variables is not None:
        return _of_variables(hide_values, observed, rng, variables)
    others = observed[rng.permutation(len(observed))]
    shown = observed & others & (rng.random_sample(observed.shape) >= _HELD_OUT)
    empty = ~shown.any(axis=1)
    shown[empty] = observed[empty]
    return shown


def _of_variables(
    choose: Callable, observed: np.ndarray, rng: np.random.RandomState, variables: Any
) -> np.ndarray:
    """Choose values of the first feature of each variable, and the others like it."""
    first, of_feature = np.unique(variables, return_index=True, return_inverse=True)[1:]
    return choose(observed[:, first], rng)[:, of_feature]


def select_ppca(
    X: np.ndarray,
    observed: np.ndarray,
    n_components: int | None,
    rng: np.random.RandomState,
    variables: np.ndarray | None = None,
) -> ProbabilisticPCA:
    """Return the model that predicts held-out values best, refitted to all values.

    Stopping early keeps it from fitting noise where components are many for the values
    that are observed (Ilin & Raiko 2010).

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float64
        Rows. Values that are not observed are not read.

    observed : ndarray of shape (n_rows, n_features), bool
        Every feature is observed in some row.

    n_components : int or None
        Number of components. None stands for the best one.

    rng : RandomState
        Chooses the values to hold out.

    variables : ndarray of shape (n_features,), int, or None
        Features with the same number are missing together: they encode one column of a
        table.
    """
    n_splits = int(np.clip(_FEW_VALUES // X.size, 1, _MOST_SPLITS))
    splits = [_Split.of(observed, rng, variables) for _ in range(n_splits)]

    # Find the best number of iterations for each number of components.
    @cache
    def least(k: int) -> tuple[float, int]:
        return _first_minimum(_held_out_errors(X, splits, k))

    k = n_components or _best_size(sizes(*X.shape), lambda k: least(k)[0])

    # Fit that many components, that many iterations, to all values.
    model = ProbabilisticPCA.start(X, observed, k)
    patterns = Patterns.of(observed)
    for _ in range(least(k)[1]):
        _, model = model.stepped(X, observed, patterns)
    return model


def _best_size(tried: list[int], error: Callable[[int], float]) -> int:
    """Return the number of components with the least error.

    If there are many, powers of two are tried first, then the numbers around the best.
    From a number on, others are tried only as long as the error falls.
    """
    if tried[-1] < _ALL_TRIED:
        return tried[_first_minimum(map(error, tried), rise=np.inf)[1]]

    # Find the best power of two: larger ones first, then smaller ones.
    powers = [k for k in tried if k & (k - 1) == 0]
    first = powers.index(_FIRST_TRIED)
    larger = powers[first:]
    best = larger[_first_minimum(map(error, larger), _DOUBLINGS, _CLEAR_RISE)[1]]
    if best == _FIRST_TRIED:
        best = _while_falling(powers[first::-1], error)

    # Find the best number around it.
    near = [k for k in tried if 1 / 2 < k / best < 2]
    place = near.index(best)
    larger, smaller = near[place:], near[place::-1]
    found = _while_falling(larger, error)
    return found if found > best else _while_falling(smaller, error)


def _while_falling(numbers: list[int], error: Callable[[int], float]) -> int:
    """Return the number before the first one whose error is not smaller."""
    best = numbers[0]
    for number in numbers[1:]:
        if error(number) >= error(best):
            break
        best = number
    return best


def sizes(n_rows: int, n_features: int) -> list[int]:
    """Return the numbers of components to try."""
    most = max(min(n_rows, n_features) - 1, 1)
    found = {size for size in _SIZES if size <= most}
    return sorted(found | {most} if most < _ALL_TRIED else found)


def _held_out_errors(X: np.ndarray, splits: list[_Split], k: int) -> Iterator[float]:
    """Yield the error of the held-out values after each iteration."""
    models = [ProbabilisticPCA.start(X, split.known, k) for split in splits]
    for _ in range(_MOST_ITERATIONS + 1):
        squares = np.zeros(0)
        for number, split in enumerate(splits):
            filled, models[number] = models[number].stepped(
                X, split.known, split.patterns
            )
            wrong = (filled - X)[split.chosen]
            squares = np.append(squares, np.square(wrong))
        yield float(squares.mean()) if len(squares) else 0.0


def _first_minimum(
    errors: Iterable[float], patience: int = _PATIENCE, rise: float = _PROGRESS
) -> tuple[float, int]:
    """Return the least error and its place. Stop where errors no longer fall.

    An error that is above the least one by more than the fraction ``rise`` counts as
    two without progress.
    """
    best, place, to_beat, left = np.inf, 0, np.inf, patience
    for number, error in enumerate(errors):
        if error < best:
            best, place = error, number
        if error < to_beat * (1 - _PROGRESS):
            to_beat, left = error, patience
        else:
            left -= 2 if error > best * (1 + rise) else 1
            if left <= 0:
                break
    return best, place
