"""The steps of ``fit``."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt

from ._callbacks import CallbackMixin, EpochListener, with_callbacks
from ._course import course_attributes, warn_of_divergence
from ._data import HeldOut, Scaling, Split
from ._engines import OptimizerChoice
from ._labels import Labels
from ._linear import LinearPath, PrincipalAxes
from ._model import Box, FittedModel, NetworkCodec, TrainingModel
from ._networks import NetworkSpec
from ._objective import Term
from ._objective.weight_penalty import WeightPenalty
from ._parameters import check_rows, check_together, merged_constraints
from ._start import Start
from ._training import (
    Schedule,
    TrainingConfig,
    TrainingData,
    TrainingResult,
    TrainingRun,
    ending,
    name_of_start,
)
from ._transformer import CodecTransformer
from ._undo import undone_on_failure
from ._validation import check_scale, validated_for_fit

_SOMETIMES = "n_samples_", "n_samples_seen_", "coef_", "intercept_", "classes_"
"""Attributes that some fits have and others do not."""


class BaseAutoencoder(CallbackMixin, CodecTransformer, ABC):
    """An autoencoder without its network and without its parameters."""

    _terms: ClassVar[tuple[type[Term], ...]]
    """The terms that the objective may have."""

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

    @abstractmethod
    def _network_spec(self, n_features: int, n_components: int) -> NetworkSpec:
        """Return the network that the parameters describe."""

    def _linear_path(
        self, axes: PrincipalAxes, own: Scaling, scaling: Scaling, predictor
    ) -> LinearPath:
        """Return the linear path at iteration 0.

        ``own`` are the data's mean and scale. The network sees rows in the units of
        ``scaling``.
        """
        return LinearPath.pca(axes) if predictor is None else predictor.path

    def _linear_model(
        self, baseline: NetworkCodec | None, data, axes, own: Scaling, predictor
    ) -> FittedModel:
        """Return the linear model. A network of it is the ``baseline``, if given."""
        if predictor is not None:
            return predictor.model(data.shape[0], data.dtype, own, self.whiten)
        return FittedModel.pca(axes, own, self.whiten, data.dtype)

    def _network_model(
        self,
        codec: NetworkCodec,
        data,
        linear: LinearPath | None,
        seen: tuple[Box, Box] | None = None,
    ) -> FittedModel:
        """Return a network. A linear model continues it beyond what was ``seen``."""
        rotate = not self.sparsity and codec.spec.has_linear_codes
        return FittedModel.network(
            codec, data, linear, rotate=rotate, whiten=self.whiten, seen=seen
        )

    @_fit_context(prefer_skip_nested_validation=True)
    @undone_on_failure
    @with_callbacks
    def fit(self, X, y=None, *, X_clean=None, X_val=None, groups=None):
        """Fit the autoencoder to ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features)
            Training data. Memory maps and canonical CSR matrices are not copied. Arrays
            and data frames of Dask are computed part by part (``docs/large_data.md``).
            Only the dense estimator takes missing values, which are NaN.

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

        Notes
        -----
        If ``fit`` fails or is interrupted, the estimator stays as it was.

        In a pipeline, scikit-learn's metadata routing passes ``X_clean``, ``X_val`` and
        ``groups``.
        """
        parameters = self.get_params(deep=False)
        check_together(type(self).__name__, parameters, self._terms)
        rows, X_val, groups = validated_for_fit(self, X, X_clean, X_val, groups)
        name = "X" if X_clean is None else "X_clean"
        check_rows(parameters, self._terms, rows.wanted, name)
        if X_val is not None:
            check_rows(parameters, self._terms, X_val, "X_val")
        # An impossible network is refused before any long work.
        self._network_spec(rows.wanted.shape[1], 1)
        rng = check_random_state(self.random_state)
        labels = None
        if parameters.get("target_weight"):
            labels = Labels.of(self, y, rows.wanted)
        start = Start.of(self, rows, rng)
        data, own, axes, self._filling = start
        spec = self._network_spec(data.shape[1], self._code_width(data, axes))
        predictor = None
        if labels is not None:
            rows = rows._replace(label=labels.for_training)
            spec = labels.spec(spec)
            if axes is not None:
                weight = self.target_weight
                predictor = labels.linear(data, own, axes, spec, weight, rng)
        has_targets = rows.target is not None
        config = TrainingConfig.of(parameters, self._terms, spec, has_targets)
        check_scale(self, own, data.dtype, is_network=not config.needs_no_network)
        if axes is not None and config.needs_no_network:
            with EpochListener(self, X, y):
                model = self._linear_model(None, data, axes, own, predictor)
            if self.verbose:
                print(f"Kept {name_of_start(parameters)}: it is the optimum.")
            result = TrainingResult.closed_form(model.unexplained)
            return self._store(model, data, own.mean, result, labels)
        axes = axes if spec.linear_path else None
        scaling = Scaling.none(data.shape[1]) if spec.keeps_units else own

        linear = None
        if axes is not None:
            linear = self._linear_path(axes, own, scaling, predictor)
        fraction = self.validation_fraction if self.early_stopping else 0.0
        strata = None if labels is None else labels.strata
        # A network that restores damaged rows was trained beyond the data.
        within = None if config.restores else linear
        rows, n_copies = start.batch(rows, rng)
        config = replace(config, has_targets=rows.target is not None)
        held_out = HeldOut(fraction, X_val, groups, strata, n_copies)
        run = TrainingRun.prepare(config, rows, held_out, axes, linear, scaling, rng)
        codec = functools.partial(NetworkCodec.plain, spec, scaling)

        def network(weights):
            weights = run.in_features(weights)
            return self._network_model(codec(weights), data, within)

        self._forget_earlier_fits()
        earlier = self._weights_to_continue(spec)
        with EpochListener(
            *(self, X, y, run.epochs_per_phase),
            lambda report: self._fitted_attributes(
                network(report.weights()), data, own.mean, report, labels
            ),
            lambda: TrainingModel(spec, scaling, earlier or run.start),
            lambda report: run.in_features(report.weights()),
        ) as listener:
            result = run.train(earlier, listener, rng)
        comparison = run.compared(result)
        if comparison.is_better:
            model = network(result.weights)
        elif axes is not None:
            model = self._linear_model(codec(run.start), data, axes, own, predictor)
        else:
            model = self._network_model(codec(run.start), data, None)
        if self.verbose:
            print(ending(result, comparison, parameters))
        return self._store(model, data, own.mean, result, labels)

    def _code_width(self, data, axes: PrincipalAxes | None) -> int:
        if axes is not None:
            return axes.n_components
        return min(data.shape) if self.n_components is None else self.n_components

    def _weights_to_continue(self, spec: NetworkSpec) -> dict | None:
        codec = getattr(self, "_codec", None)
        if self.warm_start and isinstance(codec, NetworkCodec) and codec.spec == spec:
            return codec.weights
        return None

    def _attributes(
        self,
        model: FittedModel,
        data,
        mean: np.ndarray,
        n_samples: int,
        labels: Labels | None = None,
    ) -> dict[str, Any]:
        """Return the fitted attributes that follow from a model, by name."""
        attributes = {
            "_codec": model.codec,
            "mean_": mean.astype(data.dtype),
            "density_": self._density(model, data),
            **model.attributes(data.dtype, n_samples),
        }
        if labels is not None and model.head is not None:
            attributes |= labels.attributes(model.head)
        return attributes

    def _density(self, model: FittedModel, data) -> Any:
        """Return what ``sample`` draws codes from."""
        if self.density is None:
            return model.codes
        return clone(self.density).fit(model.codec.encode(data))

    def _fitted_attributes(
        self, model: FittedModel, data, mean, course, labels, n_samples_seen=None
    ) -> dict[str, Any]:
        """Return all fitted attributes, with those of the course of the training."""
        n_samples = n_samples_seen or data.shape[0]
        return {
            **self._attributes(model, data, mean, n_samples, labels),
            "n_samples_seen_" if n_samples_seen else "n_samples_": n_samples,
            **course_attributes(course),
        }

    def _forget_earlier_fits(self) -> None:
        """Remove what the next fit may not replace."""
        self._forget_keras_models()
        for name in (*_SOMETIMES, "_incremental"):
            self.__dict__.pop(name, None)

    def _store(
        self, model: FittedModel, data, mean, result, labels=None, n_samples_seen=None
    ):
        """Store a model and how it was found. Earlier fits leave nothing behind."""
        self._forget_earlier_fits()
        self.__dict__.update(
            self._fitted_attributes(model, data, mean, result, labels, n_samples_seen)
        )
        warn_of_divergence(type(self).__name__, result)
        return self
