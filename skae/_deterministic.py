"""What autoencoders share whose code is a function of the row."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils import check_random_state

from ._base import BaseAutoencoder, undone_on_failure
from ._codecs import LinearCodec, NetworkCodec
from ._density import Gaussian, draw
from ._parameters import check_together
from ._pca import PrincipalAxes
from ._scaling import Scaling
from ._stream import Stream

if TYPE_CHECKING:
    from ._initialization import LinearStart
    from ._training import Recipe

_ROUNDING = 1e-12


class DeterministicAutoencoder(BaseAutoencoder, ABC):
    """Start at PCA and keep it where training finds nothing better."""

    @_fit_context(prefer_skip_nested_validation=True)
    @undone_on_failure
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
            pca = Scaling(stream.mean, stream.scaling.scale)
            self._keep_start(stream.codec, data, stream.axes, pca)
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

    def _draw_codes(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
        return draw(self.density_, n_samples, rng)

    def _linear_start(
        self, axes: PrincipalAxes, own: Scaling, scaling: Scaling
    ) -> LinearStart:
        from ._initialization import LinearStart

        return LinearStart.pca(axes)

    def _keep_start(
        self, codec: NetworkCodec, data, axes: PrincipalAxes, own: Scaling
    ) -> None:
        # Computed as PCA is, in the data's precision and without a network.
        units = None
        if self.whiten:
            deviations = np.sqrt(axes.explained_variance)
            # Where nothing but rounding varies there is nothing to bring to one.
            units = np.where(deviations > _ROUNDING * own.scale, deviations, own.scale)
        self._set_codec(LinearCodec(own.mean, axes.components, units))
        self.explained_variance_ = axes.explained_variance
        self.explained_variance_ratio_ = axes.explained_variance_ratio
        deviations = np.sqrt(axes.explained_variance) / (1 if units is None else units)
        mean = np.zeros(axes.n_components)
        self._keep_density(data, mean, np.diag(np.square(deviations)))

    def _keep_network(
        self, codec: NetworkCodec, data, axes: PrincipalAxes | None
    ) -> None:
        rotate = not self.sparsity and codec.spec.has_linear_codes
        components = None if axes is None else axes.components
        codec, summary = codec.canonical(
            data, components, rotate=rotate, whiten=self.whiten
        )
        self._set_codec(codec)
        self._describe(summary)
        self._keep_density(data, summary.mean, summary.covariance)

    def _keep_density(self, data, mean: np.ndarray, covariance: np.ndarray) -> None:
        if self.density is None:
            self.density_ = Gaussian(mean, covariance)
        else:
            self.density_ = clone(self.density).fit(self._codec.encode(data))
