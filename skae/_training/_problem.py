"""What is trained and how, and how that went: plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .. import _backends as backends
from .._backends import Engine, OptimizerChoice
from .._data import Scaling
from .._linear import LinearModel
from .._losses import Objective, Term
from .._networks import Networks, NetworkSpec

_NEGLIGIBLE = 1e-7
"""Where PCA leaves a smaller fraction of the variance, it is kept. Float32 does not
tell such a fraction from none."""


@dataclass(frozen=True)
class Problem:
    """A network, an objective and a linear model, and what follows from them.

    Parameters
    ----------
    parameters : dict
        The estimator's parameters, by name.

    spec : NetworkSpec
        The network.

    objective : Objective
        What to minimise.

    linear : LinearModel
        The linear model of the rows. Training starts there if the network has a linear
        path.

    is_likelihood : bool
        Whether the loss is a negative log-likelihood.

    is_denoising : bool
        Whether the network learns to restore damaged rows.

    has_missing_values : bool
        Whether rows have missing values.

    only_reconstructs : bool
        Whether the network sees what it should return, and nothing else counts.

    minimises_squared_error : bool
        Whether, in addition, the loss is the squared error.

    is_linear : bool
        Whether the linear model is the optimum, so that there is nothing to train:
        Baldi & Hornik (1989), and Lucas et al. (2019) for the variational autoencoder.

    extrapolates : bool
        Whether the linear model continues the network beyond its training range. A
        variational autoencoder says by its likelihood how far to trust it. A network
        that restores damaged rows was trained beyond the data.
    """

    parameters: dict[str, Any]
    spec: NetworkSpec
    objective: Objective
    linear: LinearModel
    is_likelihood: bool
    is_denoising: bool
    has_missing_values: bool
    only_reconstructs: bool
    minimises_squared_error: bool
    is_linear: bool
    extrapolates: bool

    @classmethod
    def of(
        cls,
        parameters: dict[str, Any],
        terms: tuple[type[Term], ...],
        spec: NetworkSpec,
        linear: LinearModel,
        *,
        has_clean_rows: bool = False,
        has_missing_values: bool = False,
    ) -> Problem:
        """Read the parameters of an estimator whose objective has such terms.

        Parameters
        ----------
        parameters, spec, linear, has_missing_values
            As those of the problem.

        terms : tuple of type
            Kinds of terms.

        has_clean_rows : bool
            Whether every row comes with its undamaged version.
        """
        objective = Objective.of(terms, parameters, spec)
        roles, is_optimal = objective.roles, objective.has_linear_optimum
        is_likelihood = "likelihood" in roles
        is_denoising = has_clean_rows or "corruption" in roles
        reconstructs = roles == {"loss"} and not has_clean_rows | has_missing_values
        return cls(
            parameters,
            spec,
            objective,
            linear,
            is_likelihood,
            is_denoising,
            has_missing_values,
            reconstructs,
            reconstructs and is_optimal,
            is_linear=spec.is_linear and is_optimal and not has_clean_rows,
            extrapolates=spec.linear_path and not is_denoising | is_likelihood,
        )

    @property
    def scaling(self) -> Scaling:
        """Between the data's units and the network's."""
        if self.spec.uses_raw_inputs:
            return Scaling.none(self.spec.n_features)
        return self.linear.scaling

    @property
    def starts_at_optimum(self) -> bool:
        """Whether training cannot be better than the linear model."""
        may_be_exact = self.spec.linear_path and self.only_reconstructs
        is_exact = may_be_exact and self.linear.unexplained < _NEGLIGIBLE
        return self.is_linear or is_exact

    @cached_property
    def optimizer(self) -> OptimizerChoice:
        """Which optimizer, and its rate."""
        return OptimizerChoice.of(self.parameters)

    @property
    def engine(self) -> Engine:
        """What trains, shared with all equal problems."""
        return backends.engine(self.spec, self.objective, self.optimizer.spec)

    @property
    def networks(self) -> Networks:
        """The Keras models."""
        return backends.networks(self.spec)

    def with_features(self, n_features: int) -> Problem:
        """Return the problem of rows with other features."""
        return replace(self, spec=replace(self.spec, n_features=n_features))


@dataclass(frozen=True)
class History:
    """How a training went.

    Parameters
    ----------
    start_loss : float or None
        Mean loss of the rows that decide before the first epoch, if it is known.

    best_loss : float
        The lowest of these losses.

    loss_curve : list of float
        Mean training loss of each epoch, phase after phase.

    validation_loss_curve : list of float or None
        Mean loss of the held-out rows after each epoch.

    n_iter_per_phase : list of int
        Number of epochs of each phase that had any.
    """

    start_loss: float | None
    best_loss: float
    loss_curve: list[float]
    validation_loss_curve: list[float] | None
    n_iter_per_phase: list[int]

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes that say how training went, by name."""
        return {
            "n_iter_": len(self.loss_curve),
            "n_iter_per_phase_": self.n_iter_per_phase,
            "loss_curve_": self.loss_curve,
            "validation_loss_curve_": self.validation_loss_curve,
            "start_loss_": self.start_loss,
            "best_loss_": self.best_loss,
        }
