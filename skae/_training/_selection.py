"""Whether what was trained is really better than where it started."""

from __future__ import annotations

import numpy as np

from ._jax_training import TrainingProgram
from ._task import Task
from ._train import TrainingResult

_STANDARD_ERRORS = 2


def improves_on(
    program: TrainingProgram, baseline: dict, result: TrainingResult, task: Task
) -> bool:
    """Say whether training beat ``baseline`` beyond doubt.

    It has to on all rows taken together, and on the held-out rows beyond chance: the
    mean gain by more than two standard errors of the paired differences, and more rows
    gained than lost by as much. Breiman et al. (1984) ask for one standard error
    between models fitted once; here the best of many epochs was picked on those rows,
    and with few of them, or a few extreme ones, a lower mean alone is often luck.

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
        return _beyond_chance(gains)
    return is_gain(gains)


def is_gain(gains: np.ndarray) -> bool:
    """Say whether rows gain beyond chance, on average and in number."""
    return _beyond_chance(gains) and _beyond_chance(np.sign(gains))


def _beyond_chance(gains: np.ndarray) -> bool:
    if len(gains) < 2:
        return False
    standard_error = gains.std(ddof=1) / np.sqrt(len(gains))
    return bool(gains.mean() > _STANDARD_ERRORS * standard_error)
