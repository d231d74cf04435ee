"""One training of a network, from its start to the comparison with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import _engines as engines
from .._data import Batch, HeldOut, Scaling
from .._engines import Engine
from .._linear import LinearPath, PrincipalAxes
from .._networks import NetworkSpec, initial_weights
from ._config import TrainingConfig
from ._data import TrainingData
from ._loop import EpochReport, TrainingResult, train
from ._phases import Phase, phases, weight_scales
from ._selection import Comparison, compared
from ._space import TrainingSpace


@dataclass(frozen=True)
class TrainingRun:
    """A network at its start, and the rows that train it.

    All weights that go in or come out are those of a network that sees features.

    Parameters
    ----------
    config : TrainingConfig
        What trains, in the coordinates of the space.

    spec : NetworkSpec
        The network that sees features.

    space : TrainingSpace
        The coordinates in training.

    baseline : dict
        Weights at the start, in these coordinates.

    data : TrainingData
        Rows, in these coordinates.

    phases : list of Phase
        What to do, one after the other.
    """

    config: TrainingConfig
    spec: NetworkSpec
    space: TrainingSpace
    baseline: dict
    data: TrainingData
    phases: list[Phase]

    @classmethod
    def prepare(
        cls,
        config: TrainingConfig,
        rows: Batch,
        held_out: HeldOut,
        axes: PrincipalAxes | None,
        linear: LinearPath | None,
        scaling: Scaling,
        rng: np.random.RandomState,
    ) -> TrainingRun:
        """Draw the weights at the start and split the rows.

        Parameters
        ----------
        config : TrainingConfig
            The network, the objective and the optimizer.

        rows : Batch
            All rows, in the data's units.

        held_out : HeldOut
            Which of them to hold out.

        axes, linear : PrincipalAxes and LinearPath, or None
            PCA of the rows, and the linear model at the start.

        scaling : Scaling
            Between the data's units and the network's.

        rng : RandomState
            Draws weights and shuffles rows.
        """
        spec = config.spec
        space = TrainingSpace.of(config, rows.wanted, scaling, rng)
        config, units = space.config(config), space.units()
        scales = weight_scales(config, space.principal_axes(axes), units)
        baseline = initial_weights(
            config.networks, space.linear_path(linear), scales, rng
        )
        rows, split = held_out.split(rows, rng)
        data = TrainingData.of(config, space.rows(rows), split, units, scales)
        steps = phases(config, data, scales)
        return cls(config, spec, space, baseline, data, steps)

    @property
    def epochs_per_phase(self) -> list[int]:
        """Most epochs of each phase that has any."""
        most = [phase.schedule.max_iter for phase in self.phases]
        return [n_epochs for n_epochs in most if n_epochs]

    @property
    def start(self) -> dict:
        """The weights at the start."""
        return self.in_features(self.baseline)

    def in_features(self, weights: dict) -> dict:
        """Return weights that see features, of weights in training."""
        return self.space.to_features(weights, self.spec)

    def train(
        self,
        earlier: dict | None,
        on_epoch: Callable[[EpochReport], bool],
        rng: np.random.RandomState,
    ) -> TrainingResult:
        """Train from ``earlier`` weights if there are any, else from the start."""
        weights = self.baseline
        if earlier is not None:
            weights = self.space.to_coordinates(earlier, self.spec)
        n_threads = engines.backend().n_threads
        return train(self._engine, weights, self.phases, rng, on_epoch, n_threads)

    def compared(self, result: TrainingResult) -> Comparison:
        """Compare what training found with the start."""
        is_likelihood = self.config.objective.is_likelihood
        return compared(self._engine, self.baseline, result, self.data, is_likelihood)

    @property
    def _engine(self) -> Engine:
        return self.config.engine
