"""Probabilistic PCA whose size and number of iterations held-out values choose."""

from __future__ import annotations

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
    chosen = held_out(observed, rng)
    known = observed & ~chosen
    patterns = Patterns.of(known)
    best, to_beat, patience = (np.inf, 1, 0), np.inf, _PATIENCE
    for k in [n_components] if n_components else sizes(*X.shape):
        error, n_iter = _course(X, known, chosen, patterns, k)
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


def _course(X, known, chosen, patterns: Patterns, k: int) -> tuple[float, int]:
    """Return the least error of the chosen values, and after how many iterations."""
    model = ProbabilisticPCA.start(X, known, k)
    truth = X[chosen]
    best, n_best, to_beat, patience = np.inf, 0, np.inf, _PATIENCE
    for n_iter in range(_MOST_ITERATIONS + 1):
        filled, following = model.stepped(X, known, patterns)
        error = float(np.mean(np.square(filled[chosen] - truth))) if len(truth) else 0.0
        if error < best:
            best, n_best = error, n_iter
        if error < to_beat * (1 - _PROGRESS):
            to_beat, patience = error, _PATIENCE
        else:
            patience -= 1
            if not patience:
                break
        model = following
    return best, n_best
