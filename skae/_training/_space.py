"""The coordinates that a network trains in: features, or fewer where rows are wide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._data import Batch, Scaling, chunks, dense
from .._linear import LinearPath, PrincipalAxes
from .._networks import NetworkSpec
from ._config import TrainingConfig

_FEWEST_FEATURES = 512
"""Narrower rows train as fast by their features."""

_FEATURES_PER_ROW = 2
"""With fewer features for each row there is little to save."""

_MOST_ROWS = 2000
_MOST_VALUES = 5e7
"""Up to so many rows and values, finding the coordinates costs little."""


@dataclass(frozen=True)
class TrainingSpace:
    """The coordinates of the rows in training.

    A few rows span a space of as many dimensions, however many features they have. The
    gradients of weights that see features lie in this space. So a network that sees
    coordinates in this space learns the same with far fewer weights. Afterwards the
    coordinates are folded into the weights, and the network sees features.

    Parameters
    ----------
    axes : ndarray of shape (n_coordinates, n_features) or None
        Orthonormal axes of the coordinates. None where these are the features. The axes
        are at random angles to the principal axes. A step of an optimizer such as Adam
        is about as long for every weight, so along principal axes a network would learn
        noise as fast as structure.

    scaling : Scaling
        Between the data's units and the network's.

    growth : float
        The scale of coordinates, in units of that of features.
    """

    axes: np.ndarray | None
    scaling: Scaling
    growth: float = 1.0

    @classmethod
    def of(cls, config: TrainingConfig, X: Any, scaling: Scaling, rng) -> TrainingSpace:
        """Return the space of the rows ``X``, if they are few and wide.

        The squared error is the same in all orthonormal coordinates. Other objectives
        need features.
        """
        n_samples, n_features = X.shape
        is_wide = n_features >= max(_FEATURES_PER_ROW * n_samples, _FEWEST_FEATURES)
        is_small = n_samples <= _MOST_ROWS and n_samples * n_features <= _MOST_VALUES
        may_rotate = config.minimises_squared_error and config.spec.has_coordinates
        if not (is_wide and is_small and may_rotate):
            return cls(None, scaling)
        axes = np.linalg.qr((dense(X) - scaling.mean).T)[0].T
        turn = np.linalg.qr(rng.standard_normal((n_samples, n_samples)))[0]
        # The same variance is spread over fewer coordinates.
        return cls(turn @ axes, scaling, float(np.sqrt(n_features / n_samples)))

    def config(self, config: TrainingConfig) -> TrainingConfig:
        """Return the configuration of a network that sees coordinates."""
        if self.axes is None:
            return config
        return replace(config, spec=replace(config.spec, n_features=len(self.axes)))

    def units(self) -> Scaling:
        """Return the scaling of coordinates."""
        if self.axes is None:
            return self.scaling
        return Scaling(np.zeros(len(self.axes)), self.scaling.scale * self.growth)

    def principal_axes(self, axes: PrincipalAxes | None) -> PrincipalAxes | None:
        """Return PCA's axes in coordinates."""
        if self.axes is None or axes is None:
            return axes
        return replace(axes, components=axes.components @ self.axes.T)

    def linear_path(self, path: LinearPath | None) -> LinearPath | None:
        """Return the linear path of a network that sees coordinates."""
        if self.axes is None or path is None:
            return path
        (down, bias), (up, _) = path.encoder, path.decoder
        return path._replace(
            encoder=(self.axes @ down, bias),
            decoder=(up @ self.axes.T, np.zeros(len(self.axes))),
        )

    def rows(self, rows: Batch) -> Batch:
        """Return the coordinates of rows."""
        if self.axes is None:
            return rows
        parts = [
            (dense(rows.input[part]) - self.scaling.mean) @ self.axes.T
            for part in chunks(rows.input)
        ]
        return Batch(np.concatenate(parts))

    def to_features(self, weights: dict, spec: NetworkSpec) -> dict:
        """Return weights that see features, of weights that see coordinates."""
        if self.axes is None:
            return weights
        up, down = self.axes * self.growth, self.axes.T / self.growth
        return _changed(weights, spec, down, up, 1 / self.growth)

    def to_coordinates(self, weights: dict, spec: NetworkSpec) -> dict:
        """Return weights that see coordinates, of weights that see features."""
        if self.axes is None:
            return weights
        up, down = self.axes * self.growth, self.axes.T / self.growth
        return _changed(weights, spec, up, down, self.growth)


def _changed(
    weights: dict,
    spec: NetworkSpec,
    from_new: np.ndarray,
    to_new: np.ndarray,
    code_from_new: float,
) -> dict:
    """Return weights for other coordinates.

    New rows times ``from_new`` are the present rows. Present rows times ``to_new`` are
    the new rows. New codes times ``code_from_new`` are the present codes.
    """
    codes = code_from_new * np.identity(spec.n_components)
    new_codes = np.identity(spec.n_components) / code_from_new
    encoder, encoder_state = weights["encoder"]
    decoder, decoder_state = weights["decoder"]
    encoder = spec.encoder.with_coordinates(encoder, from_new, new_codes, spec)
    decoder = spec.decoder.with_coordinates(decoder, codes, to_new, spec)
    return {"encoder": (encoder, encoder_state), "decoder": (decoder, decoder_state)}
