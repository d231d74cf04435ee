"""The method ``partial_fit``."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils import check_random_state

from .._data import Scaling
from .._imputation import Filling, Spread
from .._labels import Labels
from .._linear import LinearPath
from .._networks import NetworkSpec
from .._parameters import check_rows, check_together
from .._start import principal_axes
from .._training import TrainingConfig
from .._undo import undone_on_failure
from .._validation import check_scale, observed_values, validated
from ._label_stream import ANEW, LabelStream
from ._running import RunningCovariates, RunningModel, RunningPCA
from ._state import IncrementalState

_Batch = tuple[
    IncrementalState, TrainingConfig, LabelStream | None, RunningModel | None
]
"""The state before a batch, how to train, and labels and linear model with it."""


class IncrementalMixin:
    """``partial_fit``, for an autoencoder that starts at PCA."""

    _filling: Filling | Spread | None

    @_fit_context(prefer_skip_nested_validation=True)
    @undone_on_failure
    def partial_fit(self: Any, X, y=None, classes=None):
        """Train for one pass over a batch of rows.

        The first call fixes the units and the number of components. It gives the PCA of
        its batch. Later calls continue from there, beside an
        :class:`~sklearn.decomposition.IncrementalPCA` of all rows so far. Every batch
        evaluates both before they learn from it, and again afterwards. If the network
        reconstructs the new batch significantly better both times, the fitted estimator
        holds the network. Otherwise it holds the PCA.

        With ``target_weight`` above 0 labels count, as in ``fit``. Then principal
        covariates regression of all rows so far stands in for PCA, and the losses of
        the whole objective are compared. Read more in ``docs/labels.md``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The batch, without missing values. If training starts at PCA, the first
            batch needs at least ``n_components`` rows. At most 4000 features if
            training starts at principal covariates regression.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Labels, if ``target_weight`` is above 0. Otherwise they are ignored. Floats
            are numbers to predict, everything else is a class. Rows of the integer
            class -1, and rows with a NaN, have no label. A batch may have no labels.

        classes : array-like of shape (n_classes,), default=None
            All classes that the batches may have, if labels are classes. They must be
            passed on the first call, unless it is the only one. Later calls may omit
            them.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data, the labels or a parameter cannot be used.

        Warns
        -----
        ConvergenceWarning
            If the loss is not finite. The weights before the batch are kept.

        Notes
        -----
        The learning rate does not fall, because the number of batches is not known, and
        no rows are held out. The codes are canonical on the newest batch. The first
        call forgets an earlier ``fit``, and ``fit`` forgets all batches.
        """
        parameters = self.get_params(deep=False)
        check_together(type(self).__name__, parameters, self._terms)
        before = getattr(self, "_incremental", None)
        data = validated(self, X, reset=before is None, finite=False)
        if observed_values(self, data) is not None:
            raise ValueError(
                f"Input X contains NaN, which {type(self).__name__}.partial_fit does "
                "not take. Use fit, or fill the missing values in by "
                "skae.impute.AutoencoderImputer."
            )
        check_rows(parameters, self._terms, data, "X")
        if before is None:
            batch = self._first_batch(parameters, data, y, classes)
        else:
            batch = self._next_batch(parameters, data, y, classes, before)
        before, config, labels, linear = batch
        if linear is not None:
            all_rows = Scaling(linear.mean, linear.deviation)
            check_scale(self, all_rows, data.dtype, is_network=False)
        after = before.after(data, labels, linear, config)
        if after.network_is_better:
            path = None if linear is None else linear.path
            model = self._network_model(after.codec, data, path, after.seen)
        else:
            model = linear.fitted(after.scaling.scale, self.whiten, data.dtype)
        newest = None if labels is None else labels.newest
        n_seen = after.n_samples_seen
        self._store(model, data, after.mean, after.result, newest, n_seen)
        self._incremental, self._filling = after, None
        return self

    def _first_batch(self: Any, parameters: dict, data, y, classes) -> _Batch:
        """Return what the first batch decides."""
        self._network_spec(data.shape[1], 1)
        labels = None
        if self.target_weight:
            labels = LabelStream.begin(self, y, data, classes)
            if self.skip_connections is not None:
                RunningCovariates.check_width(data.shape[1], self.target_weight)
        rng = check_random_state(self.random_state)
        scaling = Scaling.fit(data)
        axes = principal_axes(self, data, scaling, rng)
        spec = self._network_spec(data.shape[1], self._code_width(data, axes))
        if labels is not None:
            spec = labels.newest.spec(spec)
        config = TrainingConfig.of(parameters, self._terms, spec)
        check_scale(self, scaling, data.dtype, is_network=not config.needs_no_network)
        linear: RunningModel | None = None
        start = LinearPath.pca(axes) if axes is not None else None
        if spec.linear_path and labels is None:
            nothing = RunningPCA.begin(scaling, spec.n_components)
            linear = nothing.after(data, None, self.target_weight)
        elif spec.linear_path and labels is not None:
            linear = RunningCovariates.begin(spec, scaling).after(
                data, labels.newest, self.target_weight
            )
            start = linear.path
        return (
            IncrementalState.begin(config, scaling, start, rng),
            config,
            labels,
            linear,
        )

    def _next_batch(
        self: Any, parameters: dict, data, y, classes, before: IncrementalState
    ) -> _Batch:
        """Return what a later batch adds."""
        if (before.labels is None) == (self.target_weight > 0):
            seen = "no labels" if before.labels is None else "labels"
            raise ValueError(
                f"target_weight={self.target_weight}, but the earlier batches were "
                f"learnt with {seen}. {ANEW}"
            )
        labels = newest = None
        if before.labels is not None:
            labels = before.labels.after(self, y, data, classes)
            newest = labels.newest
        self._check_unchanged(before.spec, newest)
        config = TrainingConfig.of(parameters, self._terms, before.spec)
        if before.state and str(config.optimizer.spec) != before.optimizer:
            raise ValueError(
                f"optimizer={self.optimizer!r} differs from that of the earlier "
                f"batches. {ANEW}"
            )
        linear = before.linear
        if linear is not None:
            linear = linear.after(data, newest, self.target_weight)
        return before, config, labels, linear

    def _check_unchanged(self: Any, spec: NetworkSpec, labels: Labels | None) -> None:
        """Raise ``ValueError`` if the parameters describe another network now."""
        wanted, known = self.n_components, spec.n_components
        if isinstance(wanted, Integral) and wanted != known:
            raise ValueError(
                f"n_components={wanted} differs from the {known} components of the "
                f"earlier batches. {ANEW}"
            )
        described = self._network_spec(spec.n_features, known)
        if labels is not None:
            described = labels.spec(described)
        if described != spec:
            raise ValueError(
                f"The network differs from that of the earlier batches. {ANEW}"
            )
