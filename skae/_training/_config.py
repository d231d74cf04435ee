"""What is trained and how, before the data are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .. import _engines as engines
from .._engines import Engine, OptimizerChoice
from .._networks import Networks, NetworkSpec
from .._objective import Objective, Term


@dataclass(frozen=True)
class TrainingConfig:
    """A network, an objective and an optimizer.

    Parameters
    ----------
    parameters : dict
        The estimator's parameters, by name.

    spec : NetworkSpec
        The network.

    objective : Objective
        What to minimise.

    has_targets : bool
        Whether every row comes with the row that the network should return.
    """

    parameters: dict[str, Any]
    spec: NetworkSpec
    objective: Objective
    has_targets: bool = False

    @classmethod
    def of(
        cls,
        parameters: dict[str, Any],
        terms: tuple[type[Term], ...],
        spec: NetworkSpec,
        has_targets: bool = False,
    ) -> TrainingConfig:
        """Read the parameters of an estimator whose objective has such terms."""
        objective = Objective.of(terms, parameters).on(spec)
        return cls(parameters, spec, objective, has_targets)

    @property
    def restores(self) -> bool:
        """Whether the network sees something else than it should return."""
        return self.has_targets or self.objective.changes_rows

    @property
    def only_reconstructs(self) -> bool:
        """Whether the objective is nothing but a loss of reconstructions."""
        return self.objective.is_plain_loss and not self.has_targets

    @property
    def minimises_squared_error(self) -> bool:
        """Whether the objective is nothing but the squared error."""
        squared = self.objective.keeps_linear_optimum(self.parameters)
        return self.only_reconstructs and squared and not self.objective.is_likelihood

    @property
    def has_closed_form(self) -> bool:
        """Whether the linear model is the optimum, so that there is nothing to train.

        Baldi & Hornik (1989). For the variational autoencoder Lucas et al. (2019).
        """
        optimal = self.objective.keeps_linear_optimum(self.parameters)
        return self.spec.is_linear and optimal and not self.has_targets

    @property
    def needs_no_network(self) -> bool:
        """Whether the optimum is a linear model that NumPy computes."""
        return self.has_closed_form and not self.objective.is_likelihood

    @cached_property
    def optimizer(self) -> OptimizerChoice:
        """Which optimizer, and its rate."""
        return OptimizerChoice.of(self.parameters)

    @property
    def engine(self) -> Engine:
        """What trains, shared with all equal configurations."""
        return engines.engine(self.spec, self.objective, self.optimizer.spec)

    @property
    def networks(self) -> Networks:
        """The Keras models."""
        return engines.networks(self.spec)
