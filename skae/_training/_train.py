"""The loop over epochs: keep the best weights, know when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from ._jax_training import Batches, TrainingProgram
from ._progress import Progress
from ._schedule import Schedule
from ._split import in_batches
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

    weights : callable
        Fetches the weights after the epoch, of the model to keep.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    weights: Callable[[], dict]

    def __str__(self) -> str:
        line = f"Iteration {self.epoch}, loss = {self.loss:.8f}"
        if self.validation_loss is not None:
            line += f", validation loss = {self.validation_loss:.8f}"
        return line


@dataclass(frozen=True)
class TrainingResult:
    """The best weights seen, iteration 0 included, and how training went.

    Parameters
    ----------
    weights : dict
        Best weights of the model to keep.

    judgement : ndarray
        With these, the loss of each held-out row, in the order of the split's batches.

    best_loss : float
        The lowest of the losses that decide.

    loss_curve : list of float
        Mean training loss of each epoch.

    validation_loss_curve : list of float or None
        Mean loss of the held-out rows after each epoch.

    stopped_by : {"max_iter", "no_change", "callback", "divergence"}
        Why training ended.
    """

    weights: dict
    judgement: np.ndarray
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
    split = task.split
    held_out, counted = split.held_out_batches(task.batch_size)
    state = program.initial_state(weights, split.n_models)
    judgement: Any = np.empty(held_out.shape)
    if split.judges:
        judgement = program.row_losses(state[0], task, held_out)
        first = _mean(judgement, counted)
    else:
        index, weight = in_batches(split.train[-1], task.batch_size)
        first = _mean(program.row_losses(state[0], task, index[None]), weight[None])
    progress = Progress.start((state[0], judgement), first, schedule)
    losses: list[float] = []
    validation_losses: list[float] = []
    for epoch in range(schedule.max_iter):
        index, weight = split.shuffled_batches(task.batch_size, rng)
        rates = schedule.rates(epoch, index.shape[1])
        batches = Batches(index, weight, np.broadcast_to(rates, index.shape[:2]))
        state, model_losses, judgement = program.epoch(
            state, task, batches, held_out, seed=rng.randint(2**31)
        )
        losses.append(float(model_losses[-1]))
        if split.judges:
            validation_losses.append(_mean(judgement, counted))
        monitored = validation_losses[-1] if split.judges else losses[-1]
        progress = progress.after(
            (state[0], judgement), losses[-1], monitored, schedule
        )
        if progress.stopped_by == "divergence":
            break
        report = EpochReport(
            epoch + 1,
            losses[-1],
            monitored if split.judges else None,
            partial(program.fetch, state[0]),
        )
        if on_epoch(report):
            progress = replace(progress, stopped_by="callback")
        if progress.stopped_by is not None:
            break
    best, judgement = progress.best
    return TrainingResult(
        program.fetch(best),
        np.asarray(judgement, np.float64)[counted > 0],
        progress.best_loss,
        losses,
        validation_losses if split.judges else None,
        progress.stopped_by or "max_iter",
    )


def _mean(losses, weight: np.ndarray) -> float:
    return float(np.sum(np.asarray(losses, np.float64) * weight) / weight.sum())
