"""Where training starts: PCA in the linear path, seeded draws in the rest.

The numbers come from NumPy, so they are the same on every backend.
"""

from __future__ import annotations

import math

import numpy as np

from ._backend import keras
from ._networks import LINEAR, Networks, build_networks
from ._networks._custom import GATE
from ._networks._dense import CORRECTION
from ._scaling import on_grid
from ._spec import NetworkSpec


def initial_weights(
    spec: NetworkSpec,
    networks: Networks,
    components: np.ndarray | None,
    rng: np.random.RandomState,
) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Return the weights of iteration 0.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    networks : Networks
        Its Keras models; only the names and shapes of their variables are read.

    components : ndarray of shape (n_components, n_features) or None
        Principal axes for the linear path. The layers added to it start at zero, so
        the whole network is PCA. None where there is no linear path.

    rng : RandomState
        Source of every random number.
    """
    if spec.is_custom:
        # The user's layers keep the initialisers that the user gave them.
        networks = build_networks(spec, seed=rng.randint(2**31))
    axes = (None, None) if components is None else (components.T, components)
    return {
        "encoder": _fill(networks.encoder, axes[0], rng),
        "decoder": _fill(networks.decoder, axes[1], rng),
    }


def _fill(model, linear, rng) -> tuple[list[np.ndarray], list[np.ndarray]]:
    trainable = [
        _draw(layer, variable, linear, rng)
        for layer in model.layers
        for variable in layer.trainable_variables
    ]
    state = [
        _seed_or_value(layer, variable, rng)
        for layer in model.layers
        for variable in layer.non_trainable_variables
    ]
    return trainable, state


def _draw(layer, variable, linear, rng) -> np.ndarray:
    if isinstance(layer, keras.Model):
        return np.asarray(variable.value)
    if layer.name == LINEAR and len(variable.shape) == 2:
        return on_grid(linear)
    if layer.name in (CORRECTION, GATE) or len(variable.shape) == 1:
        return np.zeros(variable.shape, np.float32)
    # Glorot & Bengio (2010), Keras' default for dense and convolutional layers.
    *window, inputs, outputs = variable.shape
    limit = np.sqrt(6 / (math.prod(window) * (inputs + outputs)))
    return rng.uniform(-limit, limit, size=variable.shape).astype(np.float32)


def _seed_or_value(layer, variable, rng) -> np.ndarray:
    if isinstance(layer, keras.layers.Dropout):
        return np.array([rng.randint(2**31), 0], dtype=np.uint32)
    return np.asarray(variable.value)
