"""The network that trains, where it has other widths than the one that is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .. import _backends as backends
from .._data import Batch, Scaling, chunks, dense
from .._inference import DenseForward
from .._linear import LinearWeights
from .._networks import Networks, NetworkSpec
from ._problem import Problem

_FEWEST_FEATURES = 512
"""Narrower rows train as fast by their features."""

_FEATURES_PER_ROW = 2
"""With fewer features for each row there is little to save."""

_MOST_ROWS = 2000
_MOST_VALUES = 5e7
"""Up to so many rows and values, finding the coordinates costs little."""

_NARROWEST_CODE, _WIDEST_CODE = 8, 64
"""Least width of a code in training. Wider codes than the second have no spare units,
which would cost time."""


@dataclass(frozen=True)
class SpareUnits:
    """Code units that a network has in training, so that others share its program.

    The code of the network that trains is as wide as the next power of two, at least 8.
    All weights of its spare units are zero. So these units and their gradients are
    zero, and they stay so. Afterwards they are cut off.

    Parameters
    ----------
    narrow, wide : NetworkSpec
        The network without and with spare units.
    """

    narrow: NetworkSpec
    wide: NetworkSpec

    @classmethod
    def of(cls, problem: Problem) -> SpareUnits | None:
        """Return the spare units of a network, or None if it has none."""
        spec = problem.spec
        width = max(1 << (spec.n_components - 1).bit_length(), _NARROWEST_CODE)
        is_useful = spec.n_components < width <= _WIDEST_CODE
        # A prior and a measure of sparsity count units. Users build their own layers.
        counts_units = problem.is_likelihood or problem.parameters.get("sparsity")
        if not is_useful or counts_units or spec.is_custom:
            return None
        return cls(spec, replace(spec, n_components=width))

    def added(self, weights: dict) -> dict:
        """Return weights with spare units, which are the last ones."""
        return _resized(weights, backends.networks(self.wide))

    def removed(self, weights: dict) -> dict:
        """Return weights without spare units."""
        return _resized(weights, backends.networks(self.narrow))


def _resized(weights: dict, networks: Networks) -> dict:
    """Return weights in the shapes of networks: cut off, or filled up with zeros."""
    models = {"encoder": networks.encoder, "decoder": networks.decoder}
    resized = {}
    for side, (trainable, state) in weights.items():
        found = []
        for array, variable in zip(
            trainable, models[side].trainable_variables, strict=True
        ):
            kept = np.asarray(array)[tuple(map(slice, variable.shape))]
            missing = np.subtract(variable.shape, kept.shape)
            found.append(np.pad(kept, [(0, n) for n in missing]))
        resized[side] = found, state
    return resized


@dataclass(frozen=True)
class RowSpace:
    """Coordinates of rows in the space that the training rows span.

    A few rows span a space of as many dimensions, however many features they have. The
    gradients of weights that see features lie in this space. So a network that sees
    coordinates in this space learns the same with far fewer weights. Afterwards the
    projection is folded into the weights, and the network sees features.

    Parameters
    ----------
    spec : NetworkSpec
        The network that sees features.

    axes : ndarray of shape (n_coordinates, n_features)
        Orthonormal axes of the row space. They are at random angles to the principal
        axes. A step of an optimizer such as Adam is about as long for every weight, so
        along principal axes a network would learn noise as fast as structure.

    mean : ndarray of shape (n_features,)
        Where the coordinates are zero.

    scaling : Scaling
        Between coordinates in the data's units and those that the network sees.

    growth : float
        The scale of coordinates, in units of that of features.
    """

    spec: NetworkSpec
    axes: np.ndarray
    mean: np.ndarray
    scaling: Scaling
    growth: float

    @classmethod
    def of(
        cls, problem: Problem, X: Any, rng: np.random.RandomState
    ) -> RowSpace | None:
        """Return the space of the rows ``X``, or None if features are as good.

        The squared error is the same in all orthonormal coordinates. Other objectives
        need features. Only dense kernels can be multiplied with the axes.
        """
        spec, (n_rows, n_features) = problem.spec, X.shape
        is_wide = n_features >= max(_FEATURES_PER_ROW * n_rows, _FEWEST_FEATURES)
        is_small = n_rows <= _MOST_ROWS and n_rows * n_features <= _MOST_VALUES
        may_rotate = problem.minimises_squared_error and not spec.uses_raw_inputs
        if not (is_wide and is_small and may_rotate and spec.is_dense):
            return None
        scaling = problem.scaling
        axes = np.linalg.qr((dense(X) - scaling.mean).T)[0].T
        turn = np.linalg.qr(rng.standard_normal((n_rows, n_rows)))[0]
        # The same variance is spread over fewer coordinates.
        growth = float(np.sqrt(n_features / n_rows))
        units = Scaling(np.zeros(n_rows), scaling.scale * growth)
        return cls(spec, turn @ axes, scaling.mean, units, growth)

    def linear_weights(self, weights: LinearWeights) -> LinearWeights:
        """Return the linear path of a network that sees coordinates."""
        (down, bias), (up, _) = weights.encoder, weights.decoder
        return weights._replace(
            encoder=(self.axes @ down, bias),
            decoder=(up @ self.axes.T, np.zeros(len(self.axes))),
        )

    def rows(self, rows: Batch) -> Batch:
        """Return the coordinates of rows."""
        parts = [
            (dense(rows.input[part]) - self.mean) @ self.axes.T
            for part in chunks(rows.input)
        ]
        return Batch(np.concatenate(parts))

    def to_features(self, weights: dict) -> dict:
        """Return weights that see features, of weights that see coordinates."""
        up, down = self.axes * self.growth, self.axes.T / self.growth
        return self._changed(weights, down, up, 1 / self.growth)

    def to_coordinates(self, weights: dict) -> dict:
        """Return weights that see coordinates, of weights that see features."""
        up, down = self.axes * self.growth, self.axes.T / self.growth
        return self._changed(weights, up, down, self.growth)

    def _changed(
        self,
        weights: dict,
        from_new: np.ndarray,
        to_new: np.ndarray,
        code_from_new: float,
    ) -> dict:
        """Return weights for other coordinates.

        New rows times ``from_new`` are the present rows. Present rows times ``to_new``
        are the new rows. New codes times ``code_from_new`` are the present codes.
        """
        codes = code_from_new * np.identity(self.spec.n_components)
        new_codes = np.identity(self.spec.n_components) / code_from_new
        sides: list[tuple[Literal["encoder", "decoder"], np.ndarray, np.ndarray]] = [
            ("encoder", from_new, new_codes),
            ("decoder", codes, to_new),
        ]
        changed = {}
        for side, inputs, outputs in sides:
            trainable, state = weights[side]
            forward = DenseForward.of(self.spec, side)
            changed[side] = forward.with_coordinates(trainable, inputs, outputs), state
        return changed
