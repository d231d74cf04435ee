"""Whether the trained network is significantly better than where it started."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import sem, wilcoxon

from .._inference import NetworkModel
from .._linear import LinearModel
from ._trainer import Trainer, TrainingResult

_STANDARD_ERRORS = 2
_SIGNIFICANCE = 0.01


class Comparison(NamedTuple):
    """A trained network and where it started, on the rows that decide.

    Parameters
    ----------
    is_better : bool
        Whether the network is significantly better.

    before, after : float
        Mean losses.

    rows : {"all rows", "held-out rows"}
        On which the losses are.
    """

    is_better: bool
    before: float
    after: float
    rows: str


def select(
    trainer: Trainer, result: TrainingResult, comparison: Comparison
) -> LinearModel | NetworkModel:
    """Return the model to keep: the network if it is better, else where it started.

    A variational autoencoder is a network also where it is linear, for its likelihood.
    A network without a linear path is kept as it started.
    """
    problem = trainer.problem
    if comparison.is_better:
        return trainer.network(result.weights)
    if problem.is_likelihood:
        return trainer.network(trainer.start.weights, "linear")
    if not problem.spec.linear_path:
        return trainer.network(trainer.start.weights)
    whiten = problem.parameters["whiten"]
    return problem.linear.as_stored(trainer.X.dtype, whiten)


def compare_with_baseline(trainer: Trainer, result: TrainingResult) -> Comparison:
    """Compare what training found with the model at the start.

    It has to be better on average over all rows, and significantly better on the
    held-out rows.
    """
    data, problem = trainer.phases[0].data, trainer.start.problem
    engine, baseline = problem.engine, trainer.start.weights
    start, end = data.mean_losses(engine, [baseline, result.weights])
    is_better = end < start
    if not (is_better and data.split.holds_out):
        return Comparison(is_better, start, end, "all rows")
    # Fold by fold, as in training: a row's noise depends on its place.
    before = np.concatenate(
        [data.row_losses(engine, baseline, rows) for rows in data.split.held_out]
    )
    after = result.validation_losses
    gains = data.split.means_of_groups(before - after)
    # A better likelihood may lose a little on most rows and gain much on others.
    is_significant = is_mean_gain(gains) if problem.is_likelihood else is_gain(gains)
    return Comparison(is_significant, before.mean(), after.mean(), "held-out rows")


def is_gain(gains: np.ndarray) -> bool:
    """Say whether rows gain on average, and significantly by their signed ranks.

    The test is Wilcoxon's (1945), one-sided, with p < 0.01. Demšar (2006) recommends it
    for comparing models: a few extreme rows do not hide the others in a wide standard
    error. Nor may one row decide: the mean has to be a gain without the row that gains
    most. The level is strict because the best of many epochs was chosen on these rows.

    Parameters
    ----------
    gains : ndarray of shape (n_rows,)
        By how much each row's loss fell.
    """
    if not gains.sum() - gains.max() > 0:
        return False
    # SciPy 1.11 warns of zeros, which it leaves out as well.
    test = wilcoxon(gains[gains != 0], alternative="greater")
    return bool(test.pvalue < _SIGNIFICANCE)


def is_mean_gain(gains: np.ndarray) -> bool:
    """Say whether the mean of the gains is two standard errors above zero."""
    return bool(gains.mean() > _STANDARD_ERRORS * sem(gains))
