"""The weights at the start: the linear model in the linear path, draws in the rest.

The numbers come from NumPy, so they are the same on every backend.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import _keras as keras
from .._linear import LinearWeights
from ._keras_layers import (
    CORRECTION,
    HEAD,
    LINEAR,
    LOG_VARIANCE,
    Networks,
    Variables,
    build_networks,
)
from ._spec import DenseLayers

_LEAST = 1e-12
"""Least fraction of the variance, so that no scale is zero where PCA is exact."""


class WeightScales(NamedTuple):
    """How far numbers spread where they enter the networks and where they leave.

    A step of an optimizer such as Adam is about as long for every weight. Its effect
    depends on what the weight is multiplied by and on what the product is added to. So
    weights of inputs are rescaled by one over the deviation of the input, and weights
    of outputs by what PCA leaves. Then one step changes every output by a comparable
    amount, whether or not one feature dominates, and however little PCA leaves.

    Parameters
    ----------
    unexplained : float
        Fraction of the variance that PCA leaves; 1 without PCA.

    rows : ndarray of shape (n_features,) or None
        Deviation of each feature. None where weights are not rescaled.

    codes : ndarray of shape (n_components,) or None
        Deviation of each component.

    residual : float
        Deviation of what PCA leaves. The loss is divided by its square.
    """

    unexplained: float
    rows: np.ndarray | None = None
    codes: np.ndarray | None = None
    residual: Any = 1.0

    @classmethod
    def of(
        cls, components: np.ndarray, variances: np.ndarray, unexplained: float
    ) -> WeightScales:
        """Return the deviations of probabilistic PCA (Tipping & Bishop 1999).

        A feature has the variance that the components explain, plus an equal share of
        the rest. They are rounded to powers of two, so that rescaling rounds nothing.

        Parameters
        ----------
        components : ndarray of shape (n_components, n_features)
            Orthonormal axes.

        variances : ndarray of shape (n_components,)
            Along each axis, in units in which the mean over the features is 1.

        unexplained : float
            Fraction of the variance off the axes.
        """
        residual = max(unexplained, _LEAST)
        explained = variances @ np.square(components)
        return cls(
            unexplained,
            _power_of_two(np.sqrt(explained + residual)),
            _power_of_two(np.sqrt(variances + residual)),
            _power_of_two(np.sqrt(residual)),
        )

    def of_codes(self, n_components: int) -> WeightScales:
        """Return the scales for a code with further units, whose deviation is 1."""
        if self.codes is None:
            return self
        further = np.ones(n_components - len(self.codes), np.float32)
        return self._replace(codes=np.append(self.codes, further))


def _power_of_two(values) -> np.ndarray:
    return np.exp2(np.rint(np.log2(values))).astype(np.float32)


def initial_weights(
    networks: Networks,
    linear: LinearWeights | None,
    scales: WeightScales,
    rng: np.random.RandomState,
) -> dict[str, Variables]:
    """Return the weights at iteration 0.

    Parameters
    ----------
    networks : Networks
        Keras models. Only the names and shapes of their variables are read.

    linear : LinearWeights or None
        Weights of the linear path. The layers that add to it start at zero, so the
        whole network computes the linear model. None where there is no linear path.

    scales : WeightScales
        Drawn weights are multiplied by these.

    rng : RandomState
        Source of every random number.
    """
    if networks.spec.is_custom:
        # The user's layers keep the initialisers that the user gave them.
        networks = build_networks(networks.spec, seed=rng.randint(2**31))
    given: dict[str, dict] = {"encoder": {}, "decoder": {}}
    if linear is not None:
        given = {
            "encoder": {
                LINEAR: linear.encoder,
                LOG_VARIANCE: (0, linear.code_log_variances),
            },
            "decoder": {
                LINEAR: linear.decoder,
                LOG_VARIANCE: (0, linear.row_log_variance),
                HEAD: linear.head,
            },
        }
    of_weights = iter(scales_of_weights(networks, scales) or itertools.repeat(1.0))
    return {
        "encoder": _fill(networks.encoder, given["encoder"], of_weights, rng),
        "decoder": _fill(networks.decoder, given["decoder"], of_weights, rng),
    }


def scales_of_weights(networks: Networks, scales: WeightScales) -> list | None:
    """Return the scale of each trainable weight of dense networks, for broadcasting.

    The encoder's come first. None stands for ones. Weights of inputs have one over the
    deviation of the input. Weights of outputs have the deviation of what PCA leaves.
    """
    if scales.rows is None or scales.codes is None:
        return None
    found = []
    for side, deviations in (("encoder", scales.rows), ("decoder", scales.codes)):
        model = getattr(networks, side)
        layers: DenseLayers = getattr(networks.spec, side)
        for layer in model.layers:
            is_last = layer.name in (LINEAR, CORRECTION)
            outgoing = scales.residual if is_last else 1.0
            sees_inputs = layers.see_inputs and layer.name != CORRECTION
            for variable in layer.trainable_variables:
                if len(variable.shape) == 1:
                    found.append(outgoing)
                    continue
                incoming = np.ones((variable.shape[0], 1), np.float32)
                if sees_inputs or layer.input is model.input:
                    incoming[-len(deviations) :, 0] = 1 / deviations
                found.append(np.float32(outgoing) * incoming)
    return found


def _fill(model: Any, given: dict, scales: Iterator, rng) -> Variables:
    trainable, state = [], []
    for layer in model.layers:
        for variable in layer.trainable_variables:
            known, scale = given.get(layer.name), next(scales)
            trainable.append(_first(layer, variable, known, scale, rng))
    for layer in model.layers:
        state += [_state(layer, one, rng) for one in layer.non_trainable_variables]
    return trainable, state


def _first(layer: Any, variable: Any, given: tuple | None, scale: Any, rng):
    if isinstance(layer, keras.Model):
        return keras.to_numpy(variable)
    if given is not None:
        value = given[0] if len(variable.shape) == 2 else given[1]
        return np.broadcast_to(value, variable.shape).astype(np.float32)
    if variable.name != "kernel":
        return _constant(layer, variable)
    if layer.name == CORRECTION:
        return np.zeros(variable.shape, np.float32)
    # Glorot & Bengio (2010), Keras' default for dense and convolutional layers.
    *window, inputs, outputs = variable.shape
    limit = np.sqrt(6 / (math.prod(window) * (inputs + outputs)))
    return scale * rng.uniform(-limit, limit, size=variable.shape).astype(np.float32)


def _constant(layer: Any, variable: Any) -> np.ndarray:
    """Return what the layer's initialiser gives: zeros for biases, ones for scales."""
    initializer = getattr(layer, f"{variable.name}_initializer")
    if isinstance(initializer, keras.initializers.Zeros):
        return np.zeros(variable.shape, np.float32)
    return keras.to_numpy(initializer(variable.shape)).astype(np.float32)


def _state(layer: Any, variable: Any, rng) -> np.ndarray:
    if isinstance(layer, keras.layers.Dropout):
        return np.array([rng.randint(2**31), 0], dtype=np.uint32)
    return keras.to_numpy(variable)
