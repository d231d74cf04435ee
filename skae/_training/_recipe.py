"""An estimator's training parameters, turned into what the engine takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._objective import Objective, Strengths
from .._scaling import Scaling
from .._spec import NetworkSpec
from ._jax_training import TrainingProgram
from ._optimizer import OptimizerSpec
from ._schedule import Schedule
from ._split import Split
from ._task import Task

_LEARNING_RATE = 0.002
"""Peak rate of an optimizer given by name."""


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

    learning_rate : float
        Rate of the first step.

    decays : bool
        Whether the rate falls along a cosine; an instance's own rate stays as it is.
    """

    parameters: dict[str, Any]
    objective: Objective
    optimizer: OptimizerSpec
    learning_rate: float
    decays: bool

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Recipe:
        """Read the parameters of an estimator."""
        identifier, rate = parameters["optimizer"], parameters["learning_rate"]
        optimizer, own_rate = OptimizerSpec.of(identifier)
        if rate is None and isinstance(identifier, str):
            rate = _LEARNING_RATE
        decays = rate is not None
        if decays:
            optimizer = optimizer.with_constant_rate()
        return cls(
            parameters,
            Objective.of(parameters["loss"], parameters["corruption"]),
            optimizer,
            # An optimizer with a schedule of its own ignores the rate it is handed.
            rate or own_rate or 0.0,
            decays,
        )

    def task(
        self,
        program: TrainingProgram,
        X: np.ndarray,
        scaling: Scaling,
        rng: np.random.RandomState,
    ) -> Task:
        """Scale and split the rows."""
        rows = scaling.apply_for_training(X)
        split = Split.draw(
            len(X),
            self.parameters["validation_fraction"]
            if self.parameters["early_stopping"]
            else 0.0,
            rng,
        )
        batch_size = self._batch_size(len(X))
        strengths = Strengths(
            np.float32(self.parameters["alpha"]),
            np.float32(self.parameters["sparsity"]),
            np.float32(self.parameters["corruption_level"]),
            scaling.apply(np.zeros_like(scaling.mean)),
            rows.min(),
            rows.max(),
        )
        return Task(program.place(rows, batch_size), split, strengths, batch_size)

    def schedule(self, spec: NetworkSpec, task: Task) -> Schedule:
        """Return how long to train: not at all where PCA cannot be improved on.

        That is the linear autoencoder with squared error, whose optimum PCA is (Baldi
        & Hornik 1989), and a sample with too few rows to tell progress from luck.
        """
        optimal = spec.is_linear and (
            self.objective.is_squared_error and not self.parameters["sparsity"]
        )
        undecidable = (
            spec.starts_at_pca
            and self.parameters["early_stopping"]
            and not task.split.judges
        )
        return Schedule(
            0 if optimal or undecidable else self.parameters["max_iter"],
            self.learning_rate,
            self.decays,
            self.parameters["tol"],
            self.parameters["n_iter_no_change"],
        )

    def _batch_size(self, n_samples: int) -> int:
        if self.parameters["batch_size"] != "auto":
            return self.parameters["batch_size"]
        # About forty steps an epoch, in powers of two so that folds share a program.
        return int(np.clip(2 ** np.round(np.log2(n_samples / 40)), 32, 256))
