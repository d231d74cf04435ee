"""Networks that correct the imputation by probabilistic PCA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _backends as backends
from ._data import Batch, Scaling, Split
from ._inference import DenseForward
from ._linear import LinearModel, LinearWeights, ProbabilisticPCA, hide_values
from ._losses.reconstruction import Reconstruction
from ._networks import DenseLayers, NetworkSpec, WeightScales, initial_weights
from ._state import stored
from ._training import (
    Problem,
    Start,
    Trainer,
    TrainingResult,
    is_gain,
    is_mean_gain,
    thread_map,
)

_MOST_KNOTS = 200
"""Most values of a feature between which ranks are interpolated."""

_ROWS = 4096
"""Rows in a block. Their hidden values stay small."""

_FOLDS = 5
_FEWEST_ROWS = 4 * _FOLDS
"""With fewer rows nothing can be learnt and compared."""

_COPIES = 10
_MOST_COPIED = 200_000
"""Each copy of a row has other values hidden. Many rows have fewer copies."""

_TINY = float(np.finfo(np.float64).tiny)

_SETTINGS: dict[str, Any] = {
    "loss": "mean_squared_error",
    "optimizer": "adam",
    "learning_rate": "auto",
    "batch_size": "auto",
    "alpha": 1e-5,
    "early_stopping": True,
    "tol": 1e-4,
    "n_iter_no_change": 20,
}


@stored("units")
@dataclass(frozen=True)
class Units:
    """Mean, deviation and distribution of each feature, by its observed values.

    Parameters
    ----------
    mean, deviation : ndarray of shape (n_features,), float64
        Deviations are 1 where a feature is constant.

    knots : list of tuple of ndarray
        For each feature some of its values in units of the deviation, ascending, and
        their ranks. Ranks have a mean of 0 and a variance of 1.
    """

    mean: np.ndarray
    deviation: np.ndarray
    knots: list[tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, X: np.ndarray, observed: np.ndarray) -> Units:
        """Measure features, each of which is observed in some row."""
        counts = observed.sum(axis=0)
        # Values are divided before they are added and squared. So neither the sum of
        # very large values overflows nor the square of very small ones vanishes.
        largest = np.abs(np.where(observed, X, 0)).max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)
        values = np.where(observed, X / unit, 0)
        mean = values.sum(axis=0) / counts
        centred = np.where(observed, values - mean, 0)
        deviation = np.sqrt(np.square(centred).sum(axis=0) / counts)
        is_constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
        deviation = np.where(is_constant, 1.0, deviation)
        knots = [
            _knots(column[known] / width)
            for column, known, width in zip(
                centred.T, observed.T, deviation, strict=True
            )
        ]
        return cls(mean * unit, deviation * unit, knots)

    def apply(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return standardised rows, with 0 where a value is missing."""
        return np.where(observed, (X - self.mean) / self.deviation, 0)

    def invert(self, rows: np.ndarray) -> np.ndarray:
        """Return standardised rows in the data's units."""
        return rows * self.deviation + self.mean

    def inputs(self, imputed: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return what networks see of standardised rows, as float32.

        Three numbers stand for each value: its inverse hyperbolic sine, which is about
        linear near the mean and logarithmic in the tails, its rank among the observed
        values, and whether it was missing. A few very large values then do not decide
        what is learnt.
        """
        n_rows, d = imputed.shape
        seen = np.empty((n_rows, 3 * d), np.float32)
        seen[:, :d] = np.arcsinh(2 * imputed)
        for feature, (values, ranks) in enumerate(self.knots):
            seen[:, d + feature] = np.interp(imputed[:, feature], values, ranks)
        seen[:, 2 * d :] = ~observed
        return seen


@stored("correction")
@dataclass(frozen=True)
class Correction:
    """The mean of a few networks, for the features that it improves.

    Parameters
    ----------
    spec : NetworkSpec
        The network that all of them are.

    weights : list of dict
        Weights of each.

    unit : float
        What one unit of the networks is, in deviations.

    fractions : ndarray of shape (n_features,)
        From 0 to 1, the fraction of the networks' correction that is added to a
        feature. 0 for features that are not corrected.

    remaining : ndarray of shape (n_features,)
        Root of the fraction of the squared error that is left after the correction, on
        rows that the networks have not seen. 1 for features that are not corrected.
    """

    spec: NetworkSpec
    weights: list[dict]
    unit: float
    fractions: np.ndarray
    remaining: np.ndarray

    def of(self, inputs: np.ndarray) -> np.ndarray:
        """Return what is to be added to imputed rows, in deviations."""
        found = np.zeros((len(inputs), self.spec.n_features))
        for start in range(0, len(inputs), _ROWS):
            part = slice(start, start + _ROWS)
            for weights in self.weights:
                found[part] += _predicted(self.spec, weights, inputs[part])
        return found * (self.unit / len(self.weights)) * self.fractions


@dataclass(frozen=True)
class _Copies:
    """Copies of rows with values hidden, and what the networks should predict.

    Parameters
    ----------
    batch : Batch
        What networks see of each copy, by how much its imputation is wrong, and 1 for
        the values that were hidden in the copy.

    of_row : ndarray of shape (n_copies,), int
        Which row each is a copy of.

    n_copies : int
        Number of copies of each row.

    unit : float
        Unit of the targets, in deviations: the error of the imputation.

    hidden : float
        Fraction of the values that were hidden.
    """

    batch: Batch
    of_row: np.ndarray
    n_copies: int
    unit: float
    hidden: float

    @classmethod
    def of(
        cls, rows, observed, model: ProbabilisticPCA, units: Units, rng, variables
    ) -> _Copies:
        n_copies = int(np.clip(_MOST_COPIED // len(rows), 2, _COPIES))
        inputs, targets, masks = [], [], []
        for _ in range(n_copies):
            shown = hide_values(observed, rng, variables)
            imputed = model.imputed(rows, shown)
            inputs.append(units.inputs(imputed, shown))
            targets.append((rows - imputed).astype(np.float32))
            masks.append((observed & ~shown).astype(np.float32))
        target, mask = np.concatenate(targets), np.concatenate(masks)
        target *= mask
        n_masked = max(mask.sum(dtype=np.float64), 1.0)
        unit = float(np.sqrt(np.square(target, dtype=np.float64).sum() / n_masked))
        target /= unit or 1.0
        return cls(
            Batch(np.concatenate(inputs), target, None, mask),
            np.tile(np.arange(len(rows)), n_copies),
            n_copies,
            unit,
            float(mask.mean(dtype=np.float64)),
        )


def fit_correction(
    rows: np.ndarray,
    observed: np.ndarray,
    model: ProbabilisticPCA,
    units: Units,
    hidden_layer_sizes: tuple[int, ...],
    max_iter: int,
    rng: np.random.RandomState,
    variables: np.ndarray | None = None,
) -> tuple[Correction | None, int]:
    """Train networks to correct an imputation, and keep them where they do.

    Five networks train, each without a fifth of the rows. In each row further values
    are hidden, and the networks predict by how much the imputation of these is wrong.
    At the start they predict zero. A feature is corrected if this is significantly
    better on the rows that a network has not seen.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float64
        Standardised rows, with 0 where a value is missing.

    observed : ndarray of shape (n_rows, n_features), bool
        Which values are observed.

    model : ProbabilisticPCA
        What imputes.

    units : Units
        Of the features.

    hidden_layer_sizes : tuple of int
        Widths of the hidden layers.

    max_iter : int
        Most epochs.

    rng : RandomState
        Draws weights, values to hide and folds.

    variables : ndarray of shape (n_features,), int, or None
        Features with the same number are hidden together: they encode one column of a
        table.

    Returns
    -------
    correction : Correction or None
        None if no feature is corrected.

    n_iter : int
        The largest number of epochs of a network.
    """
    n_rows, d = rows.shape
    if n_rows < _FEWEST_ROWS or d < 2:
        return None, 0
    copies = _Copies.of(rows, observed, model, units, rng, variables)
    if not copies.unit > 0:
        return None, 0

    # Train a network for each fold, on the rows of the others.
    problem = _problem(d, hidden_layer_sizes, max_iter)
    fold = rng.permutation(n_rows) % _FOLDS
    seeds = rng.randint(2**31, size=_FOLDS)

    def train(number: int) -> TrainingResult:
        here = fold[copies.of_row] == number
        return _train(problem, copies, here, np.random.RandomState(seeds[number]))

    with thread_map(_FOLDS, backends.backend().n_threads) as each:
        results = list(each(train, range(_FOLDS)))

    # Keep what is better on the rows that they have not seen.
    weights = [result.weights for result in results]
    n_iter = max(len(result.history.loss_curve) for result in results)
    unseen = np.empty((len(copies.of_row), d), np.float32)
    for number, own in enumerate(weights):
        here = fold[copies.of_row] == number
        unseen[here] = _predicted(problem.spec, own, copies.batch.input[here])
    fractions = _fractions(copies, unseen, n_rows)
    if not fractions.any():
        return None, n_iter
    errors = copies.batch.mask * (copies.batch.target - unseen * fractions)
    before = np.square(copies.batch.target, dtype=np.float64).sum(axis=0)
    after = np.square(errors, dtype=np.float64).sum(axis=0)
    remaining = np.sqrt(np.where(fractions > 0, after / np.maximum(before, _TINY), 1))
    return Correction(problem.spec, weights, copies.unit, fractions, remaining), n_iter


def deviations_of_errors(
    rows: np.ndarray,
    observed: np.ndarray,
    model: ProbabilisticPCA,
    rng: np.random.RandomState,
    variables: np.ndarray | None = None,
) -> np.ndarray:
    """Return how large the errors of an imputation are beside those that it expects.

    Probabilistic PCA expects the same noise in every feature. Values are hidden, and
    the errors of their imputation are measured for each feature.

    Returns
    -------
    ratios : ndarray of shape (n_features,)
        Ratios of root mean squared errors. 1 where few values can be hidden.
    """
    found, expected = np.zeros((2, rows.shape[1]))
    counts = np.zeros(rows.shape[1])
    for _ in range(_FOLDS):
        shown = hide_values(observed, rng, variables)
        mask = observed & ~shown
        found += np.sum(mask * np.square(rows - model.imputed(rows, shown)), axis=0)
        expected += np.sum(mask * np.square(model.drawn_errors(shown, rng)), axis=0)
        counts += mask.sum(axis=0)
    is_known = (counts >= _FEWEST_ROWS) & (expected > 0)
    return np.sqrt(np.where(is_known, found / np.maximum(expected, _TINY), 1))


def _problem(
    n_features: int, hidden_layer_sizes: tuple[int, ...], max_iter: int
) -> Problem:
    """Return what each network is.

    The whole network is in the encoder. The decoder passes on what that returns.
    """
    d = n_features
    layers, no_layers = DenseLayers(hidden_layer_sizes), DenseLayers(())
    spec = NetworkSpec(d, d, layers, no_layers, n_inputs=3 * d)
    nothing = LinearModel.of_mean(Scaling.none(1), 1)
    parameters = {**_SETTINGS, "max_iter": max_iter}
    return Problem.of(parameters, (Reconstruction,), spec, nothing, has_clean_rows=True)


def _train(
    problem: Problem,
    copies: _Copies,
    held_out: np.ndarray,
    rng: np.random.RandomState,
) -> TrainingResult:
    """Return the network after its best epoch.

    The start does not count as an epoch, even if it is better on average: the network
    may be better for some features.
    """
    d = problem.spec.n_features
    zero = LinearWeights(
        (np.zeros((3 * d, d)), np.zeros(d)), (np.identity(d), np.zeros(d))
    )
    # In units of the imputation's error the loss of the start is 1.
    scales = WeightScales(copies.hidden, residual=np.sqrt(copies.hidden))
    weights = initial_weights(problem.networks, zero, scales, rng)
    start = Start(problem, None, scales, weights)
    split = Split(
        [np.flatnonzero(~held_out)],
        [np.flatnonzero(held_out)],
        copies.of_row,
        len(held_out),
        copies.n_copies,
    )
    trainer = Trainer.of(
        problem, copies.batch.input, start, copies.batch, split, trains_decoder=False
    )
    return trainer.fit(rng, keep_start=False)


def _fractions(copies: _Copies, unseen: np.ndarray, n_rows: int) -> np.ndarray:
    """Return how much of the correction of each feature is worth adding.

    This is the fraction with the least squared error on rows that the networks have not
    seen, from 0 to 1. It is 0 where the error does not fall significantly.
    """
    target, mask = copies.batch.target, copies.batch.mask
    products = np.sum(mask * target * unseen, axis=0, dtype=np.float64)
    squares = np.sum(mask * unseen**2, axis=0, dtype=np.float64)
    fractions = np.clip(products / np.where(squares > 0, squares, np.inf), 0, 1)
    unseen = unseen * fractions.astype(np.float32)
    gains = mask * (np.square(target) - np.square(target - unseen))
    of_rows, counts = np.zeros((2, n_rows, target.shape[1]))
    np.add.at(of_rows, copies.of_row, gains)
    np.add.at(counts, copies.of_row, mask)
    has = counts > 0
    is_better = [
        _is_better(of_rows[rows, feature] / counts[rows, feature])
        for feature, rows in enumerate(has.T)
    ]
    return fractions * is_better


def _is_better(gains: np.ndarray) -> bool:
    """Say whether the squared errors of a feature in some rows fell significantly.

    Most rows may gain a little, or some much. Both lower the mean squared error.
    """
    if len(gains) < _FEWEST_ROWS:
        return False
    return is_gain(gains) or is_mean_gain(gains)


def _predicted(spec: NetworkSpec, weights: dict, inputs: np.ndarray) -> np.ndarray:
    """Return what one network predicts, computed by NumPy."""
    # In float64 a row's result does not depend on the other rows, but for rounding.
    into, out = (
        [array.astype(np.float64) for array in weights[name][0]]
        for name in ("encoder", "decoder")
    )
    encode, decode = DenseForward.of(spec, "encoder"), DenseForward.of(spec, "decoder")
    return decode(out, encode(into, inputs.astype(np.float64)))


def _knots(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, counts = np.unique(values, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / len(values)
    if len(distinct) > _MOST_KNOTS:
        places = np.linspace(0, len(distinct) - 1, _MOST_KNOTS).astype(int)
        distinct, ranks = distinct[places], ranks[places]
    return distinct, np.sqrt(12) * (ranks - 0.5)
