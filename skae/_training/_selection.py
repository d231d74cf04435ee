"""Whether what was trained is really better than where it started."""

from __future__ import annotations

import numpy as np
from scipy.stats import sem, wilcoxon

from ._jax_training import TrainingProgram
from ._task import Task
from ._train import TrainingResult

_STANDARD_ERRORS = 2
_SIGNIFICANCE = 0.01


def improves_on(
    program: TrainingProgram, baseline: dict, result: TrainingResult, task: Task
) -> bool:
    """Say whether training beat ``baseline`` beyond doubt.

    It has to on all rows taken together, and on the held-out rows beyond chance, as
    :func:`is_gain` has it.

    Parameters
    ----------
    program : TrainingProgram
        Measures the loss of each row.

    baseline : dict
        The weights to beat.

    result : TrainingResult
        What training found.

    task : Task
        The rows, and which of them were held out.
    """
    split = task.split
    before, after = (
        task.row_losses(program, weights, split.all_rows)
        for weights in (baseline, result.weights)
    )
    if not after.mean() < before.mean():
        return False
    if not split.judges:
        return True
    # Fold by fold, as they were judged: a row's damage goes by its place.
    judged = [task.row_losses(program, baseline, rows) for rows in split.held_out]
    gains = np.concatenate(judged) - result.judgement
    if program.objective.likelihood is not None:
        # A likelihood gains by losing a little on most rows what it wins on others.
        return bool(gains.mean() > _STANDARD_ERRORS * sem(gains))
    return is_gain(gains)


def is_gain(gains: np.ndarray) -> bool:
    """Say whether rows gain on average, and beyond chance by their signed ranks.

    Wilcoxon's (1945) test, which Demšar (2006) recommends for comparing models: a few
    extreme rows do not hide, in their spread, what all others say. Nor does one decide:
    the average has to be a gain without the row that gains most. The level is strict
    since the best of many epochs was picked on these rows.

    Parameters
    ----------
    gains : ndarray of shape (n_rows,)
        What each row's loss fell by.
    """
    if not gains.sum() - gains.max() > 0:
        return False
    # SciPy 1.11 warns of zeros, which it leaves out as well.
    test = wilcoxon(gains[gains != 0], alternative="greater")
    return bool(test.pvalue < _SIGNIFICANCE)
