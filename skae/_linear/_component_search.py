"""Probabilistic PCA whose size and number of iterations held-out values choose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._patterns import Patterns
from ._probabilistic_pca import ProbabilisticPCA

_SHARE = 0.1
"""Share of the observed values that is held out."""

_MOST_ITERATIONS = 100
_PATIENCE = 4
"""Iterations, and numbers of components, without progress after which to stop."""

_PROGRESS = 1e-4
"""Least relative decrease of the error that counts."""

_SIZES = 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100
"""Numbers of components that are tried."""

_ALL_TRIED = 20
"""Up to so many features, all but one component are tried, too."""


_FEW_VALUES, _MOST_SPLITS = 100_000, 5
"""Of few values several tenths are held out, one after the other: the error of one
depends on chance. So many values divided by those of the data is their number."""


class _Split(NamedTuple):
    """Values that are held out, and the others."""

    chosen: np.ndarray
    known: np.ndarray
    patterns: Patterns

    @classmethod
    def of(cls, observed: np.ndarray, rng: np.random.RandomState) -> _Split:
        chosen = held_out(observed, rng)
        known = observed & ~chosen
        return cls(chosen, known, Patterns.of(known))


def held_out(observed: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Choose a tenth of the observed values. Each row and column keeps some."""
    chosen = observed & (rng.random_sample(observed.shape) < _SHARE)
    for axis in (1, 0):
        bare = ~(observed & ~chosen).any(axis=axis, keepdims=True)
        chosen &= ~bare
    return chosen


def searched(
    X: np.ndarray,
    observed: np.ndarray,
    n_components: int | None,
    rng: np.random.RandomState,
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
    """
    n_splits = int(np.clip(_FEW_VALUES // X.size, 1, _MOST_SPLITS))
    splits = [_Split.of(observed, rng) for _ in range(n_splits)]
    best, to_beat, patience = (np.inf, 1, 0), np.inf, _PATIENCE
    for k in [n_components] if n_components else sizes(*X.shape):
        error, n_iter = _course(X, splits, k)
        best = min(best, (error, k, n_iter))
        if error < to_beat * (1 - _PROGRESS):
            to_beat, patience = error, _PATIENCE
        else:
            patience -= 1
            if not patience:
                break
    _, k, n_iter = best
    model = ProbabilisticPCA.start(X, observed, k)
    patterns = Patterns.of(observed)
    for _ in range(n_iter):
        _, model = model.stepped(X, observed, patterns)
    return model


def sizes(n_rows: int, n_features: int) -> list[int]:
    """Return the numbers of components to try."""
    most = max(min(n_rows, n_features) - 1, 1)
    found = {size for size in _SIZES if size <= most}
    return sorted(found | {most} if most < _ALL_TRIED else found)


def _course(X: np.ndarray, splits: list[_Split], k: int) -> tuple[float, int]:
    """Return the least error of the chosen values, and after how many iterations."""
    models = [ProbabilisticPCA.start(X, split.known, k) for split in splits]
    best, n_best, to_beat, patience = np.inf, 0, np.inf, _PATIENCE
    for n_iter in range(_MOST_ITERATIONS + 1):
        squares = np.zeros(0)
        for number, split in enumerate(splits):
            filled, models[number] = models[number].stepped(
                X, split.known, split.patterns
            )
            wrong = (filled - X)[split.chosen]
            squares = np.append(squares, np.square(wrong))
        error = float(squares.mean()) if len(squares) else 0.0
        if error < best:
            best, n_best = error, n_iter
        if error < to_beat * (1 - _PROGRESS):
            to_beat, patience = error, _PATIENCE
        else:
            patience -= 1
            if not patience:
                break
    return best, n_best
