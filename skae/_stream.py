"""What ``partial_fit`` carries from one batch of rows to the next."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import IncrementalPCA

from ._chunks import dense
from ._codecs import LinearCodec, NetworkCodec, squared_errors
from ._pca import PrincipalAxes
from ._scaling import Scaling
from ._spec import NetworkSpec

if TYPE_CHECKING:
    from ._training import Recipe


@dataclass(frozen=True)
class Stream:
    """A network and, beside it, the PCA of all rows so far, which it has to beat.

    Every batch judges before it teaches: network and PCA reconstruct its rows when
    neither has seen them (prequential evaluation, Dawid 1984).

    Parameters
    ----------
    spec : NetworkSpec
        The network's shape.

    scaling : Scaling
        Of the first batch; it stays, since the weights are in its units.

    pca : IncrementalPCA or None
        PCA of the rows, less the scaling's mean. None where no path holds PCA.

    state : tuple
        Weights and optimizer state, as NumPy arrays.

    rng : RandomState
        Shuffles rows and seeds noise.

    losses : tuple of float
        Mean training loss of each batch.
    """

    spec: NetworkSpec
    scaling: Scaling
    pca: IncrementalPCA | None
    state: tuple[dict, Any]
    rng: np.random.RandomState
    losses: tuple[float, ...] = ()

    @classmethod
    def begin(
        cls,
        spec: NetworkSpec,
        scaling: Scaling,
        axes: PrincipalAxes | None,
        recipe: Recipe,
        rng: np.random.RandomState,
    ) -> Stream:
        """Stand before the first batch."""
        from ._initialization import LinearStart
        from ._networks import Units

        program = recipe.program(spec)
        start = LinearStart.pca(axes) if axes is not None else None
        state = program.initial_state(program.initial_weights(start, Units(1.0), rng))
        pca = IncrementalPCA(spec.n_components) if spec.starts_at_pca else None
        return cls(spec, scaling, pca, state, rng)

    def after(self, X, recipe: Recipe) -> Stream:
        """Return the stream after one pass over a batch."""
        from ._networks import Units
        from ._training import train_once

        rng, pca = copy.deepcopy((self.rng, self.pca))
        if pca is not None:
            # One row has no variance.
            with np.errstate(invalid="ignore", divide="ignore"):
                pca.partial_fit(dense(X) - self.scaling.mean)
        if recipe.is_solved_by_pca(self.spec):
            return replace(self, pca=pca)
        program = recipe.program(self.spec)
        left = 1.0 if pca is None else replace(self, pca=pca).axes.unexplained
        units = Units(left)
        task = recipe.task(program, X, self.scaling, rng, units, holds_out=False)
        state, loss = train_once(program, self.state, task, recipe.rate(units), rng)
        if not np.isfinite(loss):
            state = self.state
        losses = (*self.losses, loss)
        return replace(self, pca=pca, state=state, rng=rng, losses=losses)

    def beats_pca(self, X) -> bool:
        """Say whether the network reconstructs a new batch better beyond chance."""
        from ._training import is_gain

        if self.pca is None:
            return True
        if not self.losses:
            return False
        pca = LinearCodec(self.mean, self.pca.components_)
        return is_gain(squared_errors(pca, X) - squared_errors(self.codec, X))

    @property
    def codec(self) -> NetworkCodec:
        """The network as it is now."""
        return NetworkCodec.plain(self.spec, self.scaling, self.state[0])

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
        """Mean of all rows so far; of the first batch where there is no PCA."""
        return self.scaling.mean + (0.0 if self.pca is None else self.pca.mean_)
