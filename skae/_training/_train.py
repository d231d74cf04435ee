"""The loop over epochs: keep the best weights, know when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ._jax import Batches, TrainingProgram
from ._progress import Progress
from ._schedule import Schedule, in_batches
from ._task import Task


@dataclass(frozen=True)
class EpochReport:
    """What a finished epoch tells whoever listens.

    Parameters
    ----------
    epoch : int
        Number of the epoch, from 1.

    loss : float
        Mean training loss over the epoch.

    validation_loss : float or None
        Mean loss of the held-out rows after the epoch.

    weights : dict
        The weights after the epoch.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    weights: dict

    def __str__(self) -> str:
        line = f"Iteration {self.epoch}, loss = {self.loss:.8f}"
        if self.validation_loss is not None:
            line += f", validation loss = {self.validation_loss:.8f}"
        return line


@dataclass(frozen=True)
class TrainingResult:
    """The best weights seen, iteration 0 included, and how training went."""

    weights: dict
    best_loss: float
    loss_curve: list[float]
    validation_loss_curve: list[float] | None
    stopped_by: Literal["max_iter", "no_change", "callback", "divergence"]


def train(
    program: TrainingProgram,
    weights: dict,
    task: Task,
    schedule: Schedule,
    rng: np.random.RandomState,
    on_epoch: Callable[[EpochReport], bool] = lambda report: False,
) -> TrainingResult:
    """Minimise the program's objective from the given weights.

    Parameters
    ----------
    program : TrainingProgram
        The compiled epoch.

    weights : dict
        Where to start; these are a candidate for the best.

    task : Task
        The rows, which of them train and which judge, and the objective's numbers.

    schedule : Schedule
        Epochs, rates and patience.

    rng : RandomState
        Shuffles the rows and seeds the noise.

    on_epoch : callable
        Called after each epoch; a true result stops training.

    Returns
    -------
    TrainingResult
    """
    split, judged = task.split, len(task.split.held_out) > 0
    held_out, counted = in_batches(split.held_out, task.batch_size)
    first = (held_out, counted) if judged else in_batches(split.train, task.batch_size)
    progress = Progress.start(
        weights, _mean(program.row_losses(weights, task, first[0]), first[1]), schedule
    )
    state = program.initial_state(weights)
    losses: list[float] = []
    validation_losses: list[float] = []
    for epoch in range(schedule.max_iter):
        index, weight = in_batches(rng.permutation(split.train), task.batch_size)
        batches = Batches(index, weight, schedule.rates(epoch, len(index)))
        state, loss, judgement = program.epoch(
            state, task, batches, held_out, seed=rng.randint(2**31)
        )
        losses.append(float(loss))
        if judged:
            validation_losses.append(_mean(judgement, counted))
        monitored = validation_losses[-1] if judged else losses[-1]
        progress = progress.after(state[0], losses[-1], monitored, schedule)
        if progress.stopped_by == "divergence":
            break
        report = EpochReport(
            epoch + 1, losses[-1], monitored if judged else None, state[0]
        )
        if on_epoch(report):
            progress = replace(progress, stopped_by="callback")
        if progress.stopped_by is not None:
            break
    return TrainingResult(
        program.fetch(progress.weights),
        progress.best_loss,
        losses,
        validation_losses if judged else None,
        progress.stopped_by or "max_iter",
    )


def _mean(losses, weight: np.ndarray) -> float:
    return float(np.sum(np.asarray(losses, np.float64) * weight) / weight.sum())
