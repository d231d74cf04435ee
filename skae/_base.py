"""The steps of ``fit``."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt

from . import _engines as engines
from ._callbacks import CallbackSupportMixin, EpochListener, with_callbacks
from ._data import Scaling, Split, split_rows
from ._engines import OptimizerChoice
from ._linear import LinearPath, PrincipalAxes
from ._model import Box, FittedModel, NetworkCodec
from ._networks import NetworkSpec, initial_weights
from ._objective import Term
from ._objective.weight_penalty import WeightPenalty
from ._parameters import check_together, merged_constraints
from ._training import (
    Schedule,
    TrainingConfig,
    TrainingData,
    TrainingResult,
    TrainingSpace,
    compared,
    phases,
    train,
    weight_scales,
)
from ._transformer import CodecTransformer
from ._undo import undone_on_failure
from ._validation import check_scale, validated_for_fit


class BaseAutoencoder(CallbackSupportMixin, CodecTransformer, ABC):
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
        self, axes: PrincipalAxes, own: Scaling, scaling: Scaling
    ) -> LinearPath:
        """Return the linear path at iteration 0.

        ``own`` are the data's mean and scale. The network sees rows in the units of
        ``scaling``.
        """
        return LinearPath.pca(axes)

    def _linear_model(
        self, baseline: NetworkCodec, data, axes: PrincipalAxes, own: Scaling
    ) -> FittedModel:
        """Return the linear model, which ``baseline`` computes too."""
        return FittedModel.pca(axes, own, self.whiten, data.dtype)

    def _network_model(
        self,
        codec: NetworkCodec,
        data,
        axes: PrincipalAxes | None,
        seen: tuple[Box, Box] | None = None,
    ) -> FittedModel:
        """Return a network. If given, axes continue it beyond ``data`` and ``seen``."""
        rotate = not self.sparsity and codec.spec.has_linear_codes
        return FittedModel.network(
            codec, data, axes, rotate=rotate, whiten=self.whiten, seen=seen
        )

    @_fit_context(prefer_skip_nested_validation=True)
    @undone_on_failure
    @with_callbacks
    def fit(self, X, y=None, *, X_clean=None, X_val=None, groups=None):
        """Fit the autoencoder to ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Memory maps and canonical CSR matrices are not copied.

        y : None
            Ignored, here for the conventions of scikit-learn.

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
        data = rows.wanted
        self._check_domain(data, "X" if X_clean is None else "X_clean")
        # An impossible network is refused before any long work.
        self._network_spec(data.shape[1], 1)
        rng = check_random_state(self.random_state)

        own = Scaling.fit(data)
        axes = self._principal_axes(data, own, rng)
        spec = self._network_spec(data.shape[1], self._code_width(data, axes))
        config = TrainingConfig.of(parameters, self._terms, spec, X_clean is not None)
        check_scale(self, own, data.dtype, is_network=not config.is_pca)
        if axes is not None and config.is_pca:
            with EpochListener(self, X, y):
                model = FittedModel.pca(axes, own, self.whiten, data.dtype)
            if self.verbose:
                print("Kept the linear model: it is the optimum")
            result = TrainingResult.closed_form(axes.unexplained)
            return self._store(model, data, own.mean, result)
        axes = axes if spec.linear_path else None
        scaling = Scaling.none(data.shape[1]) if spec.keeps_units else own

        space = TrainingSpace.of(config, data, scaling, rng)
        config = space.config(config)
        engine = config.engine
        start, units = space.principal_axes(axes), space.units()
        linear = None if start is None else self._linear_path(start, own, units)
        scales = weight_scales(config, start, units)
        baseline = initial_weights(config.networks, linear, scales, rng)
        fraction = self.validation_fraction if self.early_stopping else 0.0
        rows, split = split_rows(rows, X_val, groups, fraction, rng)
        training = TrainingData.of(config, space.rows(rows), split, units, scales)
        steps = phases(config, training, scales)

        def codec(weights):
            return NetworkCodec.plain(spec, scaling, space.to_features(weights, spec))

        # A network that restores damaged rows was trained beyond the data.
        within = None if config.restores else axes

        def attributes(weights):
            model = self._network_model(codec(weights), data, within)
            return self._attributes(model, data, own.mean, data.shape[0])

        n_epochs = sum(phase.schedule.max_iter for phase in steps)
        with EpochListener(self, X, y, attributes, n_epochs) as listener:
            weights = self._weights_to_continue(spec, space) or baseline
            n_threads = engines.backend().n_threads
            result = train(engine, weights, steps, rng, listener, n_threads)

        is_likelihood = config.objective.is_likelihood
        comparison = compared(engine, baseline, result, training, is_likelihood)
        if comparison.is_better:
            model = self._network_model(codec(result.weights), data, within)
        elif axes is not None:
            model = self._linear_model(codec(baseline), data, axes, own)
        else:
            model = self._network_model(codec(baseline), data, None)
        if self.verbose:
            kept = "network" if model.kind == "network" else "linear model"
            print(f"Kept the {kept}: {comparison}")
        return self._store(model, data, own.mean, result)

    def _check_domain(self, rows, name: str) -> None:
        """Raise ``ValueError`` where rows cannot be those of the model."""
        return

    def _principal_axes(self, data, scaling, rng) -> PrincipalAxes | None:
        is_share = isinstance(self.n_components, Real) and self.n_components < 1
        skip_connections = getattr(self, "skip_connections", "linear")
        if skip_connections is None and not is_share:
            return None
        limit = min(data.shape)
        if self.n_components is not None and self.n_components > limit:
            raise ValueError(
                f"n_components={self.n_components} must be between 1 and "
                f"min(n_samples, n_features)={limit} with "
                f"skip_connections={skip_connections!r}: training starts at PCA, "
                "which has no more components than that."
            )
        return PrincipalAxes.fit(data, scaling, self.n_components, rng)

    def _code_width(self, data, axes: PrincipalAxes | None) -> int:
        if axes is not None:
            return axes.n_components
        return min(data.shape) if self.n_components is None else self.n_components

    def _weights_to_continue(self, spec: NetworkSpec, space) -> dict | None:
        codec = getattr(self, "_codec", None)
        if self.warm_start and isinstance(codec, NetworkCodec) and codec.spec == spec:
            return space.to_coordinates(codec.weights, spec)
        return None

    def _attributes(
        self, model: FittedModel, data, mean: np.ndarray, n_samples: int
    ) -> dict[str, Any]:
        """Return the fitted attributes that follow from a model, by name."""
        dtype = data.dtype
        singular_values = np.sqrt(model.explained_variance * max(n_samples - 1, 0))
        return {
            "_codec": model.codec,
            "selected_model_": model.kind,
            "explained_variance_": model.explained_variance.astype(dtype),
            "explained_variance_ratio_": model.explained_variance_ratio.astype(dtype),
            "singular_values_": singular_values.astype(dtype),
            "noise_variance_": model.noise_variance,
            "mean_": mean.astype(dtype),
            "n_components_": len(model.explained_variance),
            "density_": self._density(model, data),
        }

    def _density(self, model: FittedModel, data) -> Any:
        """Return what ``sample`` draws codes from."""
        if self.density is None:
            return model.codes
        return clone(self.density).fit(model.codec.encode(data))

    def _store(
        self,
        model: FittedModel,
        data,
        mean: np.ndarray,
        result: TrainingResult,
        n_samples_seen: int | None = None,
    ):
        """Store a model and how it was found. Earlier fits leave nothing behind."""
        self._forget_keras_models()
        for name in ("n_samples_", "n_samples_seen_", "_incremental"):
            self.__dict__.pop(name, None)
        n_samples = n_samples_seen or data.shape[0]
        setattr(self, "n_samples_seen_" if n_samples_seen else "n_samples_", n_samples)
        self.__dict__.update(self._attributes(model, data, mean, n_samples))
        self.n_iter_ = len(result.loss_curve)
        self.loss_curve_ = result.loss_curve
        self.validation_loss_curve_ = result.validation_loss_curve
        self.best_loss_ = result.best_loss
        if result.stopped_by == "divergence":
            self._warn_of_divergence()
        return self

    def _warn_of_divergence(self) -> None:
        warnings.warn(
            f"The loss of {type(self).__name__} stopped being finite in iteration "
            f"{self.n_iter_}; the best weights before that are kept. Try a smaller "
            "learning_rate.",
            ConvergenceWarning,
            stacklevel=6,
        )
