"""The loop over epochs: keep the best weights, know when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Literal

import numpy as np

from ._jax_training import TrainingProgram
from ._progress import Progress
from ._side_by_side import side_by_side
from ._task import Stage, Task


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
        With these, the loss of each row that judges, model after model.

    best_loss : float
        The lowest of the losses that decide.

    loss_curve : list of float
        Mean training loss of each epoch, stage after stage.

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
    stages: list[Stage],
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

    stages : list of Stage
        What to do, one after the other, each from the best epoch so far and with a
        fresh optimizer. The same rows judge all.

    rng : RandomState
        Shuffles the rows and seeds the noise.

    on_epoch : callable
        Called after each epoch; a true result stops training.

    Returns
    -------
    TrainingResult
    """
    task, schedule = stages[0]
    split = task.split
    judgement = np.concatenate(
        [task.row_losses(program, weights, rows) for rows in split.to_judge]
    )
    models = [weights] * split.n_models
    progress = Progress.at((models, judgement), judgement.mean())
    losses: list[float] = []
    validation_losses: list[float] = []
    with side_by_side(split.n_models) as each:
        for task, schedule in stages:
            progress = progress.in_stage(schedule)
            states = [program.initial_state(model) for model in progress.trained[0]]
            for epoch in range(schedule.max_iter):
                rates = schedule.rates(epoch, task.n_batches)
                states, loss, judgement = _epoch(
                    program, task, rates, states, each, rng
                )
                losses.append(loss)
                monitored = judgement.mean() if split.judges else loss
                validation_losses.append(monitored)
                models = [model for model, _ in states]
                candidate = models, judgement
                progress = progress.after(candidate, loss, monitored, schedule)
                if progress.stopped_by == "divergence":
                    break
                report = EpochReport(
                    len(losses),
                    loss,
                    monitored if split.judges else None,
                    partial(program.fetch, models[-1]),
                )
                if on_epoch(report):
                    progress = replace(progress, stopped_by="callback")
                if progress.stopped_by is not None:
                    break
            if progress.stopped_by in ("divergence", "callback"):
                break
    models, judgement = progress.best
    return TrainingResult(
        program.fetch(models[-1]),
        judgement,
        progress.best_loss,
        losses,
        validation_losses if split.judges else None,
        progress.stopped_by or "max_iter",
    )


def train_once(program: TrainingProgram, state, task: Task, rate: float, rng):
    """Train one model for one pass at a constant rate.

    Parameters
    ----------
    program : TrainingProgram
        The compiled epoch.

    state : tuple
        Weights and optimizer state.

    task : Task
        The rows, all of which train.

    rate : float
        Learning rate.

    rng : RandomState
        Shuffles the rows and seeds the noise.

    Returns
    -------
    state : tuple
        The same after the pass, as NumPy arrays.

    loss : float
        Mean loss of the rows.
    """
    rates = np.full(task.n_batches, rate, np.float32)
    (state,), loss, _ = _epoch(program, task, rates, [state], map, rng)
    return program.fetch(state), loss


def _epoch(program, task: Task, rates: np.ndarray, states: list, each, rng):
    """Return each model's state after a pass, the last one's loss, the held-out losses.

    Every model takes as many steps as the last, the one to keep, so that an epoch means
    the same to all.
    """
    split = task.split
    # Drawn here, one after the other: threads would draw in any order.
    lessons = [task.lesson(rows, rng) for rows in split.train]
    learn = partial(_pass, program, task, rates)
    learned = list(each(learn, states, lessons, split.held_out))
    states = [state for state, _, _ in learned]
    judgement = np.concatenate([losses for _, _, losses in learned])
    return states, learned[-1][1] / task.n_rows, judgement


def _pass(program, task: Task, rates: np.ndarray, state, lesson, held_out: np.ndarray):
    """Return a model's state after a pass, its summed loss, and its held-out losses."""
    seed, blocks = lesson
    total, latest = 0.0, np.float32(0)
    if program.networks.mixes_rows:
        blocks = chain.from_iterable(block.exact() for block in blocks)
    for block in blocks:
        due = np.resize(rates[block.first :], len(block.order))
        state, loss = program.train(state, block, due, seed, task.strengths)
        # Fetched one late: a block is read while the device computes the one before.
        total, latest = total + float(latest), loss
    total += float(latest)
    return state, total, task.row_losses(program, state[0], held_out)
