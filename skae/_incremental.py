"""``partial_fit``: what an estimator remembers from batch to batch."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.decomposition import IncrementalPCA

from ._backends import State
from ._data import Batch, Scaling, Split, dense, is_rounding, variances
from ._inference import Box, NetworkModel, squared_errors
from ._linear import LinearModel, of_fitted_pca
from ._networks import NetworkSpec, WeightScales, initial_weights
from ._state import stored
from ._training import (
    History,
    Problem,
    TrainingData,
    first_rate,
    is_gain,
    train_once,
)

_ANEW = "Call fit, or partial_fit of a clone, to start anew."
"""What to do where a batch does not fit to the earlier ones."""


@stored("running PCA")
@dataclass(frozen=True)
class RunningPCA:
    """PCA of all rows so far, by scikit-learn's incremental PCA.

    Parameters
    ----------
    origin : ndarray of shape (n_features,)
        It is subtracted from rows. This keeps digits.

    pca : IncrementalPCA
        Of these rows.
    """

    origin: np.ndarray
    pca: IncrementalPCA

    def after(self, X: Any) -> RunningPCA:
        """Return the PCA of one more batch, too."""
        pca = copy.deepcopy(self.pca)
        # A single row has no variance.
        with np.errstate(invalid="ignore", divide="ignore"):
            pca.partial_fit(dense(X) - self.origin)
        return replace(self, pca=pca)

    @property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of each feature of all rows."""
        return self.origin + self.pca.mean_, self.pca.var_

    @property
    def scaling(self) -> Scaling:
        """Mean and scale of all rows. The scale is 1 while all rows are equal."""
        mean, variance = self.moments
        scale = float(np.sqrt(variance.mean()))
        return Scaling(mean, 1.0 if is_rounding(scale, mean) else scale)

    def model(self, scale: float) -> LinearModel:
        """Return the linear model. One unit of the network is a ``scale``."""
        scaling = replace(self.scaling, scale=scale)
        return of_fitted_pca(self.pca, scaling, int(self.pca.n_samples_seen_))


