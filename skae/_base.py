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
from ._codecs import LinearCodec, NetworkCodec
from ._parameters import check_together
from ._pca import PrincipalAxes
from ._scaling import Scaling
from ._spec import NetworkSpec
from ._stream import Stream

if TYPE_CHECKING:
    from ._training import Recipe

_ROUNDING = 1e-12


def _undone_on_failure(fit):
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

    @_fit_context(prefer_skip_nested_validation=True)
    @_undone_on_failure
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

        scaling = Scaling.fit(data)
        axes = self._principal_axes(data, scaling, rng)
        spec = self._network_spec(data.shape[1], self._code_width(data, axes))
        axes = axes if spec.starts_at_pca else None

        program = recipe.program(spec)
        baseline = program.initial_weights(axes, rng)
        left = 1.0 if axes is None else axes.unexplained
        rows = data if X_clean is None else Pairs(shown, data)
        task = recipe.task(program, rows, scaling, rng, left, self.early_stopping)
        schedule = recipe.schedule(spec, task)

        codec = functools.partial(NetworkCodec.plain, spec, scaling)
        with EpochListener(self, X, y, codec) as listener:
            start = self._weights_to_continue(spec) or baseline
            result = train(program, start, task, schedule, rng, listener)

        if improves_on(program, baseline, result, task):
            # What was shown damage has seen beyond the data.
            within = None if recipe.objective.restores else axes
            self._keep_network(codec(result.weights), data, within)
        elif axes is not None:
            self._keep_pca(axes, scaling.mean, scaling.scale)
        else:
            self._keep_network(codec(baseline), data, axes)
        self._record(scaling.mean, result.loss_curve)
        self.validation_loss_curve_ = result.validation_loss_curve
        self.best_loss_ = result.best_loss
        self._stream = None
        if result.stopped_by == "divergence":
            self._warn_of_divergence()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    @_undone_on_failure
    def partial_fit(self, X, y=None):
        """Train for one pass over a batch of rows, as they arrive.

        The first call decides the units and the number of components and gives the
        PCA of its batch. Later calls go on from there, beside an
        :class:`~sklearn.decomposition.IncrementalPCA` of all rows so far. Every batch
        judges before it teaches: the network is what the fitted estimator holds as
        long as it reconstructs the newest batch, unseen, better than that PCA beyond
        chance; otherwise it holds the PCA.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The batch. With a path that holds PCA the first one needs at least
            ``n_components`` rows.

        y : None
            Ignored, here for the conventions of scikit-learn.

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
            If the loss is not finite. The weights before the batch are kept.

        Notes
        -----
        The learning rate does not decay, since there is no end in sight, and nothing
        is held out. The codes are canonical on the newest batch. A ``fit`` before is
        forgotten, and ``fit`` forgets what came in batches.
        """
        from ._training import Recipe

        parameters = self.get_params(deep=False)
        check_together(type(self).__name__, parameters)
        recipe = Recipe.of(parameters)
        before = getattr(self, "_stream", None)
        data = self._validate(X, reset=before is None)
        if before is None:
            self._network_spec(data.shape[1], 1)
            before = self._begin_stream(data, recipe)

        network_is_better = before.beats_pca(data)
        self._stream = stream = before.after(data, recipe)
        if network_is_better:
            # One batch does not show where the data end.
            self._keep_network(stream.codec, data, axes=None)
        else:
            self._keep_pca(stream.axes, stream.mean, stream.scaling.scale)
        self._record(stream.mean, list(stream.losses))
        self.validation_loss_curve_ = None
        self.best_loss_ = min(self.loss_curve_, default=0.0)
        if stream.losses and not np.isfinite(stream.losses[-1]):
            self._warn_of_divergence()
        return self

    def _begin_stream(self, data, recipe: Recipe) -> Stream:
        rng = check_random_state(self.random_state)
        scaling = Scaling.fit(data)
        axes = self._principal_axes(data, scaling, rng)
        spec = self._network_spec(data.shape[1], self._code_width(data, axes))
        return Stream.begin(spec, scaling, axes, recipe, rng)

    def _principal_axes(self, data, scaling, rng) -> PrincipalAxes | None:
        is_share = isinstance(self.n_components, Real) and self.n_components < 1
        if self.skip_connections is None and not is_share:
            return None
        limit = min(data.shape)
        if self.n_components is not None and self.n_components > limit:
            raise ValueError(
                f"n_components={self.n_components} must be between 1 and "
                f"min(n_samples, n_features)={limit} with "
                f"skip_connections={self.skip_connections!r}: training starts at PCA, "
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

    def _keep_pca(self, axes: PrincipalAxes, mean: np.ndarray, scale: float) -> None:
        units = None
        if self.whiten:
            deviations = np.sqrt(axes.explained_variance)
            # Where nothing but rounding varies there is nothing to bring to one.
            units = np.where(deviations > _ROUNDING * scale, deviations, scale)
        self._set_codec(LinearCodec(mean, axes.components, units))
        self.explained_variance_ = axes.explained_variance
        self.explained_variance_ratio_ = axes.explained_variance_ratio

    def _keep_network(
        self, codec: NetworkCodec, data, axes: PrincipalAxes | None
    ) -> None:
        rotate = not self.sparsity and codec.spec.has_linear_codes
        components = None if axes is None else axes.components
        codec, variances, explained = codec.canonical(
            data, components, rotate=rotate, whiten=self.whiten
        )
        self._set_codec(codec)
        self.explained_variance_ = variances
        shares = variances / (variances.sum() or 1.0)
        self.explained_variance_ratio_ = max(explained, 0.0) * shares

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
