"""One training of a network: its start, its rows, its epochs, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .. import _backends as backends
from .._backends import Engine, HyperParameters, State
from .._data import (
    BLOCK_BYTES,
    AugmentingLoader,
    Batch,
    Block,
    DaskLoader,
    DaskSplit,
    InMemoryLoader,
    Loader,
    Scaling,
    Split,
    loader,
    shared_capacity,
)
from .._inference import NetworkModel
from .._losses import DataSummary
from .._losses.penalties import WeightPenalty
from .._networks import WeightScales, initial_weights, scales_of_weights
from ._problem import History, Problem
from ._projection import RowSpace, SpareUnits
from ._schedule import Progress, Schedule

_NEW_ROWS = 4
"""New rows made of each known row, for an encoder that trains alone. They cost nothing,
and larger mini-batches of them give more exact gradients."""

_FEW_VALUES = 100_000
"""Up to so many values, rows times features, there is a second phase."""

_FEW_PER_FEATURE = 10
"""Up to so many rows for each feature there is one too, if the rows fit in a block."""


@dataclass(frozen=True)
class TrainingData:
    """What an engine gets in one phase of a training.

    Parameters
    ----------
    loader : Loader
        All rows, on their way to the device.

    split : Split
        Which of them train and which are held out.

    hyper : HyperParameters
        Numbers of the objective.

    batch_size : int
        Rows in a mini-batch.

    n_rows : int
        Rows in an epoch.

    trains_decoder : bool
        Whether the decoder trains, too.
    """

    loader: Loader
    split: Split
    hyper: HyperParameters
    batch_size: int
    n_rows: int
    trains_decoder: bool = True

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")]
    }

    @classmethod
    def of(
        cls,
        problem: Problem,
        X: Batch,
        split: Split,
        scaling: Scaling,
        scales: WeightScales,
    ) -> TrainingData:
        """Make rows ready for the device, and compute the objective's coefficients."""
        parameters, place = problem.parameters, problem.engine.place
        data = DataSummary(X, scaling, scales.unexplained)
        hyper = HyperParameters(
            problem.objective.coefficients(parameters, data),
            alpha=WeightPenalty.strength(parameters, scales),
            residual=np.float32(scales.residual),
            weight_scales=scales_of_weights(problem.networks, scales),
        )
        batch_size = _batch_size(parameters["batch_size"], X.n_rows // split.n_copies)
        if isinstance(X.input, DaskSplit):
            rows: Loader = DaskLoader.of(X.input, scaling, batch_size, place)
        else:
            rows = loader(X, scaling, batch_size, len(split.train), place)
        n_rows = len(split.train[-1]) // split.n_copies
        return cls(rows, split, hyper, batch_size, n_rows)

    def for_encoder(self) -> TrainingData:
        """Return the data of an encoder that trains alone, on augmented rows."""
        assert isinstance(self.loader, InMemoryLoader)
        return replace(
            self,
            loader=AugmentingLoader(self.loader, _NEW_ROWS),
            hyper=self.hyper._replace(alpha=np.float32(0)),
            batch_size=_NEW_ROWS * self.batch_size,
            n_rows=_NEW_ROWS * self.n_rows,
            trains_decoder=False,
        )

    @property
    def n_batches(self) -> int:
        """Number of steps in an epoch."""
        return -(-self.n_rows // self.batch_size)

    def trained_by(self, engine: Engine) -> Engine:
        """Return what trains, given what trains the whole network."""
        return engine if self.trains_decoder else engine.for_encoder()

    def shuffled_epoch(
        self, rows: Any, rng: np.random.RandomState
    ) -> tuple[np.uint32, Iterator[Block]]:
        """Return the seed of the noise and the blocks of a pass over some rows."""
        seed = rng.randint(2**32, dtype=np.uint32)
        return seed, self.loader.shuffled(rows, self.n_rows, rng)

    def row_losses(self, engine: Engine, weights: Any, rows: Any) -> np.ndarray:
        """Return the loss of each of the rows, given by their numbers."""
        if len(rows) == 0:
            return np.zeros(0)
        blocks = self.loader.in_order(rows)
        return np.concatenate(
            [_block_losses(engine, weights, block, self.hyper) for block in blocks]
        )

    def mean_losses(self, engine: Engine, models: list) -> list[float]:
        """Return the mean loss of all rows for each of several weights, in one pass."""
        totals = np.zeros(len(models))
        for block in self.loader.in_order(range(self.split.n_rows)):
            for number, weights in enumerate(models):
                losses = _block_losses(engine, weights, block, self.hyper)
                totals[number] += losses.sum()
        return list(totals / self.split.n_rows)


def _block_losses(
    engine: Engine, weights: Any, block: Block, hyper: HyperParameters
) -> np.ndarray:
    losses = np.asarray(engine.row_losses(weights, block, hyper))
    return losses.ravel()[: block.n_rows].astype(np.float64)


def _batch_size(wanted: int | str, n_rows: int) -> int:
    if not isinstance(wanted, str):
        # A larger mini-batch would be filled up with rows that do not count.
        return min(wanted, shared_capacity(n_rows))
    # About 35 steps in an epoch. Powers of two let the folds share a program.
    return int(np.clip(2 ** np.round(np.log2(n_rows / 35)), 32, 512))


class Phase(NamedTuple):
    """Epochs with one aim.

    Parameters
    ----------
    data : TrainingData
        What to train on.

    schedule : Schedule
        How long and how fast.
    """

    data: TrainingData
    schedule: Schedule


def phases(problem: Problem, data: TrainingData, scales: WeightScales) -> list[Phase]:
    """Return the phases of a training.

    First the whole network trains. On small or wide data a second phase freezes the
    decoder and trains the encoder on augmented rows. Few rows teach a decoder more than
    an encoder. But once the decoder is given, every row has a best code, and so the
    encoder can learn from rows that were never observed.

    There is no second phase for a network that restores damaged rows or is variational,
    or that keeps statistics of mini-batches: these would be those of augmented rows.

    There is no training at all where PCA cannot be improved on, on so few rows that
    progress cannot be told from luck, or where PCA leaves not much more than rounding
    errors.
    """
    schedule = Schedule.of(problem, rescaled=scales.rows is not None)
    holds_out, linear_path = data.split.holds_out, problem.spec.linear_path
    undecidable = linear_path and problem.parameters["early_stopping"] and not holds_out
    if undecidable or problem.starts_at_optimum:
        schedule = replace(schedule, max_iter=0)
    # Say whether the encoder can learn more from other rows than from these.
    n_rows, n_features = data.split.n_rows, problem.spec.n_features
    n_values = n_rows * n_features
    fits = n_values * np.float32().itemsize <= BLOCK_BYTES
    few = n_values <= _FEW_VALUES or (fits and n_rows <= _FEW_PER_FEATURE * n_features)
    sees_targets = not (problem.is_denoising or problem.has_missing_values)
    in_memory = holds_out and isinstance(data.loader, InMemoryLoader)
    alone = few and in_memory and sees_targets and not problem.is_likelihood
    if not alone or problem.engine.mixes_rows:
        return [Phase(data, schedule)]
    first, last = schedule.in_two_phases()
    return [Phase(data, first), Phase(data.for_encoder(), last)]


class EpochReport(NamedTuple):
    """What a listener is told after an epoch.

    Parameters
    ----------
    history : History
        That of a training which ends here.

    weights : callable
        Fetches the weights of the model to keep, after the epoch.
    """

    history: History
    weights: Callable[[], dict]


StoppedBy = Literal["max_iter", "no_change", "no_gain", "callback", "divergence"]
"""Why a training ended."""


@dataclass(frozen=True)
class TrainingResult:
    """The best weights, and how training went.

    Parameters
    ----------
    weights : dict
        Best weights of the model to keep.

    validation_losses : ndarray
        With these weights the loss of each row that decides, model after model.

    history : History
        How training went.

    stopped_by : str
        Why it ended.
    """

    weights: dict
    validation_losses: np.ndarray
    history: History
    stopped_by: StoppedBy


@dataclass(frozen=True)
class Start:
    """Where a training starts: the coordinates of its rows, and weights for them.

    Parameters
    ----------
    problem : Problem
        What trains, in the coordinates of ``space``.

    space : RowSpace or None
        The coordinates. None stands for features.

    scales : WeightScales
        What weights are rescaled by.

    weights : dict
        Weights in these coordinates.

    spare_units : SpareUnits or None
        Code units that only training has.
    """

    problem: Problem
    space: RowSpace | None
    scales: WeightScales
    weights: dict
    spare_units: SpareUnits | None = None

    @classmethod
    def draw(cls, problem: Problem, X: Any, rng: np.random.RandomState) -> Start:
        """Draw the weights that the linear model does not give.

        Weights are not rescaled if there is more to do than reconstruct: then PCA's
        error does not say how much there is to gain.

        Parameters
        ----------
        problem : Problem
            What trains.

        X : {array, CSR matrix} of shape (n_rows, n_features)
            What the network should return, in the data's units.

        rng : RandomState
            Draws weights.
        """
        # Choose the coordinates of the rows.
        spec, linear = problem.spec, problem.linear
        scaling, components = problem.scaling, linear.components
        path = linear.weights(scaling, spec.likelihood) if spec.linear_path else None
        space = RowSpace.of(problem, X, rng)
        if space is not None:
            problem, scaling = problem.with_features(len(space.axes)), space.scaling
            components = components @ space.axes.T
            path = None if path is None else space.linear_weights(path)

        # Draw weights in the scale of these coordinates.
        if not spec.linear_path:
            scales = WeightScales(1.0)
        elif spec.is_dense and problem.only_reconstructs:
            variances = linear.explained_variance / scaling.scale**2
            scales = WeightScales.of(components, variances, linear.unexplained)
        else:
            scales = WeightScales(linear.unexplained_by_pca)
        weights = initial_weights(problem.networks, path, scales, rng)

        # Add units that other numbers of components need.
        spare = SpareUnits.of(problem)
        if spare is not None:
            problem = replace(problem, spec=spare.wide)
            scales = scales.of_codes(spare.wide.n_components)
            weights = spare.added(weights)
        return cls(problem, space, scales, weights, spare)

    def to_model(self, weights: dict) -> dict:
        """Return weights of the network that is kept, of the one that trains."""
        if self.spare_units is not None:
            weights = self.spare_units.removed(weights)
        return weights if self.space is None else self.space.to_features(weights)

    def from_model(self, weights: dict) -> dict:
        """Return weights of the network that trains, of the one that is kept."""
        if self.space is not None:
            weights = self.space.to_coordinates(weights)
        return weights if self.spare_units is None else self.spare_units.added(weights)


@dataclass(frozen=True)
class Trainer:
    """A network at its start, and the rows that train it.

    Parameters
    ----------
    problem : Problem
        What trains, with weights that see features.

    X : {array, CSR matrix, DaskRows} of shape (n_rows, n_features)
        What the network should return.

    start : Start
        Where training starts.

    phases : list of Phase
        What to do, one after the other. The same rows evaluate all phases.
    """

    problem: Problem
    X: Any
    start: Start
    phases: list[Phase]

    @classmethod
    def of(
        cls,
        problem: Problem,
        X: Any,
        start: Start,
        rows: Batch,
        split: Split,
        *,
        trains_decoder: bool = True,
    ) -> Trainer:
        """Return the training of rows in the data's units.

        Parameters
        ----------
        problem, X, start
            As those of the trainer.

        rows : Batch
            All rows that train or are held out.

        split : Split
            Which do which.

        trains_decoder : bool
            Whether the decoder trains, too.
        """
        scaling = problem.scaling
        if start.space is not None:
            rows, scaling = start.space.rows(rows), start.space.scaling
        data = TrainingData.of(start.problem, rows, split, scaling, start.scales)
        data = replace(data, trains_decoder=trains_decoder)
        return cls(problem, X, start, phases(start.problem, data, start.scales))

    @property
    def n_epochs(self) -> int:
        """Most epochs of all phases."""
        n_epochs = 0
        for phase in self.phases:
            n_epochs += phase.schedule.max_iter
        return n_epochs

    def network(
        self, weights: dict, kind: Literal["linear", "network"] = "network"
    ) -> NetworkModel:
        """Return the network with weights of this training, and its codes on ``X``."""
        problem, spec = self.problem, self.problem.spec
        weights = self.start.to_model(weights)
        parameters, linear = problem.parameters, problem.linear
        keeps_linear = problem.extrapolates or problem.has_missing_values
        # A variational autoencoder's prior sets the scale and directions of its codes.
        has_own_codes = parameters.get("sparsity") or problem.is_likelihood
        return NetworkModel.of_weights(
            spec, problem.scaling, weights, kind
        ).with_canonical_codes(
            self.X,
            linear if keeps_linear else None,
            extrapolate=problem.extrapolates,
            rotate=not has_own_codes and spec.has_linear_codes,
            whiten=parameters.get("whiten", False),
        )

    def fit(
        self,
        rng: np.random.RandomState,
        on_epoch: Callable[[EpochReport], bool] = lambda report: False,
        earlier: dict | None = None,
        *,
        keep_start: bool = True,
    ) -> TrainingResult:
        """Train from ``earlier`` weights if there are any, else from the start.

        ``on_epoch`` is called after each epoch. Training stops if it returns a true
        value. The start is a candidate for the best, unless ``keep_start`` is false.
        """
        weights = self.start.weights
        if earlier is not None:
            weights = self.start.from_model(earlier)
        engine, n_threads = self.start.problem.engine, backends.backend().n_threads
        return train(engine, weights, self.phases, rng, on_epoch, n_threads, keep_start)


def train(
    engine: Engine,
    weights: dict,
    phases: list[Phase],
    rng: np.random.RandomState,
    on_epoch: Callable[[EpochReport], bool] = lambda report: False,
    n_threads: int = 1,
    keep_start: bool = True,
) -> TrainingResult:
    """Minimise the engine's objective from the given weights.

    Parameters
    ----------
    engine : Engine
        What trains and evaluates.

    weights : dict
        Where to start.

    phases : list of Phase
        What to do, one after the other. Each phase starts at the best epoch so far,
        with a fresh optimizer. The same rows evaluate all phases.

    rng : RandomState
        Shuffles the rows and seeds the noise.

    on_epoch : callable
        Called after each epoch. Training stops if it returns a true value.

    n_threads : int
        How many models train at the same time.

    keep_start : bool
        Whether the start is a candidate for the best weights.

    Returns
    -------
    TrainingResult
    """
    # Evaluate the start.
    data, _ = phases[0]
    split, n_models = data.split, len(data.split.train)
    evaluated = split.held_out if split.holds_out else split.train
    values = np.concatenate(
        [data.row_losses(engine, weights, rows) for rows in evaluated]
    )
    start = [weights] * n_models, values
    start_loss = values.mean() if keep_start else np.inf
    progress = Progress(start, start_loss, start)
    losses: list[float] = []
    held_out: list[float] | None = [] if split.holds_out else None
    n_iter: list[int] = []

    # Train epoch after epoch and keep the best.
    with thread_map(n_models, n_threads) as each:
        for data, schedule in phases:
            progress = progress.in_phase(schedule)
            states = list(map(data.trained_by(engine).init, progress.trained[0]))
            for epoch in range(schedule.max_iter):
                rates = schedule.rates(epoch, data.n_batches)
                states, loss, values = _epoch(engine, data, rates, states, each, rng)
                n_iter = [*n_iter[: len(n_iter) - bool(epoch)], epoch + 1]
                losses.append(loss)
                monitored = loss if held_out is None else values.mean()
                if held_out is not None:
                    held_out.append(monitored)
                candidate = [state.weights for state in states], values
                progress = progress.after(candidate, loss, monitored, schedule)
                if progress.stopped_by == "divergence":
                    break
                history = _history(progress, losses, held_out, n_iter)
                fetch = partial(engine.fetch, states[-1].weights)
                if on_epoch(EpochReport(history, fetch)):
                    progress = replace(progress, stopped_by="callback")
                if progress.stopped_by is not None:
                    break
            # What has gained nothing so far hardly ever gains in a second phase.
            is_hopeless = bool(held_out) and not progress.has_gained
            if progress.stopped_by in ("divergence", "callback") or is_hopeless:
                break

    # Fetch the best weights.
    models, values = progress.best
    history = _history(progress, losses, held_out, n_iter)
    stopped_by = progress.stopped_by or "max_iter"
    return TrainingResult(engine.fetch(models[-1]), values, history, stopped_by)


def _history(
    progress: Progress,
    losses: list[float],
    held_out: list[float] | None,
    n_iter: list[int],
) -> History:
    """Return the history so far. The start is an iteration where it is the only one."""
    best_loss = float(progress.best_loss)
    return History(
        float(progress.start_loss),
        best_loss,
        list(losses) or [best_loss],
        None if held_out is None else list(held_out) or [best_loss],
        list(n_iter) or [1],
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
    # Drawn here one after the other: threads would draw in any order.
    epochs = [data.shuffled_epoch(rows, rng) for rows in data.split.train]
    learn = partial(_pass, engine, data, rates)
    learned = list(each(learn, states, epochs, data.split.held_out))
    states = [state for state, _, _ in learned]
    values = np.concatenate([losses for _, _, losses in learned])
    return states, learned[-1][1] / data.n_rows, values


def _pass(engine, data: TrainingData, rates, state: State, shuffled, held_out):
    """Return a model's state after a pass, its summed loss, and its held-out losses."""
    seed, blocks = shuffled
    trains = data.trained_by(engine)
    total, latest = 0.0, np.float32(0)
    for block in blocks:
        due = np.resize(rates[block.first :], len(block.order))
        state, loss = trains.train(state, block, due, seed, data.hyper)
        # Fetched one late: a block is read while the device computes the one before.
        total, latest = total + float(latest), loss
    total += float(latest)
    return state, total, data.row_losses(engine, state.weights, held_out)


@contextmanager
def thread_map(n_models: int, n_threads: int) -> Iterator[Callable]:
    """Yield a ``map`` that calls a function for several models at once, in threads.

    The products of a small network are too small to share between cores, so one network
    keeps one core busy. Compiled code runs outside Python's lock.
    """
    n_threads = min(n_models, n_threads)
    if n_threads == 1:
        yield map
        return
    with ThreadPoolExecutor(n_threads) as threads:
        yield threads.map
