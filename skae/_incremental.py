"""``partial_fit``: rows that arrive in batches."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.decomposition import IncrementalPCA
from sklearn.utils import check_random_state

from ._base import undone_on_failure
from ._data import Batch, Scaling, Split, dense
from ._engines import State
from ._linear import LinearPath, PrincipalAxes
from ._model import LinearCodec, NetworkCodec, squared_errors
from ._networks import NetworkSpec, WeightScales, initial_weights
from ._parameters import check_together
from ._training import (
    Schedule,
    TrainingConfig,
    TrainingData,
    is_gain,
    train_once,
)


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

    state : State
        Weights and optimizer, as NumPy arrays.

    rng : RandomState
        Shuffles rows and seeds noise.

    losses : tuple of float
        Mean training loss of each batch.
    """

    spec: NetworkSpec
    scaling: Scaling
    pca: IncrementalPCA | None
    state: State
    rng: np.random.RandomState
    losses: tuple[float, ...] = ()

    @classmethod
    def begin(
        cls,
        config: TrainingConfig,
        scaling: Scaling,
        axes: PrincipalAxes | None,
        rng: np.random.RandomState,
    ) -> IncrementalState:
        """Return the state before the first batch."""
        start = LinearPath.pca(axes) if axes is not None else None
        weights = initial_weights(config.networks, start, WeightScales(1.0), rng)
        spec = config.spec
        pca = IncrementalPCA(spec.n_components) if spec.linear_path else None
        return cls(spec, scaling, pca, config.engine.init(weights), rng)

    def after(self, X: Any, config: TrainingConfig) -> IncrementalState:
        """Return the state after one pass over a batch."""
        rng, pca = copy.deepcopy((self.rng, self.pca))
        if pca is not None:
            # A single row has no variance.
            with np.errstate(invalid="ignore", divide="ignore"):
                pca.partial_fit(dense(X) - self.scaling.mean)
        if config.has_closed_form:
            return replace(self, pca=pca)
        unexplained = 1.0 if pca is None else replace(self, pca=pca).axes.unexplained
        scales = WeightScales(unexplained)
        split = Split.draw(X.shape[0], 0.0, rng)
        data = TrainingData.of(config, Batch(X), split, self.scaling, scales)
        rate = Schedule.of(config.parameters, config.optimizer, False).learning_rate
        state, loss = train_once(config.engine, self.state, data, rate, rng)
        if not np.isfinite(loss):
            state = self.state
        losses = (*self.losses, loss)
        return replace(self, pca=pca, state=state, rng=rng, losses=losses)

    def beats_pca(self, X: Any) -> bool:
        """Say whether the network reconstructs a new batch significantly better."""
        if self.pca is None:
            return True
        if not self.losses:
            return False
        pca = LinearCodec(self.mean, self.pca.components_)
        return is_gain(squared_errors(pca, X) - squared_errors(self.codec, X))

    @property
    def codec(self) -> NetworkCodec:
        """The network as it is now."""
        return NetworkCodec.plain(self.spec, self.scaling, self.state.weights)

    @property
    def axes(self) -> PrincipalAxes:
        """The principal axes of all rows so far."""
        assert self.pca is not None
        return PrincipalAxes(
            self.pca.components_,
            np.nan_to_num(self.pca.explained_variance_),
            np.nan_to_num(self.pca.explained_variance_ratio_),
        )

    @property
    def mean(self) -> np.ndarray:
        """Mean of all rows so far. Without PCA that of the first batch."""
        return self.scaling.mean + (0.0 if self.pca is None else self.pca.mean_)


class IncrementalMixin:
    """``partial_fit``, for an autoencoder that starts at PCA."""

    @_fit_context(prefer_skip_nested_validation=True)
    @undone_on_failure
    def partial_fit(self: Any, X, y=None):
        """Train for one pass over a batch of rows.

        The first call fixes the units and the number of components. It gives the PCA of
        its batch. Later calls continue from there, beside an
        :class:`~sklearn.decomposition.IncrementalPCA` of all rows so far. Every batch
        evaluates both before they learn from it. If the network reconstructs the new
        batch significantly better, the fitted estimator holds the network. Otherwise it
        holds the PCA.

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
        data = self._validate(X, reset=before is None)
        if before is None:
            self._network_spec(data.shape[1], 1)
            rng = check_random_state(self.random_state)
            scaling = Scaling.fit(data)
            axes = self._principal_axes(data, scaling, rng)
            spec = self._network_spec(data.shape[1], self._code_width(data, axes))
            config = TrainingConfig.of(parameters, self._terms, spec)
            before = IncrementalState.begin(config, scaling, axes, rng)
        else:
            config = TrainingConfig.of(parameters, self._terms, before.spec)

        network_is_better = before.beats_pca(data)
        self._incremental = after = before.after(data, config)
        if network_is_better:
            # A batch does not show where the data end, so there are no bounds.
            self._keep_network(after.codec, data, axes=None)
        else:
            own = Scaling(after.mean, after.scaling.scale)
            self._keep_baseline(after.codec, data, after.axes, own)
        losses = list(after.losses)
        self._record(after.mean, losses, None, min(losses, default=0.0))
        if after.losses and not np.isfinite(after.losses[-1]):
            self._warn_of_divergence()
        return self
