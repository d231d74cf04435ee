"""The loop over epochs: keep the best weights, know when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from .._engines import Engine, State
from ._data import TrainingData
from ._phases import Phase
from ._progress import Progress
from ._threads import thread_map


@dataclass(frozen=True)
class EpochReport:
    """What a listener is told after an epoch.

    Parameters
    ----------
    epoch : int
        Number of the epoch, from 1.

    loss : float
        Mean training loss over the epoch.

    validation_loss : float or None
        Mean loss of the held-out rows after the epoch.

    weights : callable
        Fetches the weights of the model to keep, after the epoch.

    start_loss, best_loss, loss_curve, validation_loss_curve, n_iter_per_phase
        As those of a ``TrainingResult`` that ends here.
    """

    epoch: int
    loss: float
    validation_loss: float | None
    weights: Callable[[], dict]
    start_loss: float
    best_loss: float
    loss_curve: list[float]
    validation_loss_curve: list[float] | None
    n_iter_per_phase: list[int]

    def __str__(self) -> str:
        line = f"Iteration {self.epoch}, loss = {self.loss:.8f}"
        if self.validation_loss is not None:
            line += f", validation loss = {self.validation_loss:.8f}"
        return line


@dataclass(frozen=True)
class TrainingResult:
    """The best weights, iteration 0 included, and how training went.

    Parameters
    ----------
    weights : dict
        Best weights of the model to keep.

    validation_losses : ndarray
        With these weights the loss of each row that decides, model after model.

    start_loss : float or None
        The mean of these losses before the first epoch, if it is known.

    best_loss : float
        Their mean: the lowest of the losses that decide.

    loss_curve : list of float
        Mean training loss of each epoch, phase after phase.

    validation_loss_curve : list of float or None
        Mean loss of the held-out rows after each epoch.

    n_iter_per_phase : list of int
        Number of epochs of each phase that had any.

    stopped_by : {"max_iter", "no_change", "callback", "divergence", "closed_form"}
        Why training ended.
    """

    weights: dict
    validation_losses: np.ndarray
    start_loss: float | None
    best_loss: float
    loss_curve: list[float]
    validation_loss_curve: list[float] | None
    n_iter_per_phase: list[int]
    stopped_by: Literal[
        "max_iter", "no_change", "callback", "divergence", "closed_form"
    ]

    @classmethod
    def closed_form(cls, loss: float) -> TrainingResult:
        """Return the result of a closed form, which counts as one iteration."""
        return cls({}, np.zeros(0), loss, loss, [loss], None, [1], "closed_form")


def train(
    engine: Engine,
    weights: dict,
    phases: list[Phase],
    rng: np.random.RandomState,
    on_epoch: Callable[[EpochReport], bool] = lambda report: False,
    n_threads: int = 1,
) -> TrainingResult:
    """Minimise the engine's objective from the given weights.

    Parameters
    ----------
    engine : Engine
        What trains and evaluates.

    weights : dict
        Where to start. They are a candidate for the best.

    phases : list of Phase
        What to do, one after the other. Each phase starts at the best epoch so far,
        with a fresh optimizer. The same rows evaluate all phases.

    rng : RandomState
        Shuffles the rows and seeds the noise.

    on_epoch : callable
        Called after each epoch. Training stops if it returns a true value.

    n_threads : int
        How many models train at the same time.

    Returns
    -------
    TrainingResult
    """
    data, _ = phases[0]
    split = data.split
    values = np.concatenate(
        [data.row_losses(engine, weights, rows) for rows in split.evaluated]
    )
    models: list[Any] = [weights] * split.n_models
    progress = Progress.at((models, values), values.mean())
    losses: list[float] = []
    validation_losses: list[float] = []
    n_epochs: list[int] = []
    with thread_map(split.n_models, n_threads) as each:
        for data, schedule in phases:
            progress = progress.in_phase(schedule)
            states = [engine.init(model) for model in progress.trained[0]]
            n_before = len(losses)
            for epoch in range(schedule.max_iter):
                rates = schedule.rates(epoch, data.n_batches)
                states, loss, values = _epoch(engine, data, rates, states, each, rng)
                losses.append(loss)
                monitored = values.mean() if split.holds_out else loss
                validation_losses.append(monitored)
                models = [state.weights for state in states]
                candidate = models, values
                progress = progress.after(candidate, loss, monitored, schedule)
                if progress.stopped_by == "divergence":
                    break
                report = EpochReport(
                    len(losses),
                    loss,
                    monitored if split.holds_out else None,
                    partial(engine.fetch, models[-1]),
                    float(progress.start_loss),
                    float(progress.best_loss),
                    list(losses),
                    list(validation_losses) if split.holds_out else None,
                    [*n_epochs, epoch + 1],
                )
                if on_epoch(report):
                    progress = replace(progress, stopped_by="callback")
                if progress.stopped_by is not None:
                    break
            n_epochs += [len(losses) - n_before] if len(losses) > n_before else []
            if progress.stopped_by in ("divergence", "callback"):
                break
    models, values = progress.best
    best_loss = float(progress.best_loss)
    return TrainingResult(
        engine.fetch(models[-1]),
        values,
        float(progress.start_loss),
        best_loss,
        # The start counts as one iteration where it is the last one, too.
        losses or [best_loss],
        (validation_losses or [best_loss]) if split.holds_out else None,
        n_epochs or [1],
        progress.stopped_by or "max_iter",
    )


def train_once(
    engine: Engine,
    state: State,
    data: TrainingData,
    rate: float,
    rng: np.random.RandomState,
) -> tuple[State, float]:
    """Train one model for one pass at a constant rate.

    Parameters
    ----------
    engine : Engine
        What trains.

    state : State
        Before the pass.

    data : TrainingData
        The rows, all of which train.

    rate : float
        Learning rate.

    rng : RandomState
        Shuffles the rows and seeds the noise.

    Returns
    -------
    state : State
        After the pass, as NumPy arrays.

    loss : float
        Mean loss of the rows.
    """
    rates = np.full(data.n_batches, rate, np.float32)
    (state,), loss, _ = _epoch(engine, data, rates, [state], map, rng)
    return engine.fetch(state), loss


def _epoch(engine, data: TrainingData, rates: np.ndarray, states: list, each, rng):
    """Return the models' states after a pass, the last one's loss, and row losses.

    Every model takes as many steps as the last one, the one to keep. So an epoch means
    the same to all.
    """
    split = data.split
    # Drawn here one after the other: threads would draw in any order.
    epochs = [data.shuffled_epoch(rows, rng) for rows in split.train]
    learn = partial(_pass, engine, data, rates)
    learned = list(each(learn, states, epochs, split.held_out))
    states = [state for state, _, _ in learned]
    values = np.concatenate([losses for _, _, losses in learned])
    return states, learned[-1][1] / data.n_rows, values


def _pass(engine, data: TrainingData, rates, state: State, shuffled, held_out):
    """Return a model's state after a pass, its summed loss, and its held-out losses."""
    seed, blocks = shuffled
    total, latest = 0.0, np.float32(0)
    for block in blocks:
        due = np.resize(rates[block.first :], len(block.order))
        state, loss = engine.train(state, block, due, seed, data.hyper)
        # Fetched one late: a block is read while the device computes the one before.
        total, latest = total + float(latest), loss
    total += float(latest)
    return state, total, data.row_losses(engine, state.weights, held_out)
