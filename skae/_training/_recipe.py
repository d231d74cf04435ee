"""An estimator's training parameters, turned into what the engine takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._chunks import chunks, dense
from .._networks import Units
from .._objective import Objective, Strengths
from .._pca import PrincipalAxes
from .._scaling import Scaling
from .._spec import NetworkSpec
from ._feed import BLOCK_BYTES, feed
from ._jax_training import TrainingProgram
from ._optimizer import OptimizerSpec
from ._programs import training_program
from ._schedule import Schedule
from ._split import Split
from ._task import Stage, Task

_RATE = 0.002
"""Peak rate of an optimizer given by name."""

_RATE_IN_UNITS = 0.004
"""The same where weights are measured in units."""

_EXACT = 1e-7
"""Share of the variance that float32 on a grid of 2^-16 does not tell from none."""

_FEW_VALUES = 100_000
"""Rows times features up to which an encoder's own epochs are worth their time."""

_FEW_PER_FEATURE = 10
"""Rows for each feature up to which they are, whatever the values; these have to fit
into a block."""


@dataclass(frozen=True)
class Recipe:
    """How to train, before the data are known.

    Parameters
    ----------
    parameters : dict
        Parameters of the estimator, by name.

    objective : Objective
        What to minimise.

    optimizer : OptimizerSpec
        How.

    learning_rate : float or None
        Rate of the first step; None for what suits an optimizer given by name.

    decays : bool
        Whether the rate falls along a cosine; an instance's own rate stays as it is.
    """

    parameters: dict[str, Any]
    objective: Objective
    optimizer: OptimizerSpec
    learning_rate: float | None
    decays: bool

    @classmethod
    def of(cls, parameters: dict[str, Any], paired: bool = False) -> Recipe:
        """Read the parameters of an estimator, which may be shown damaged rows."""
        identifier, rate = parameters["optimizer"], parameters["learning_rate"]
        optimizer, own_rate = OptimizerSpec.of(identifier)
        decays = rate is not None or isinstance(identifier, str)
        if decays:
            optimizer = optimizer.with_constant_rate()
        if "likelihood" in parameters:
            objective = Objective.variational(parameters["likelihood"], paired)
        else:
            loss, corruption = parameters["loss"], parameters["corruption"]
            penalties = parameters["sparsity"] > 0, parameters["contraction"] > 0
            objective = Objective.of(loss, corruption, paired, *penalties)
        return cls(
            parameters,
            objective,
            optimizer,
            rate or own_rate,
            decays,
        )

    def rate(self, units: Units) -> float:
        """Return the rate of the first step."""
        if self.learning_rate is not None:
            return self.learning_rate
        # An optimizer with a schedule of its own ignores what it is handed.
        return _RATE if units.rows is None else _RATE_IN_UNITS

    def units(
        self, spec: NetworkSpec, axes: PrincipalAxes | None, scaling: Scaling
    ) -> Units:
        """Return what to measure a network's weights by.

        That is one where there is more to do than lower PCA's error, which then does
        not say how much there is to gain.
        """
        if axes is None:
            return Units(1.0)
        if not (spec.is_dense and self.objective.only_reconstructs):
            return Units(axes.unexplained)
        variances = axes.explained_variance / scaling.scale**2
        return Units.of(axes.components, variances, axes.unexplained)

    def task(
        self,
        program: TrainingProgram,
        X,
        scaling: Scaling,
        rng: np.random.RandomState,
        units: Units,
        holds_out: bool,
    ) -> Task:
        """Split the rows and make them ready for the device.

        The weight penalty is relative to the share of the variance that PCA leaves: a
        penalty on the scale of the whole variance would drown what there is to gain
        where PCA leaves little.
        """
        fraction = self.parameters["validation_fraction"] if holds_out else 0.0
        split = Split.draw(X.shape[0], fraction, rng)
        batch_size = self._batch_size(X.shape[0])
        seen = scaling.paired() if self.objective.paired else scaling
        low, high = self._extremes(X, seen)
        strengths = Strengths(
            np.float32(self.parameters["alpha"] * units.unexplained / units.left**2),
            np.float32(self.parameters.get("sparsity", 0.0)),
            np.float32(self.parameters.get("corruption_level", 0.0)),
            scaling.apply(np.zeros_like(scaling.mean)),
            np.float32(scaling.scale),
            low,
            high,
            np.float32(self.parameters.get("beta", 1.0)),
            np.float32(self.parameters.get("contraction", 0.0)),
            np.float32(1),
            np.float32(units.left),
            # Ones would be multiplied by all the same.
            None if units.rows is None else program.weight_units(units),
        )
        rows = feed(X, seen, batch_size, split.n_models, program.place)
        return Task(rows, split, strengths, batch_size, len(split.train[-1]))

    def _extremes(self, X, scaling: Scaling) -> tuple[np.float32, np.float32]:
        """Return the smallest and the largest value, if it is these that damage."""
        if self.objective.corruption != "salt_and_pepper":
            return np.float32(0), np.float32(0)
        scaled = (scaling.apply_for_training(dense(X[rows])) for rows in chunks(X))
        extremes = np.array([(rows.min(), rows.max()) for rows in scaled])
        return extremes[:, 0].min(), extremes[:, 1].max()

    def program(self, spec: NetworkSpec) -> TrainingProgram:
        """Return the program that trains the networks of ``spec`` in this way."""
        return training_program(
            spec, self.objective.on(spec.image_shape), self.optimizer
        )

    def is_solved_by_pca(self, spec: NetworkSpec) -> bool:
        """Whether PCA is the optimum: the linear autoencoder with squared error.

        Baldi & Hornik (1989); for the variational one Lucas et al. (2019).
        """
        if not spec.is_linear:
            return False
        if spec.likelihood is not None:
            return spec.likelihood == "gaussian" and self.parameters["beta"] == 1
        return self.objective.is_squared_error and self.objective.only_reconstructs

    def stages(self, program: TrainingProgram, task: Task, units: Units) -> list[Stage]:
        """Return what to train: the network, then where rows are few its encoder.

        Few rows teach a decoder more than an encoder. But once the decoder is given,
        every row has a best code, so the encoder can learn from rows that were never
        seen. Not where it is to see through damage, nor with batch statistics, which
        would be those of such rows.
        """
        spec = program.networks.spec
        schedule = self._schedule(spec, task, units)
        stages = [Stage(task, schedule)]
        projects = not self.objective.restores and self.objective.likelihood is None
        few = task.split.judges and _are_few(task.split.n_rows, spec.n_features)
        if few and projects and not program.networks.mixes_rows:
            stages.append(Stage(task.for_encoder(), schedule.for_encoder()))
        return stages

    def _schedule(self, spec: NetworkSpec, task: Task, units: Units) -> Schedule:
        """Return how long to train: not at all where PCA cannot be improved on.

        Nor on a sample with too few rows to tell progress from luck, nor where what PCA
        leaves is not much more than rounding.
        """
        undecidable = (
            spec.starts_at_pca
            and self.parameters["early_stopping"]
            and not task.split.judges
        )
        exact = self.objective.only_reconstructs and units.unexplained < _EXACT
        hopeless = undecidable or exact or self.is_solved_by_pca(spec)
        return Schedule(
            0 if hopeless else self.parameters["max_iter"],
            self.rate(units),
            self.decays,
            self.parameters["tol"],
            self.parameters["n_iter_no_change"],
        )

    def _batch_size(self, n_samples: int) -> int:
        if self.parameters["batch_size"] != "auto":
            return self.parameters["batch_size"]
        # About 35 steps an epoch, in powers of two so that folds share a program.
        return int(np.clip(2 ** np.round(np.log2(n_samples / 35)), 32, 512))


def _are_few(n_rows: int, n_features: int) -> bool:
    """Whether an encoder that trained on these rows has more to learn from others."""
    n_values = n_rows * n_features
    fit = n_values * np.float32().itemsize <= BLOCK_BYTES
    return n_values <= _FEW_VALUES or (fit and n_rows <= _FEW_PER_FEATURE * n_features)
