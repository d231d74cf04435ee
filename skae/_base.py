"""The steps of ``fit``."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt

from ._backends import OptimizerChoice
from ._callbacks import (
    CallbackSupportMixin,
    EpochListener,
    ending,
    name_of_start,
    with_callbacks,
)
from ._data import FEWEST_GROUPS, Batch, HoldOut, Scaling, Split
from ._inference import NetworkModel
from ._linear import LinearModel, fit_incomplete_pca, fit_pca, hide_values
from ._losses import Term
from ._losses.penalties import WeightPenalty
from ._networks import NetworkSpec
from ._state import EstimatorMixin, restore_on_error
from ._training import (
    EpochReport,
    History,
    Problem,
    Schedule,
    Start,
    Trainer,
    TrainingData,
    compare_with_baseline,
    select,
)
from ._transformer import KERAS_MODELS, FittedTransformer
from ._validation import (
    FitData,
    check_scale,
    merged_constraints,
    validate_fit,
)

_SOMETIMES = (
    *("n_samples_", "n_samples_seen_", "coef_", "intercept_", "classes_"),
    *("_density", "_incremental"),
)
"""Attributes that some fits have and others do not."""

_MOST_COPIES, _MOST_VALUES = 5, 10_000_000
"""Each row with missing values is copied so often, with other values hidden. Of large
data there are two copies."""


class BaseAutoencoder(CallbackSupportMixin, EstimatorMixin, FittedTransformer, ABC):
    """An autoencoder without its network and without its parameters."""

    _NOT_STORED = KERAS_MODELS

    _terms: ClassVar[tuple[type[Term], ...]]
    """The terms that the objective may have."""

    whiten: bool

    _parameter_constraints: dict = {
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            None,
        ],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [str, callable],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        **merged_constraints(
            (OptimizerChoice, TrainingData, Schedule, WeightPenalty, Split)
        ),
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _parameters(self) -> dict[str, Any]:
        """Return the parameters by name, with numbers in the place of "auto"."""
        return self.get_params(deep=False)

    @abstractmethod
    def _network_spec(
        self, parameters: dict[str, Any], n_features: int, n_components: int
    ) -> NetworkSpec:
        """Return the network that the parameters describe."""

    @_fit_context(prefer_skip_nested_validation=True)
    @restore_on_error
    @with_callbacks
    def fit(self, X, y=None, *, X_clean=None, X_val=None, groups=None):
        """Fit the autoencoder to ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features)
            Training data. Memory maps and canonical CSR matrices are not copied. Arrays
            and data frames of Dask are computed part by part (``docs/large_data.md``).
            Only the ``AutoencoderTransformer`` takes missing values, which are NaN.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Labels, if ``target_weight`` is above 0. Otherwise they are ignored. Floats
            are numbers to predict, everything else is a class. Rows of the integer
            class -1, and rows with a NaN, have no label.

        X_clean : {array-like, sparse matrix} of shape (n_samples, n_features), \
                default=None
            The undamaged version of each row of ``X``. The network learns to restore
            it. PCA, units and codes are then those of ``X_clean``.

        X_val : {array-like, sparse matrix} of shape (n_validation, n_features), \
                default=None
            Rows on which the network has to beat PCA, in place of rows held out from
            ``X``. Cannot be combined with ``X_clean`` or ``groups``.

        groups : array-like of shape (n_samples,), default=None
            Group of each row, for example its patient. The rows of a group are held out
            together. Equal rows of ``X`` always are.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data or a parameter cannot be used.

        Warns
        -----
        ConvergenceWarning
            If the loss stops being finite. The best weights before that are kept.
        UserWarning
            If ``X_clean`` or ``X_val`` seems to have other units than ``X``.

        Notes
        -----
        If ``fit`` fails or is interrupted, the estimator stays as it was.

        In a pipeline, scikit-learn's metadata routing passes ``X_clean``, ``X_val`` and
        ``groups``. The steps before transform ``X_clean`` and ``X_val`` only if they
        are named in ``transform_input`` of the pipeline, see ``docs/denoise.md``.
        """
        # 1. Check parameters and rows.
        data = validate_fit(self, X, y, X_clean, X_val, groups)
        rng = check_random_state(self.random_state)

        # 2. Fit the linear model: where training starts, and what it has to beat.
        data = self._fit_linear(data, rng)

        # 3. Describe the problem: the network, the objective and the optimizer.
        problem = self._problem(data)
        reason = self._reason_not_to_train(problem, data)
        if reason is not None:
            with EpochListener(self, X, y):
                return self._store_linear(data, reason)

        # 4. Train.
        trainer = self._trainer(problem, data, rng)
        self._forget_earlier_fits()

        def attributes(report: EpochReport) -> dict[str, Any]:
            network = trainer.network(report.weights())
            return self._attributes(network, data, report.history)

        with EpochListener(self, X, y, trainer.n_epochs, attributes) as listener:
            earlier = self._weights_to_continue(problem.spec)
            result = trainer.fit(rng, listener, earlier)

        # 5. Select the network, or the model where it started.
        comparison = compare_with_baseline(trainer, result)
        model = select(trainer, result, comparison)
        if self.verbose:
            print(ending(result, comparison, name_of_start(data.parameters)))

        # 6. Store the model.
        self._store(model, data, result.history)
        warn_of_divergence(self, result.stopped_by, result.history)
        return self

    def _fit_linear(self, data: FitData, rng: np.random.RandomState) -> FitData:
        """Return the data with the linear model, and without missing values.

        It is PCA, probabilistic PCA if values are missing, and principal covariates
        regression if labels count. Only the mean is computed where neither the network
        nor the number of components needs more.
        """
        X, mask = data.rows.target, data.rows.mask
        n_components, limit = self.n_components, min(X.shape)
        skip_connections = getattr(self, "skip_connections", "linear")
        if self._needs_pca and n_components is not None and n_components > limit:
            raise ValueError(
                f"n_components={n_components} must be between 1 and min(n_samples, "
                f"n_features)={limit} with skip_connections={skip_connections!r}: "
                "training starts at PCA, which has no more components than that."
            )
        if mask is not None:
            linear = fit_incomplete_pca(X, mask, n_components)
            X = linear.fill(X, mask)
            if data.labels is not None:
                # Labels start at a model of complete rows: of those that are filled in.
                pca = fit_pca(X, Scaling.fit(X), linear.n_components, rng)
                linear = replace(pca, filler=linear)
        elif self._needs_pca:
            linear = fit_pca(X, Scaling.fit(X), n_components, rng)
        else:
            linear = LinearModel.of_mean(Scaling.fit(X), X.shape[0])
        if data.labels is not None and skip_connections is not None:
            spec = self._network_spec(data.parameters, X.shape[1], linear.n_components)
            weight = data.parameters["target_weight"]
            linear = data.labels.linear_model(X, linear, spec, weight, rng)
        return data._replace(X=X, linear=linear)

    def _problem(self, data: FitData) -> Problem:
        """Return what is to be trained."""
        n_components = self.n_components
        if self._needs_pca:
            n_components = data.linear.n_components
        elif n_components is None:
            n_components = min(data.X.shape)
        spec = self._network_spec(data.parameters, data.X.shape[1], n_components)
        if data.labels is not None:
            spec = data.labels.spec(spec)
        problem = Problem.of(
            data.parameters,
            self._terms,
            spec,
            data.linear,
            has_clean_rows=data.rows.output is not None,
            has_missing_values=data.rows.mask is not None,
        )
        is_network = problem.is_likelihood or not problem.is_linear
        check_scale(self, data.linear.scaling, data.X.dtype, is_network=is_network)
        return problem

    def _reason_not_to_train(self, problem: Problem, data: FitData) -> str | None:
        """Say why the linear model is kept before anything is built or compiled."""
        if problem.is_linear:
            return None if problem.is_likelihood else "it is the optimum"
        # The loss to store is known only where it is the squared error.
        if not (problem.minimises_squared_error and problem.spec.linear_path):
            return None
        if problem.starts_at_optimum:
            return "it leaves nothing but rounding errors"
        n_rows, holds_out = data.X.shape[0], self.early_stopping and data.X_val is None
        if holds_out and n_rows < FEWEST_GROUPS and not self.warm_start:
            return f"{n_rows} rows are too few to compare a network with it"
        return None

    def _trainer(
        self, problem: Problem, data: FitData, rng: np.random.RandomState
    ) -> Trainer:
        """Return the network at its start, with rows to train on and rows to hold out.

        The order in which random numbers are drawn is that of this function.
        """
        rows, n_copies = data.rows, 1
        if rows.mask is not None:
            rows, n_copies = _copies(rows.input, rows.mask, data.linear, rng)
        start = Start.draw(problem, data.X, rng)
        fraction = self.validation_fraction if self.early_stopping else 0.0
        strata = None
        if data.labels is not None:
            labels, strata = data.labels.for_training, data.labels.strata
            rows = rows._replace(label=np.tile(labels, (n_copies, 1)))
            strata = None if strata is None else np.tile(strata, n_copies)
        hold_out = HoldOut(fraction, data.X_val, data.groups, strata)
        rows, split = hold_out.split(rows, rng, n_copies)
        return Trainer.of(problem, data.X, start, rows, split)

    @property
    def _needs_pca(self) -> bool:
        """Whether a network starts at PCA, or its width follows from PCA."""
        n_components = self.n_components
        is_fraction = isinstance(n_components, Real) and n_components < 1
        return is_fraction or getattr(self, "skip_connections", "linear") is not None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = getattr(self, "target_weight", 0) > 0
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _weights_to_continue(self, spec: NetworkSpec) -> dict | None:
        model = getattr(self, "_model", None)
        if self.warm_start and isinstance(model, NetworkModel) and model.spec == spec:
            return model.weights
        return None

    def _attributes(
        self,
        model: LinearModel | NetworkModel,
        data: FitData,
        history: History,
        n_rows_seen: int | None = None,
    ) -> dict[str, Any]:
        """Return all fitted attributes, by name."""
        dtype, n_rows = data.X.dtype, n_rows_seen or data.X.shape[0]
        variances = model.explained_variance
        attributes = {
            "_model": model,
            "selected_model_": model.kind,
            "n_components_": len(variances),
            "mean_": data.linear.scaling.mean.astype(dtype),
            "explained_variance_": variances.astype(dtype),
            "explained_variance_ratio_": model.explained_variance_ratio.astype(dtype),
            "singular_values_": np.sqrt(variances * max(n_rows - 1, 0)).astype(dtype),
            "noise_variance_": model.noise_variance,
            "n_samples_seen_" if n_rows_seen else "n_samples_": n_rows,
            **history.attributes(),
        }
        if getattr(self, "density", None) is not None:
            attributes["_density"] = clone(self.density).fit(model.encode(data.X))
        if data.labels is not None and model.head is not None:
            head = model.head
            is_damaged = data.parameters.get("corruption") is not None
            if is_damaged and data.labels.classes is None and model.kind == "network":
                # The network's own regression is that of the codes of damaged rows,
                # which may be smaller than those of the rows that `transform` is given.
                rows = data.X if data.rows.output is None else data.rows.input
                head = data.labels.head_of(model.encode(rows))
            attributes |= data.labels.attributes(head)
        return attributes

    def _store(
        self,
        model: LinearModel | NetworkModel,
        data: FitData,
        history: History,
        n_rows_seen: int | None = None,
    ) -> Any:
        """Store a model and how it was found. Earlier fits leave nothing behind."""
        attributes = self._attributes(model, data, history, n_rows_seen)
        self._forget_earlier_fits()
        self.__dict__.update(attributes)
        return self

    def _store_linear(self, data: FitData, reason: str) -> Any:
        """Store the linear model, which counts as one iteration."""
        if self.verbose:
            print(f"Kept {data.linear.name}: {reason}.")
        model = data.linear.as_stored(data.X.dtype, self.whiten)
        loss = model.unexplained
        return self._store(model, data, History(loss, loss, [loss], None, [1]))

    def _forget_earlier_fits(self) -> None:
        """Remove what the next fit may not replace."""
        for name in (*self._NOT_STORED, *_SOMETIMES):
            self.__dict__.pop(name, None)


def warn_of_divergence(estimator: Any, stopped_by: str, history: History) -> None:
    """Warn if training ended because the loss stopped being finite."""
    if stopped_by == "divergence":
        warnings.warn(
            f"The loss of {type(estimator).__name__} stopped being finite in iteration "
            f"{len(history.loss_curve)}; the best weights before that are kept. Try a "
            "smaller learning_rate.",
            ConvergenceWarning,
            stacklevel=2,
        )


def _copies(
    X: np.ndarray,
    observed: np.ndarray,
    linear: LinearModel,
    rng: np.random.RandomState,
) -> tuple[Batch, int]:
    """Return copies of rows with other values hidden, and how many there are of each.

    Only the values that the data lack are missing in the first copy. A network sees
    rows that are filled in. It should return the observed values, those that were
    hidden included.
    """
    n_copies = int(np.clip(_MOST_VALUES // X.size, 2, _MOST_COPIES))
    shown = [observed, *[hide_values(observed, rng) for _ in range(n_copies - 1)]]
    inputs = [linear.fill(X, one) for one in shown]
    target = np.tile(inputs[0], (n_copies, 1))
    mask = np.tile(observed, (n_copies, 1))
    return Batch(np.concatenate(inputs), target, None, mask), n_copies