@stored("incremental state")
@dataclass(frozen=True)
class IncrementalState:
    """A network and the PCA of all rows so far, which it has to beat.

    Every batch evaluates both before they learn from it (prequential evaluation, Dawid
    1984), and again afterwards.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    scaling : Scaling
        Of the first batch. It stays, because the weights are in its units.

    running : RunningPCA or None
        The PCA. None without a linear path.

    weights : dict or None
        Weights of the network. None where PCA is the optimum.

    optimizer_state : object
        What the optimizer remembers, as NumPy arrays.

    optimizer : str
        Which optimizer made that. No other could use it.

    rng : RandomState
        Shuffles rows and seeds noise.

    losses : tuple of float
        Mean training loss of each batch.

    n_rows_seen : int
        Number of rows so far.

    training_range : tuple of Box or None
        Around the rows so far and their codes, each with the network after its batch.

    network_is_better : bool
        Whether the network beat PCA on the newest batch, before and after both learnt
        it. One pass over rows at another level may damage a network.
    """

    spec: NetworkSpec
    scaling: Scaling
    running: RunningPCA | None
    weights: dict | None
    optimizer_state: Any
    optimizer: str
    rng: np.random.RandomState
    losses: tuple[float, ...] = ()
    n_rows_seen: int = 0
    training_range: tuple[Box, Box] | None = None
    network_is_better: bool = False

    @classmethod
    def begin(
        cls, problem: Problem, X: Any, rng: np.random.RandomState
    ) -> IncrementalState:
        """Return the state before the first batch ``X``, given the linear model of it.

        Raises
        ------
        ValueError
            If a network would have no units, because all rows are equal.
        """
        spec, linear = problem.spec, problem.linear
        has_units = problem.is_linear or spec.uses_raw_inputs or _varies(X)
        if not has_units:
            raise ValueError(
                "All rows of the first batch of partial_fit are equal, so the units of "
                "a network cannot follow from them. Begin with a larger batch, in "
                "which rows differ."
            )
        running = weights = optimizer_state = None
        optimizer = ""
        if spec.linear_path:
            pca = IncrementalPCA(spec.n_components)
            running = RunningPCA(linear.scaling.mean, pca)
        if not problem.is_linear:
            path = linear.weights(linear.scaling, None) if spec.linear_path else None
            scales = WeightScales(1.0)
            weights = initial_weights(problem.networks, path, scales, rng)
            optimizer_state = problem.engine.init(weights).optimizer
            optimizer = str(problem.optimizer.spec)
        return cls(
            *(spec, linear.scaling, running, weights, optimizer_state, optimizer, rng)
        )

    def after(self, X: Any, problem: Problem) -> IncrementalState:
        """Return the state after one pass over a batch.

        Parameters
        ----------
        X : {ndarray, CSR matrix} of shape (n_samples, n_features)
            The batch.

        problem : Problem
            How to train.
        """
        # Let PCA learn the batch.
        running = None if self.running is None else self.running.after(X)
        n_rows_seen = self.n_rows_seen + X.shape[0]
        learned = replace(self, running=running, n_rows_seen=n_rows_seen)
        if self.weights is None:
            losses = (*self.losses, learned.linear.unexplained)
            return replace(learned, losses=losses)

        # Let the network learn it, if that goes well.
        was_better = self._beats_pca(X)
        rng = copy.deepcopy(self.rng)
        split = Split.none(X.shape[0], rng)
        scales = WeightScales(learned.linear.unexplained)
        data = TrainingData.of(problem, Batch(X), split, self.scaling, scales)
        state = State(self.weights, self.optimizer_state)
        rate = first_rate(problem, rescaled=False)
        state, loss = train_once(problem.engine, state, data, rate, rng)
        losses = (*self.losses, loss)
        learned = replace(learned, rng=rng, losses=losses)
        if np.isfinite(loss):
            learned = replace(
                learned, weights=state.weights, optimizer_state=state.optimizer
            )

        # Compare both again, and widen the training range.
        found = learned.network.training_range(X)
        if self.training_range is not None:
            rows, codes = self.training_range
            found = rows.merged(found[0]), codes.merged(found[1])
        is_better = was_better and learned._beats_pca(X)
        return replace(learned, training_range=found, network_is_better=is_better)

    def _beats_pca(self, X: Any) -> bool:
        """Say whether the network reconstructs a batch significantly better."""
        if self.running is None:
            return True
        if not self.losses:
            return False
        of_pca, of_network = (
            squared_errors(self.linear, X),
            squared_errors(self.network, X),
        )
        return is_gain(of_pca - of_network)

    @property
    def linear(self) -> LinearModel:
        """PCA of all rows so far. Without a linear path the mean of the first batch."""
        if self.running is None:
            return LinearModel.of_mean(self.scaling, self.n_rows_seen)
        return self.running.model(self.scaling.scale)

    @property
    def network(self) -> NetworkModel:
        """The network as it is now, with codes of its own."""
        assert self.weights is not None
        return NetworkModel.of_weights(self.spec, self.scaling, self.weights)

    @property
    def stopped_by(self) -> str:
        """Why the newest pass ended: "divergence" if its loss is not finite."""
        return "max_iter" if np.isfinite(self.losses[-1]) else "divergence"

    @property
    def history(self) -> History:
        """How training went so far."""
        losses = list(self.losses)
        return History(None, min(losses), losses, None, [len(losses)])


def _varies(X: Any) -> bool:
    """Say whether rows differ by more than rounding errors."""
    mean = np.asarray(X.mean(axis=0)).ravel()
    return not is_rounding(float(np.sqrt(variances(X).mean())), mean)


def check_unchanged(
    estimator: Any, before: IncrementalState, described: NetworkSpec, problem: Problem
) -> None:
    """Raise ``ValueError`` if the parameters describe another training now.

    Parameters
    ----------
    estimator : estimator
        Its parameters are named.

    before : IncrementalState
        Of the earlier batches.

    described : NetworkSpec
        What the parameters describe now.

    problem : Problem
        How to train.
    """
    given, known = estimator.n_components, before.spec.n_components
    if isinstance(given, Integral) and given != known:
        raise ValueError(
            f"n_components={given} differs from the {known} components of the "
            f"earlier batches. {_ANEW}"
        )
    if described != before.spec:
        raise ValueError(
            f"The network differs from that of the earlier batches. {_ANEW}"
        )
    if before.weights is not None and str(problem.optimizer.spec) != before.optimizer:
        raise ValueError(
            f"optimizer={estimator.optimizer!r} differs from that of the earlier "
            f"batches. {_ANEW}"
        )
