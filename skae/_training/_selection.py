"""Whether what was trained is really better than where it started."""

from __future__ import annotations

import numpy as np

from ._jax_training import TrainingProgram
from ._split import in_batches
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
    index, weight = in_batches(task.split.all_rows, task.batch_size)
    before, after = (
        _losses(program, weights, task, index[None], weight[None])
        for weights in (baseline, result.weights)
    )
    if not after.mean() < before.mean():
        return False
    if not task.split.judges:
        return True
    held_out, counted = task.split.held_out_batches(task.batch_size)
    gains = _losses(program, baseline, task, held_out, counted) - result.judgement
    return _beyond_chance(gains) and _beyond_chance(np.sign(gains))


def _beyond_chance(gains: np.ndarray) -> bool:
    standard_error = gains.std(ddof=1) / np.sqrt(len(gains))
    return bool(gains.mean() > _STANDARD_ERRORS * standard_error)


def _losses(program, weights: dict, task: Task, index, weight) -> np.ndarray:
    stacked, _ = program.initial_state(weights, len(index))
    losses = program.row_losses(stacked, task, index)
    return np.asarray(losses, np.float64)[weight > 0]
