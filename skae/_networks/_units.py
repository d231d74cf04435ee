"""What a step of training is measured by: a unit for each weight."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._backend import keras
from ._dense import CORRECTION, LINEAR

_LEAST = 1e-12
"""Share of the variance, so that units are not zero where PCA is exact."""


class Units(NamedTuple):
    """How far numbers spread where they enter the networks and where they leave.

    Parameters
    ----------
    unexplained : float
        Share of the variance that PCA leaves: 1 without PCA.

    rows : ndarray of shape (n_features,) or None
        Deviation of each feature.

    codes : ndarray of shape (n_components,) or None
        Deviation of each component.

    left : float
        Deviation of what PCA leaves: what there is to gain.
    """

    unexplained: float
    rows: np.ndarray | None = None
    codes: np.ndarray | None = None
    left: Any = 1.0

    @classmethod
    def of(
        cls, components: np.ndarray, variances: np.ndarray, unexplained: float
    ) -> Units:
        """Return those of probabilistic PCA (Tipping & Bishop 1999).

        A feature has what the components explain of it, and all alike have what is
        left: a feature that PCA overlooks may be as good as constant. Powers of two, so
        that changing units rounds nothing.

        Parameters
        ----------
        components : ndarray of shape (n_components, n_features)
            Orthonormal axes.

        variances : ndarray of shape (n_components,)
            Along each axis, where the mean over the features is 1.

        unexplained : float
            Share of the variance off the axes.
        """
        left = max(unexplained, _LEAST)
        explained = variances @ np.square(components)
        return cls(
            unexplained,
            _power_of_two(np.sqrt(explained + left)),
            _power_of_two(np.sqrt(variances + left)),
            _power_of_two(np.sqrt(left)),
        )


def weight_units(
    model: keras.Model, deviations: np.ndarray | None, left: Any, sees_all: bool
) -> list[Any]:
    """Return the unit of each trainable weight of a dense network, to be broadcast.

    A step of an optimizer such as Adam is about as long for every weight. What it does
    depends on what the weight is multiplied by, and what that is added to. So weights
    that see inputs are measured by one over the deviation of these, and those of
    outputs by what PCA leaves: a step then means the same to all, whether one feature
    dominates or all are alike, and whether PCA leaves half of the variance or a
    millionth.

    Parameters
    ----------
    model : keras.Model
        Encoder or decoder.

    deviations : ndarray of shape (n_inputs,) or None
        Of the inputs; without them every unit is one.

    left : float
        What PCA leaves.

    sees_all : bool
        Whether every hidden layer sees the inputs, after what the layer before returns.
    """
    if deviations is None:
        return [1.0] * len(model.trainable_variables)
    return [
        _unit(layer, variable, model, deviations, left, sees_all)
        for layer in model.layers
        for variable in layer.trainable_variables
    ]


def _unit(layer, variable, model, deviations, left, sees_all):
    outgoing = left if layer.name in (LINEAR, CORRECTION) else 1.0
    if len(variable.shape) == 1:
        return outgoing
    incoming = np.ones((variable.shape[0], 1), np.float32)
    if layer.input is model.input or (sees_all and layer.name != CORRECTION):
        incoming[-len(deviations) :, 0] = 1 / deviations
    return np.float32(outgoing) * incoming


def _power_of_two(values) -> np.ndarray:
    return np.exp2(np.rint(np.log2(values))).astype(np.float32)
