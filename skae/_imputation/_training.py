"""Training of the networks that correct an imputation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _engines as engines
from .._data import Batch, Scaling, Split
from .._linear import LinearPath, ProbabilisticPCA
from .._networks import DenseLayers, NetworkSpec, WeightScales, initial_weights
from .._objective.reconstruction import Reconstruction
from .._training import (
    EpochReport,
    Phase,
    Schedule,
    TrainingConfig,
    TrainingData,
    is_gain,
    is_mean_gain,
    thread_map,
    train,
)
from ._correction import Correction, predicted
from ._holes import with_further_holes
from ._units import Units

_FOLDS = 5
_FEWEST_ROWS = 4 * _FOLDS
"""With fewer rows nothing can be learnt and compared."""

_COPIES = 10
_MOST_COPIED = 200_000
"""Each row gets other holes in each copy. Of many rows there are fewer copies."""

_SETTINGS: dict[str, Any] = {
    "loss": "mean_squared_error",
    "optimizer": "adam",
    "learning_rate": 0.002,
    "alpha": 1e-5,
    "early_stopping": True,
    "tol": 1e-4,
    "n_iter_no_change": 20,
}


@dataclass(frozen=True)
class _Copies:
    """Copies of rows with further holes, and what the networks should predict.

    Parameters
    ----------
    batch : Batch
        What networks see of each copy, by how much its imputation is wrong, and 1 for
        the values that only became missing in the copy.

    of_row : ndarray of shape (n_copies,), int
        Which row each is a copy of.

    unit : float
        Unit of the targets, in deviations: the error of the imputation.

    share : float
        Share of the values that became missing.
    """

    batch: Batch
    of_row: np.ndarray
    unit: float
    share: float

    @classmethod
    def of(cls, rows, observed, model: ProbabilisticPCA, units: Units, rng) -> _Copies:
        n_copies = int(np.clip(_MOST_COPIED // len(rows), 2, _COPIES))
        inputs, targets, masks = [], [], []
        for _ in range(n_copies):
            shown = with_further_holes(observed, rng)
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
            unit,
            float(mask.mean(dtype=np.float64)),
        )


def trained(
    rows: np.ndarray,
    observed: np.ndarray,
    model: ProbabilisticPCA,
    units: Units,
    hidden_layer_sizes: tuple[int, ...],
    max_iter: int,
    rng: np.random.RandomState,
) -> tuple[Correction | None, int]:
    """Train networks to correct an imputation, and keep them where they do.

    Five networks train, each without a fifth of the rows. In each row further values
    become missing, and the networks predict by how much the imputation of these is
    wrong. At the start they predict zero. A feature is corrected if this is
    significantly better on the rows that a network has not seen.

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
        Draws weights, holes and folds.

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
    copies = _Copies.of(rows, observed, model, units, rng)
    if not copies.unit > 0:
        return None, 0
    spec = NetworkSpec(
        d, d, DenseLayers(hidden_layer_sizes), DenseLayers(()), n_inputs=3 * d
    )
    fold = rng.permutation(n_rows) % _FOLDS
    seeds = rng.randint(2**31, size=_FOLDS)
    config = _config(spec, n_rows, max_iter)

    def one(number):
        here = fold[copies.of_row] == number
        split = Split(
            [np.flatnonzero(~here)], [np.flatnonzero(here)], copies.of_row, len(here)
        )
        return _network(config, copies, split, np.random.RandomState(seeds[number]))

    with thread_map(_FOLDS, engines.backend().n_threads) as each:
        results = list(each(one, range(_FOLDS)))
    weights = [own for own, _ in results]
    n_iter = max(n_epochs for _, n_epochs in results)
    unseen = np.empty((len(copies.of_row), d), np.float32)
    for number, own in enumerate(weights):
        here = fold[copies.of_row] == number
        unseen[here] = predicted(spec, own, copies.batch.input[here])
    shares = _shares(copies, unseen, n_rows)
    if not shares.any():
        return None, n_iter
    return Correction(spec, weights, copies.unit, shares), n_iter


def _config(spec: NetworkSpec, n_rows: int, max_iter: int) -> TrainingConfig:
    batch_size = int(np.clip(2 ** np.round(np.log2(n_rows / 35)), 32, 512))
    parameters = {**_SETTINGS, "batch_size": batch_size, "max_iter": max_iter}
    return TrainingConfig.of(parameters, (Reconstruction,), spec, has_targets=True)


def _network(
    config: TrainingConfig, copies: _Copies, split: Split, rng: np.random.RandomState
) -> tuple[dict, int]:
    """Return the weights after the best epoch, and the number of epochs.

    The start does not count as an epoch, even if it is better on average: the network
    may be better for some features.
    """
    d = config.spec.n_features
    # The whole network is in the encoder. The decoder only passes on what that returns.
    start = LinearPath(
        (np.zeros((3 * d, d)), np.zeros(d)), (np.identity(d), np.zeros(d))
    )
    # In units of the imputation's error the loss of the start is 1.
    scales = WeightScales(copies.share, residual=np.sqrt(copies.share))
    weights = initial_weights(config.networks, start, scales, rng)
    data = TrainingData.of(config, copies.batch, split, Scaling.none(1), scales)
    data = replace(
        data,
        hyper=data.hyper._replace(decoder_rate=np.float32(0)),
        # An epoch sees one copy of each row.
        n_rows=len(np.unique(copies.of_row[split.train[0]])),
    )
    schedule = Schedule.of(config.parameters, config.optimizer, rescaled=False)
    best: dict[str, Any] = {"loss": np.inf, "weights": weights}

    def keep_the_best(report: EpochReport) -> bool:
        if report.validation_loss is not None and report.validation_loss < best["loss"]:
            best.update(loss=report.validation_loss, weights=report.weights())
        return False

    result = train(config.engine, weights, [Phase(data, schedule)], rng, keep_the_best)
    return best["weights"], len(result.loss_curve)


def _shares(copies: _Copies, unseen: np.ndarray, n_rows: int) -> np.ndarray:
    """Return how much of the correction of each feature is worth adding.

    This is the share with the least squared error on rows that the networks have not
    seen, from 0 to 1. It is 0 where the error does not fall significantly.
    """
    target, mask = copies.batch.target, copies.batch.mask
    products = np.sum(mask * target * unseen, axis=0, dtype=np.float64)
    squares = np.sum(mask * unseen**2, axis=0, dtype=np.float64)
    shares = np.clip(products / np.where(squares > 0, squares, np.inf), 0, 1)
    unseen = unseen * shares.astype(np.float32)
    gains = mask * (np.square(target) - np.square(target - unseen))
    of_rows, counts = np.zeros((2, n_rows, target.shape[1]))
    np.add.at(of_rows, copies.of_row, gains)
    np.add.at(counts, copies.of_row, mask)
    has = counts > 0
    is_better = [
        _is_better(of_rows[rows, feature] / counts[rows, feature])
        for feature, rows in enumerate(has.T)
    ]
    return shares * is_better


def _is_better(gains: np.ndarray) -> bool:
    """Say whether the squared errors of a feature in some rows fell significantly.

    Most rows may gain a little, or some much. Both lower the mean squared error.
    """
    if len(gains) < _FEWEST_ROWS:
        return False
    return is_gain(gains) or is_mean_gain(gains)
