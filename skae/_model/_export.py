"""Ordinary Keras models in the data's own units, made of Keras' layers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _keras as keras
from .._data import Scaling
from .._networks import (
    NetworkSpec,
    StandardNetworks,
    standard_decoder,
    standard_encoder,
)
from ._bounds import Bounds, Box, blend
from ._code_transform import CodeTransform

_NARROW = 1e-6
"""A column with a smaller half width counts as constant."""


def export_encoder(
    spec: NetworkSpec,
    scaling: Scaling,
    weights: dict,
    transform: CodeTransform,
    bounds: Bounds,
) -> Any:
    """Return scaling, network and code transform as one model from rows to codes."""
    network = standard_encoder(spec, weights["encoder"], "encoder_network")
    rows = keras.Input((spec.n_features,), dtype="float32", name="rows")
    scaled = _in_network_units(rows, scaling)
    codes = _continued(network, scaled, bounds.rows, bounds.down, "encoder")
    offset = -transform.offset @ transform.matrix
    last = _constant(transform.matrix, offset, "encoder_canonical")
    return keras.Model(rows, last(codes), name="encoder")


def export_decoder(
    spec: NetworkSpec,
    scaling: Scaling,
    weights: dict,
    transform: CodeTransform,
    bounds: Bounds,
) -> Any:
    """Return code transform, network and scaling as one model from codes to rows."""
    network = standard_decoder(spec, weights["decoder"], "decoder_network")
    codes = keras.Input((spec.n_components,), dtype="float32", name="codes")
    first = _constant(transform.inverse, transform.offset, "decoder_canonical")
    scaled = _continued(
        network, first(codes), bounds.codes, bounds.components, "decoder"
    )
    rows = _in_data_units(scaled, spec, scaling)
    return keras.Model(codes, rows, name="decoder")


class TrainingModel:
    """A network in training as one Keras model, from rows to their reconstructions.

    Its layers "encoder" and "decoder" are the network, in the network's units.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    scaling : Scaling
        Between the data's units and the network's.

    weights : dict
        The weights at the start.
    """

    def __init__(self, spec: NetworkSpec, scaling: Scaling, weights: dict) -> None:
        self._networks = StandardNetworks(spec)
        rows = keras.Input((spec.n_features,), dtype="float32", name="rows")
        codes = self._networks.encoder(_in_network_units(rows, scaling))
        restored = _in_data_units(self._networks.decoder(codes), spec, scaling)
        self.model = keras.Model(rows, restored, name="autoencoder")
        self.assign(weights)

    def assign(self, weights: dict) -> None:
        """Give the model the weights of the network."""
        self._networks.assign(weights)


def affine_encoder(mean: np.ndarray, axes: np.ndarray) -> Any:
    """Return PCA as a model from rows to codes; axes are (n_features, n_components)."""
    rows = keras.Input((len(mean),), dtype="float32", name="rows")
    centred = _rescaling(1.0, -mean, "encoder_scaling")(rows)
    linear = _affine(axes, np.zeros(axes.shape[1]), "encoder_linear")
    return keras.Model(rows, linear(centred), name="encoder")


def affine_decoder(mean: np.ndarray, axes: np.ndarray) -> Any:
    """Return PCA as a model from codes to rows; axes are (n_components, n_features)."""
    codes = keras.Input((len(axes),), dtype="float32", name="codes")
    return keras.Model(
        codes, _affine(axes, mean, "decoder_linear")(codes), name="decoder"
    )


def _continued(
    network: Any, values: Any, box: Box, outside: np.ndarray, side: str
) -> Any:
    """Return the network of values, continued by PCA beyond the box.

    What belongs to the bounds and to the blend is a model of its own each, so that a
    summary shows one line for it.
    """
    if np.isinf(box.high).all():
        return network(values)
    inside, linear, beyond = _bounds(box, outside, f"{side}_bounds")(values)
    parts = [network(inside), linear, beyond]
    inputs = [keras.Input(part.shape[1:], dtype="float32") for part in parts]
    blended = blend(keras.ops, *inputs)
    return keras.Model(inputs, blended, name=f"{side}_blend")(parts)


def _bounds(box: Box, outside: np.ndarray, name: str) -> Any:
    """Return a model of the nearest values inside, and what PCA makes of both parts."""
    middle, half = (box.low + box.high) / 2, (box.high - box.low) / 2
    steps = 1 / np.maximum(half, _NARROW)
    values = keras.Input((len(half),), dtype="float32")
    # No layer of Keras clips each column by bounds of its own. So the box is mapped to
    # -1 and 1, and back.
    clipped = _columns(steps, -middle * steps, "clip", "hard_tanh")(values)
    inside = _columns(half, middle, "inside")(clipped)
    linear = _constant(outside, np.zeros(outside.shape[1]), "outside")
    outputs = [inside, linear(inside), linear(values - inside)]
    return keras.Model(values, outputs, name=name)


def _in_network_units(rows: Any, scaling: Scaling) -> Any:
    return _rescaling(
        1 / scaling.scale, -scaling.mean / scaling.scale, "encoder_scaling"
    )(rows)


def _in_data_units(decoded: Any, spec: NetworkSpec, scaling: Scaling) -> Any:
    if spec.likelihood == "bernoulli":
        decoded = keras.layers.Activation(
            "sigmoid", dtype="float32", name="decoder_sigmoid"
        )(decoded)
    return _rescaling(scaling.scale, scaling.mean, "decoder_scaling")(decoded)


def _rescaling(scale: float, offset: np.ndarray, name: str) -> Any:
    return keras.layers.Rescaling(scale, offset.tolist(), dtype="float32", name=name)


def _columns(factors, shifts, name: str, activation: str | None = None) -> Any:
    layer = keras.layers.EinsumDense(
        "bi,i->bi",
        output_shape=len(factors),
        bias_axes="i",
        activation=activation,
        kernel_initializer="zeros",
        trainable=False,
        dtype="float32",
        name=name,
    )
    layer.build((None, len(factors)))
    layer.set_weights([factors, shifts])
    return layer


def _constant(kernel: np.ndarray, bias: np.ndarray, name: str) -> Any:
    """Return an affine layer that is no part of the network, so that it never trains.

    It says where the data lie and how codes are shown.
    """
    layer = _affine(kernel, bias, name)
    layer.trainable = False
    return layer


def _affine(kernel: np.ndarray, bias: np.ndarray, name: str) -> Any:
    layer = keras.layers.Dense(
        kernel.shape[1], kernel_initializer="zeros", dtype="float32", name=name
    )
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias])
    return layer
