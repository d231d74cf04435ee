"""Whether what was trained is really better than where it started."""

from __future__ import annotations

import numpy as np

from ._jax import TrainingProgram
from ._schedule import in_batches
from ._task import Task

_STANDARD_ERRORS = 3


def improves_on(
    program: TrainingProgram, baseline: dict, weights: dict, task: Task
) -> bool:
    """Say whether ``weights`` beat ``baseline`` beyond doubt.

    They have to on all rows taken together, and on the held-out rows by more than
    three standard errors of the paired differences. Breiman et al. (1984) ask for one
    between models fitted once; here the best of many epochs was picked on those rows,
    and with few of them, or a few extreme ones, a lower mean alone is often luck.

    Parameters
    ----------
    program : TrainingProgram
        Measures the loss of each row.

    baseline, weights : dict
        The weights to compare.

    task : Task
        The rows, and which of them were held out.
    """
    split = task.split
    order = np.concatenate([split.held_out, split.train])
    index, _ = in_batches(order, task.batch_size)
    before, after = (
        np.asarray(program.row_losses(weights, task, index), np.float64).ravel()
        for weights in (baseline, weights)
    )
    gains = (before - after)[: len(order)]
    if not gains.mean() > 0:
        return False
    held_out = gains[: len(split.held_out)]
    if not len(held_out):
        return True
    standard_error = held_out.std(ddof=1) / np.sqrt(len(held_out))
    return bool(held_out.mean() > _STANDARD_ERRORS * standard_error)
