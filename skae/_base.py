"""The template of ``fit``, which every autoencoder fills in with its network."""

from __future__ import annotations

import functools
import warnings
from abc import ABC, abstractmethod
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from ._callbacks import CallbackSupportMixin, EpochListener, with_callbacks
from ._chunks import Pairs
from ._codec_transformer import CodecTransformer
from ._codecs import CodeSummary, NetworkCodec
from ._parameters import check_together
from ._pca import PrincipalAxes
from ._scaling import Scaling
from ._spec import NetworkSpec

if TYPE_CHECKING:
    from ._initialization import LinearStart


def undone_on_failure(fit):
    """Leave the estimator as it was when ``fit`` fails or is interrupted."""

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
    """Everything that fitting an autoencoder is, but for its network."""

    @abstractmethod
    def _network_spec(self, n_features: int, n_components: int) -> NetworkSpec:
        """Return the network that the parameters mean."""

    @abstractmethod
    def _linear_start(
        self, axes: PrincipalAxes, own: Scaling, scaling: Scaling
    ) -> LinearStart:
        """Return the linear path at iteration 0.

        Of data in their ``own`` mean and scale, for a network that sees them in the
        units of ``scaling``.
        """

    @abstractmethod
    def _keep_network(
        self, codec: NetworkCodec, data, axes: PrincipalAxes | None
    ) -> None:
        """Store a network, which beyond ``data`` the ``axes`` continue, if given."""

    @abstractmethod
    def _keep_start(
        self, codec: NetworkCodec, data, axes: PrincipalAxes, own: Scaling
    ) -> None:
        """Store what iteration 0 was, because training did not improve on it."""

    @_fit_context(prefer_skip_nested_validation=True)
    @undone_on_failure
    @with_callbacks
    def fit(self, X, y=None, *, X_clean=None):
        """Fit the autoencoder to ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Of a memory map or a CSR matrix no copy is made.

        y : None
            Ignored, here for the conventions of scikit-learn.

        X_clean : {array-like, sparse matrix} of shape (n_samples, n_features) or None
            What each row of ``X`` should have been: the network learns to restore it.
            PCA, units and codes are then those of ``X_clean``. In a pipeline it is
            handed on by name, or by metadata routing.

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
            If the loss stops being finite. The best weights seen are kept.

        Notes
        -----
        A ``fit`` that fails or is interrupted leaves the estimator as it was.
        """
        from ._training import Recipe, improves_on, train

        parameters = self.get_params(deep=False)
        check_together(type(self).__name__, parameters)
        recipe = Recipe.of(parameters, paired=X_clean is not None)
        shown = self._validate(X, reset=True)
        data = shown if X_clean is None else self._validate_clean(X_clean, shown)
        # A network that cannot be is refused before there is work in vain.
        self._network_spec(data.shape[1], 1)
        rng = check_random_state(self.random_state)

        own = Scaling.fit(data)
        axes = self._principal_axes(data, own, rng)
        spec = self._network_spec(data.shape[1], self._code_width(data, axes))
        axes = axes if spec.starts_at_pca else None
        scaling = Scaling.none(data.shape[1]) if spec.keeps_units else own

        program = recipe.program(spec)
        linear = None if axes is None else self._linear_start(axes, own, scaling)
        units = recipe.units(spec, axes, scaling)
        baseline = program.initial_weights(linear, units, rng)
        rows = data if X_clean is None else Pairs(shown, data)
        task = recipe.task(program, rows, scaling, rng, units, self.early_stopping)
        stages = recipe.stages(program, task, units)

        codec = functools.partial(NetworkCodec.plain, spec, scaling)
        most_epochs = sum(stage.schedule.max_iter for stage in stages)
        with EpochListener(self, X, y, codec, most_epochs) as listener:
            start = self._weights_to_continue(spec) or baseline
            result = train(program, start, stages, rng, listener)

        if improves_on(program, baseline, result, task):
            # What was shown damage has seen beyond the data.
            within = None if recipe.objective.restores else axes
            self._keep_network(codec(result.weights), data, within)
        elif axes is not None:
            self._keep_start(codec(baseline), data, axes, own)
        else:
            self._keep_network(codec(baseline), data, axes)
        self._record(own.mean, result.loss_curve)
        self.validation_loss_curve_ = result.validation_loss_curve
        self.best_loss_ = result.best_loss
        self._stream = None  # fit forgets what came in batches
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

    def _describe(self, summary: CodeSummary) -> None:
        variances = summary.variances
        shares = variances / (variances.sum() or 1.0)
        self.explained_variance_ = variances
        self.explained_variance_ratio_ = max(summary.explained, 0.0) * shares

    def _record(self, mean: np.ndarray, losses: list[float]) -> None:
        self.n_components_ = len(self.explained_variance_)
        self.mean_ = mean
        self.n_iter_ = len(losses)
        self.loss_curve_ = losses

    def _warn_of_divergence(self) -> None:
        warnings.warn(
            f"The loss of {type(self).__name__} stopped being finite in iteration "
            f"{self.n_iter_}; the best weights before that are kept. Try a smaller "
            "learning_rate.",
            ConvergenceWarning,
            stacklevel=5,
        )
