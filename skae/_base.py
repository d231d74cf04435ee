"""The steps of ``fit``."""

from __future__ import annotations

import functools
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
from ._data import Batch, Scaling, Split
from ._engines import OptimizerChoice
from ._linear import LinearPath, PrincipalAxes
from ._model import CodeSummary, Gaussian, LinearCodec, NetworkCodec
from ._networks import NetworkSpec, initial_weights
from ._objective import Term, WeightPenalty
from ._parameters import check_together, merged_constraints
from ._training import (
    Schedule,
    TrainingConfig,
    TrainingData,
    improves_on,
    phases,
    train,
    weight_scales,
)
from ._transformer import CodecTransformer

_ROUNDING = 1e-12
"""Deviations below this share of the scale are rounding errors."""


def undone_on_failure(fit):
    """Leave the estimator as it was if ``fit`` fails or is interrupted."""

    @functools.wraps(fit)
    def fit_or_undo(self, *args, **kwargs):
        before = vars(self).copy()
        try:
            return fit(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return fit_or_undo


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

    @_fit_context(prefer_skip_nested_validation=True)
    @undone_on_failure
    @with_callbacks
    def fit(self, X, y=None, *, X_clean=None):
        """Fit the autoencoder to ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. A memory map or a CSR matrix is not copied.

        y : None
            Ignored, here for the conventions of scikit-learn.

        X_clean : {array-like, sparse matrix} of shape (n_samples, n_features) or None
            The undamaged version of each row of ``X``. The network learns to restore
            it. PCA, units and codes are then those of ``X_clean``. In a pipeline, use
            scikit-learn's metadata routing.

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
        """
        parameters = self.get_params(deep=False)
        check_together(type(self).__name__, parameters, self._terms)
        shown = self._validate(X, reset=True)
        data = shown if X_clean is None else self._validate_clean(X_clean, shown)
        rows = Batch(shown, None if X_clean is None else data)
        # An impossible network is refused before any long work.
        self._network_spec(data.shape[1], 1)
        rng = check_random_state(self.random_state)

        own = Scaling.fit(data)
        axes = self._principal_axes(data, own, rng)
        spec = self._network_spec(data.shape[1], self._code_width(data, axes))
        axes = axes if spec.linear_path else None
        scaling = Scaling.none(data.shape[1]) if spec.keeps_units else own

        config = TrainingConfig.of(parameters, self._terms, spec, X_clean is not None)
        engine = config.engine
        linear = None if axes is None else self._linear_path(axes, own, scaling)
        scales = weight_scales(config, axes, scaling)
        baseline = initial_weights(config.networks, linear, scales, rng)
        split = Split.of(parameters, rows.n_rows, rng)
        training = TrainingData.of(config, rows, split, scaling, scales)
        steps = phases(config, training, scales)

        codec = functools.partial(NetworkCodec.plain, spec, scaling)
        most_epochs = sum(phase.schedule.max_iter for phase in steps)
        with EpochListener(self, X, y, codec, most_epochs) as listener:
            start = self._weights_to_continue(spec) or baseline
            n_threads = engines.backend().n_threads
            result = train(engine, start, steps, rng, listener, n_threads)

        if improves_on(
            engine, baseline, result, training, config.objective.is_likelihood
        ):
            # A network that restores damaged rows was trained beyond the data.
            within = None if config.restores else axes
            self._keep_network(codec(result.weights), data, within)
        elif axes is not None:
            self._keep_baseline(codec(baseline), data, axes, own)
        else:
            self._keep_network(codec(baseline), data, axes)
        self._record(
            own.mean, result.loss_curve, result.validation_loss_curve, result.best_loss
        )
        self._incremental = None  # `fit` forgets what came in batches
        if result.stopped_by == "divergence":
            self._warn_of_divergence()
        return self

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

    def _weights_to_continue(self, spec: NetworkSpec) -> dict | None:
        codec = getattr(self, "_codec", None)
        if self.warm_start and isinstance(codec, NetworkCodec) and codec.spec == spec:
            return codec.weights
        return None

    def _keep_network(
        self, codec: NetworkCodec, data, axes: PrincipalAxes | None
    ) -> None:
        """Store a network. If axes are given, PCA continues it beyond ``data``."""
        rotate = not self.sparsity and codec.spec.has_linear_codes
        components = None if axes is None else axes.components
        codec, summary = codec.canonical(
            data, components, rotate=rotate, whiten=self.whiten
        )
        self._set_codec(codec)
        self._describe(summary)
        self._keep_density(data, Gaussian(summary.mean, summary.covariance))

    def _keep_baseline(
        self, codec: NetworkCodec, data, axes: PrincipalAxes, own: Scaling
    ) -> None:
        """Store PCA, because training did not improve on it."""
        deviations = None
        if self.whiten:
            deviations = np.sqrt(axes.explained_variance)
            # Where only rounding errors vary, there is nothing to whiten.
            varies = deviations > _ROUNDING * own.scale
            deviations = np.where(varies, deviations, own.scale)
        # In the data's precision, and without a network.
        self._set_codec(LinearCodec(own.mean, axes.components, deviations))
        self.explained_variance_ = axes.explained_variance
        self.explained_variance_ratio_ = axes.explained_variance_ratio
        of_codes = np.sqrt(axes.explained_variance)
        of_codes = of_codes / (1 if deviations is None else deviations)
        mean, covariance = np.zeros(len(of_codes)), np.diag(np.square(of_codes))
        self._keep_density(data, Gaussian(mean, covariance))

    def _keep_density(self, data, normal: Gaussian) -> None:
        if self.density is None:
            self.density_: Any = normal
        else:
            self.density_ = clone(self.density).fit(self._codec.encode(data))

    def _describe(self, summary: CodeSummary) -> None:
        variances = summary.variances
        shares = variances / (variances.sum() or 1.0)
        self.explained_variance_ = variances
        self.explained_variance_ratio_ = max(summary.explained, 0.0) * shares

    def _record(
        self,
        mean: np.ndarray,
        losses: list[float],
        validation_losses: list[float] | None,
        best_loss: float,
    ) -> None:
        self.n_components_ = len(self.explained_variance_)
        self.mean_ = mean
        self.n_iter_ = len(losses)
        self.loss_curve_ = losses
        self.validation_loss_curve_ = validation_losses
        self.best_loss_ = best_loss

    def _warn_of_divergence(self) -> None:
        warnings.warn(
            f"The loss of {type(self).__name__} stopped being finite in iteration "
            f"{self.n_iter_}; the best weights before that are kept. Try a smaller "
            "learning_rate.",
            ConvergenceWarning,
            stacklevel=5,
        )
