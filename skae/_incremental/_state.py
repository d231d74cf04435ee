"""What ``partial_fit`` remembers from batch to batch."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .._data import Batch, Scaling, Split, chunks, dense
from .._engines import State
from .._linear import LinearPath
from .._model import Box, NetworkCodec, squared_errors
from .._networks import NetworkSpec, WeightScales, initial_weights, with_linear_path
from .._training import (
    Schedule,
    TrainingConfig,
    TrainingData,
    TrainingResult,
    is_gain,
    train_once,
)
from ._label_stream import LabelStream
from ._running import RunningModel, RunningPCA


@dataclass(frozen=True)
class IncrementalState:
    """A network and the linear model of all rows so far, which it has to beat.

    Every batch evaluates both before they learn from it (prequential evaluation, Dawid
    1984), and again afterwards.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    scaling : Scaling
        Of the first batch. It stays, because the weights are in its units.

    linear : RunningModel or None
        The linear model. None before the first batch and without a linear path.

    state : State or None
        Weights and optimizer, as NumPy arrays. None where the linear model is the
        optimum.

    rng : RandomState
        Shuffles rows and seeds noise.

    labels : LabelStream or None
        What is known of the labels. None if they are ignored.

    losses : tuple of float
        Mean training loss of each batch.

    n_samples_seen : int
        Number of rows so far.

    seen : tuple of Box or None
        Around the rows so far and their codes, each with the network after its batch.

    optimizer : str
        Which optimizer made the state. It remembers what no other could use.

    network_is_better : bool
        Whether the network beat the linear model on the newest batch, before and after
        both learnt it. One pass over rows at another level may damage a network.
    """

    spec: NetworkSpec
    scaling: Scaling
    linear: RunningModel | None
    state: State | None
    rng: np.random.RandomState
    labels: LabelStream | None = None
    losses: tuple[float, ...] = ()
    n_samples_seen: int = 0
    seen: tuple[Box, Box] | None = None
    optimizer: str = ""
    network_is_better: bool = False

    @classmethod
    def begin(
        cls,
        config: TrainingConfig,
        scaling: Scaling,
        start: LinearPath | None,
        rng: np.random.RandomState,
    ) -> IncrementalState:
        """Return the state before the first batch, given the linear model of it."""
        if config.needs_no_network:
            return cls(config.spec, scaling, None, None, rng)
        weights = initial_weights(config.networks, start, WeightScales(1.0), rng)
        state, optimizer = config.engine.init(weights), str(config.optimizer.spec)
        return cls(config.spec, scaling, None, state, rng, optimizer=optimizer)

    def after(
        self,
        X: Any,
        labels: LabelStream | None,
        linear: RunningModel | None,
        config: TrainingConfig,
    ) -> IncrementalState:
        """Return the state after one pass over a batch.

        Parameters
        ----------
        X : {ndarray, CSR matrix} of shape (n_samples, n_features)
            The batch.

        labels : LabelStream or None
            Its labels.

        linear : RunningModel or None
            The linear model of all rows so far, with the batch.

        config : TrainingConfig
            How to train.
        """
        learned = replace(
            self,
            linear=linear,
            labels=None if labels is None else labels.without_values,
            n_samples_seen=self.n_samples_seen + X.shape[0],
        )
        if self.state is None:
            assert linear is not None
            return replace(learned, losses=(*self.losses, linear.loss))
        rng = copy.deepcopy(self.rng)
        split = Split.none(X.shape[0], rng)
        scales = WeightScales(1.0 if linear is None else linear.unexplained)
        batch, statistics = Batch(X), None
        if labels is not None:
            batch = batch._replace(label=labels.newest.for_training)
            statistics = labels.statistics
        data = TrainingData.of(config, batch, split, self.scaling, scales, statistics)
        was_better = self._beats_linear(X, data, config)
        rate = Schedule.of(config.parameters, config.optimizer, False).learning_rate
        state, loss = train_once(config.engine, self.state, data, rate, rng)
        if not np.isfinite(loss):
            state = self.state
        losses = (*self.losses, loss)
        learned = replace(learned, state=state, rng=rng, losses=losses)
        rows, codes = self.seen or learned.codec.nothing_seen()
        for chunk in chunks(X):
            part = dense(X[chunk])
            rows, codes = (
                rows.with_rows(part),
                codes.with_rows(learned.codec.encode(part)),
            )
        is_better = was_better and learned._beats_linear(X, data, config)
        return replace(learned, seen=(rows, codes), network_is_better=is_better)

    def _beats_linear(self, X: Any, data: TrainingData, config: TrainingConfig) -> bool:
        """Say whether the loss of the network on a batch is significantly lower.

        Without labels this is the error of the reconstruction, with labels the whole
        objective.
        """
        if not self.spec.linear_path:
            return True
        if not self.losses:
            return False
        assert self.linear is not None
        if isinstance(self.linear, RunningPCA):
            errors = squared_errors(self.linear.codec, X)
            return is_gain(errors - squared_errors(self.codec, X))
        assert self.state is not None
        ahead = (self.linear.mean - self.scaling.mean) / self.scaling.scale
        path = self.linear.path.centred_at(ahead)
        weights = self.state.weights
        linear = with_linear_path(config.networks, weights, path)
        with np.errstate(over="ignore", invalid="ignore"):
            before, after = (
                data.row_losses(config.engine, one, np.arange(X.shape[0]))
                for one in (linear, weights)
            )
            # Losses of rows far away may be infinite. Then this is no gain.
            return is_gain(before - after)

    @property
    def result(self) -> TrainingResult:
        """How training went so far."""
        losses = list(self.losses)
        is_finite = bool(np.isfinite(losses[-1]))
        ended: Literal["max_iter", "divergence"] = (
            "max_iter" if is_finite else "divergence"
        )
        known = None, min(losses), losses, None, [len(losses)]
        return TrainingResult({}, np.zeros(0), *known, ended)

    @property
    def codec(self) -> NetworkCodec:
        """The network as it is now."""
        assert self.state is not None
        return NetworkCodec.plain(self.spec, self.scaling, self.state.weights)

    @property
    def mean(self) -> np.ndarray:
        """Mean of all rows so far. Without a linear model that of the first batch."""
        return self.scaling.mean if self.linear is None else self.linear.mean
