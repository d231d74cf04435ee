"""``partial_fit``: rows that arrive in batches."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.base import _fit_context
from sklearn.decomposition import IncrementalPCA
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from ._data import Batch, Scaling, Split, chunks, dense
from ._engines import State
from ._linear import LinearPath, PrincipalAxes
from ._model import Box, FittedModel, LinearCodec, NetworkCodec, squared_errors
from ._networks import NetworkSpec, WeightScales, initial_weights
from ._parameters import check_rows, check_together
from ._training import (
    Schedule,
    TrainingConfig,
    TrainingData,
    TrainingResult,
    is_gain,
    train_once,
)
from ._undo import undone_on_failure
from ._validation import check_scale, validated


@dataclass(frozen=True)
class IncrementalState:
    """A network and the PCA of all rows so far, which it has to beat.

    Every batch evaluates both before they learn from it (prequential evaluation, Dawid
    1984).

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    scaling : Scaling
        Of the first batch. It stays, because the weights are in its units.

    pca : IncrementalPCA or None
        PCA of the rows less the scaling's mean. None without a linear path.

    state : State or None
        Weights and optimizer, as NumPy arrays. None where PCA is the optimum.

    rng : RandomState
        Shuffles rows and seeds noise.

    losses : tuple of float
        Mean training loss of each batch.

    n_samples_seen : int
        Number of rows so far.

    seen : tuple of Box or None
        Around the rows so far and their codes, each with the network after its batch.

    optimizer : str
        Which optimizer made the state. It remembers what no other could use.
    """

    spec: NetworkSpec
    scaling: Scaling
    pca: IncrementalPCA | None
    state: State | None
    rng: np.random.RandomState
    losses: tuple[float, ...] = ()
    n_samples_seen: int = 0
    seen: tuple[Box, Box] | None = None
    optimizer: str = ""

    @classmethod
    def begin(
        cls,
        config: TrainingConfig,
        scaling: Scaling,
        axes: PrincipalAxes | None,
        rng: np.random.RandomState,
    ) -> IncrementalState:
        """Return the state before the first batch."""
        spec = config.spec
        pca = IncrementalPCA(spec.n_components) if spec.linear_path else None
        if config.needs_no_network:
            return cls(spec, scaling, pca, None, rng)
        start = LinearPath.pca(axes) if axes is not None else None
        weights = initial_weights(config.networks, start, WeightScales(1.0), rng)
        state, optimizer = config.engine.init(weights), str(config.optimizer.spec)
        return cls(spec, scaling, pca, state, rng, optimizer=optimizer)

    def after(self, X: Any, config: TrainingConfig) -> IncrementalState:
        """Return the state after one pass over a batch."""
        rng, pca = copy.deepcopy((self.rng, self.pca))
        if pca is not None:
            # A single row has no variance.
            with np.errstate(invalid="ignore", divide="ignore"):
                pca.partial_fit(dense(X) - self.scaling.mean)
        learned = replace(
            self, pca=pca, n_samples_seen=self.n_samples_seen + X.shape[0]
        )
        unexplained = 1.0 if pca is None else learned.axes.unexplained
        if self.state is None:
            return replace(learned, losses=(*self.losses, unexplained))
        scales = WeightScales(unexplained)
        split = Split.none(X.shape[0], rng)
        data = TrainingData.of(config, Batch(X), split, self.scaling, scales)
        rate = Schedule.of(config.parameters, config.optimizer, False).learning_rate
        state, loss = train_once(config.engine, self.state, data, rate, rng)
        if not np.isfinite(loss):
            state = self.state
        losses = (*self.losses, loss)
        learned = replace(learned, state=state, rng=rng, losses=losses)
        rows, codes = self.seen or learned.codec.nothing_seen()
        for chunk in chunks(X):
            part = dense(X[chunk])
            rows, codes = (
                rows.with_rows(part),
                codes.with_rows(learned.codec.encode(part)),
            )
        return replace(learned, seen=(rows, codes))

    def beats_pca(self, X: Any) -> bool:
        """Say whether the network reconstructs a new batch significantly better."""
        if self.pca is None:
            return True
        if not self.losses or self.state is None:
            return False
        pca = LinearCodec(self.mean, self.pca.components_)
        return is_gain(squared_errors(pca, X) - squared_errors(self.codec, X))

    @property
    def result(self) -> TrainingResult:
        """How training went so far."""
        losses = list(self.losses)
        is_finite = bool(np.isfinite(losses[-1]))
        ended: Literal["max_iter", "divergence"] = (
            "max_iter" if is_finite else "divergence"
        )
        best_loss = min(losses)
        return TrainingResult({}, np.zeros(0), best_loss, losses, None, ended)

    @property
    def codec(self) -> NetworkCodec:
        """The network as it is now."""
        assert self.state is not None
        return NetworkCodec.plain(self.spec, self.scaling, self.state.weights)

    @property
    def axes(self) -> PrincipalAxes:
        """The principal axes of all rows so far."""
        assert self.pca is not None
        return PrincipalAxes(
            self.pca.components_,
            np.nan_to_num(self.pca.explained_variance_),
            np.nan_to_num(self.pca.explained_variance_ratio_),
            float(np.nan_to_num(self.pca.noise_variance_)),
        )

    @property
    def mean(self) -> np.ndarray:
        """Mean of all rows so far. Without PCA that of the first batch."""
        return self.scaling.mean + (0.0 if self.pca is None else self.pca.mean_)


def _ignores_labels(estimator: Any) -> bool:
    """Say whether ``partial_fit`` is available. It cannot use labels yet."""
    if estimator.target_weight:
        raise AttributeError(
            "partial_fit does not use labels. Set target_weight=0 instead of "
            f"{estimator.target_weight}, or call fit."
        )
    return True


class IncrementalMixin:
    """``partial_fit``, for an autoencoder that starts at PCA."""

    @available_if(_ignores_labels)
    @_fit_context(prefer_skip_nested_validation=True)
    @undone_on_failure
    def partial_fit(self: Any, X, y=None):
        """Train for one pass over a batch of rows.

        The first call fixes the units and the number of components. It gives the PCA of
        its batch. Later calls continue from there, beside an
        :class:`~sklearn.decomposition.IncrementalPCA` of all rows so far. Every batch
        evaluates both before they learn from it, and again afterwards. If the network
        reconstructs the new batch significantly better both times, the fitted estimator
        holds the network. Otherwise it holds the PCA.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The batch. If training starts at PCA, the first batch needs at least
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
        The learning rate does not fall, because the number of batches is not known, and
        no rows are held out. The codes are canonical on the newest batch. The first
        call forgets an earlier ``fit``, and ``fit`` forgets all batches.
        """
        parameters = self.get_params(deep=False)
        check_together(type(self).__name__, parameters, self._terms)
        before = getattr(self, "_incremental", None)
        data = validated(self, X, reset=before is None)
        check_rows(parameters, self._terms, data, "X")
        if before is None:
            self._network_spec(data.shape[1], 1)
            rng = check_random_state(self.random_state)
            scaling = Scaling.fit(data)
            axes = self._principal_axes(data, scaling, rng)
            spec = self._network_spec(data.shape[1], self._code_width(data, axes))
            config = TrainingConfig.of(parameters, self._terms, spec)
            check_scale(
                self, scaling, data.dtype, is_network=not config.needs_no_network
            )
            before = IncrementalState.begin(config, scaling, axes, rng)
        else:
            self._check_unchanged(before.spec)
            config = TrainingConfig.of(parameters, self._terms, before.spec)
            if before.state and str(config.optimizer.spec) != before.optimizer:
                raise ValueError(
                    f"optimizer={self.optimizer!r} differs from that of the earlier "
                    "batches. Call fit, or partial_fit of a clone, to start anew."
                )

        network_is_better = before.beats_pca(data)
        after = before.after(data, config)
        if after.pca is not None:
            all_rows = Scaling(after.mean, float(np.sqrt(after.pca.var_.mean())))
            check_scale(self, all_rows, data.dtype, is_network=False)
        # One pass over rows at another level may damage a network.
        if network_is_better and after.beats_pca(data):
            linear = None if after.pca is None else LinearPath.pca(after.axes)
            model = self._network_model(after.codec, data, linear, after.seen)
        else:
            own = Scaling(after.mean, after.scaling.scale)
            model = FittedModel.pca(after.axes, own, self.whiten, data.dtype)
        n_seen = after.n_samples_seen
        self._store(model, data, after.mean, after.result, n_samples_seen=n_seen)
        self._incremental = after
        return self

    def _check_unchanged(self: Any, spec: NetworkSpec) -> None:
        """Raise ``ValueError`` if the parameters describe another network now."""
        wanted, known = self.n_components, spec.n_components
        if isinstance(wanted, Integral) and wanted != known:
            raise ValueError(
                f"n_components={wanted} differs from the {known} components of the "
                "earlier batches. Call fit, or partial_fit of a clone, to start anew."
            )
        if self._network_spec(spec.n_features, known) != spec:
            raise ValueError(
                "The network differs from that of the earlier batches. Call fit, or "
                "partial_fit of a clone, to start anew."
            )
