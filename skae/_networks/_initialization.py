"""The weights at the start: the linear model in the linear path, draws in the rest.

The numbers come from NumPy, so they are the same on every backend.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import _keras as keras
from .._linear import LinearPath
from ._layers import CORRECTION, HEAD, LINEAR, LOG_VARIANCE
from ._networks import Networks, Variables, build_networks
from ._weight_scales import WeightScales


def initial_weights(
    networks: Networks,
    linear_path: LinearPath | None,
    scales: WeightScales,
    rng: np.random.RandomState,
) -> dict[str, Variables]:
    """Return the weights at iteration 0.

    Parameters
    ----------
    networks : Networks
        Keras models. Only the names and shapes of their variables are read.

    linear_path : LinearPath or None
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
    if linear_path is not None:
        given = {
            "encoder": {
                LINEAR: linear_path.encoder,
                LOG_VARIANCE: (0, linear_path.code_log_variances),
            },
            "decoder": {
                LINEAR: linear_path.decoder,
                LOG_VARIANCE: (0, linear_path.row_log_variance),
                HEAD: linear_path.head,
            },
        }
    of_weights = iter(networks.weight_scales(scales) or itertools.repeat(1.0))
    return {
        "encoder": _fill(networks.encoder, given["encoder"], of_weights, rng),
        "decoder": _fill(networks.decoder, given["decoder"], of_weights, rng),
    }


def with_linear_path(
    networks: Networks, weights: dict[str, Variables], linear_path: LinearPath
) -> dict[str, Variables]:
    """Return weights of the same network with which it computes a linear model."""
    encoder, decoder = weights["encoder"], weights["decoder"]
    into, out = {LINEAR: linear_path.encoder}, {LINEAR: linear_path.decoder}
    if linear_path.head is not None:
        out[HEAD] = linear_path.head
    return {
        "encoder": (_linear(networks.encoder, encoder[0], into), encoder[1]),
        "decoder": (_linear(networks.decoder, decoder[0], out), decoder[1]),
    }


def _linear(model: Any, values: list, given: dict) -> list:
    layers = [layer for layer in model.layers for _ in layer.trainable_variables]
    parts: dict[str, Iterator] = {name: iter(part) for name, part in given.items()}
    changed = []
    for layer, value in zip(layers, values, strict=True):
        if isinstance(layer, keras.Model):
            changed.append(value)
        elif layer.name == CORRECTION:
            changed.append(np.zeros_like(value))
        elif layer.name in parts:
            # Keras lists the kernel before the bias.
            changed.append(next(parts[layer.name]).astype(np.float32))
        else:
            changed.append(value)
    return changed


def _fill(model: Any, given: dict, scales: Iterator, rng) -> Variables:
    trainable = [
        _start(layer, variable, given.get(layer.name), next(scales), rng)
        for layer in model.layers
        for variable in layer.trainable_variables
    ]
    state = [
        _state(layer, variable, rng)
        for layer in model.layers
        for variable in layer.non_trainable_variables
    ]
    return trainable, state


def _start(layer: Any, variable: Any, given: tuple | None, scale: Any, rng):
    if isinstance(layer, keras.Model):
        return keras.ops.convert_to_numpy(variable.value)
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
    return keras.ops.convert_to_numpy(initializer(variable.shape)).astype(np.float32)


def _state(layer: Any, variable: Any, rng) -> np.ndarray:
    if isinstance(layer, keras.layers.Dropout):
        return np.array([rng.randint(2**31), 0], dtype=np.uint32)
    return keras.ops.convert_to_numpy(variable.value)
