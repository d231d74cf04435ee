"""Ordinary Keras models in the data's own units, made of Keras' parts only."""

from __future__ import annotations

import numpy as np

from .._backend import keras
from .._basis import Basis
from .._bounds import TINY, Bounds, Box
from .._scaling import Scaling
from .._spec import NetworkSpec
from ._build import Variables, build_networks
from ._convolutional import STANDARD
from ._dense import LIKELIHOOD, POSTERIOR

_NARROW = 1e-6
"""Half the width under which a column counts as constant."""


def export_encoder(
    spec: NetworkSpec,
    variables: Variables,
    scaling: Scaling,
    basis: Basis,
    bounds: Bounds,
) -> keras.Model:
    """Scaling, network and canonical basis as one model from rows to codes."""
    network = _with_values(build_networks(spec, layers=STANDARD).encoder, variables)
    if spec.likelihood is not None:
        codes = network.get_layer(POSTERIOR).input[0]
        network = keras.Model(network.input, codes, name="encoder")
    rows = keras.Input((spec.n_features,), dtype="float32", name="rows")
    scaled = keras.layers.Rescaling(
        1 / scaling.scale, (-scaling.mean / scaling.scale).tolist(), dtype="float32"
    )(rows)
    basis_layer = _affine(basis.matrix, -basis.offset @ basis.matrix, "canonical")
    codes = _continued(network, scaled, bounds.rows, bounds.components.T)
    return keras.Model(rows, basis_layer(codes), name="encoder")


def export_decoder(
    spec: NetworkSpec,
    variables: Variables,
    scaling: Scaling,
    basis: Basis,
    bounds: Bounds,
) -> keras.Model:
    """Canonical basis, network and scaling as one model from codes to rows."""
    network = _with_values(build_networks(spec, layers=STANDARD).decoder, variables)
    if spec.likelihood == "gaussian":
        means = network.get_layer(LIKELIHOOD).input[0]
        network = keras.Model(network.input, means, name="decoder")
    codes = keras.Input((spec.n_components,), dtype="float32", name="codes")
    basis_layer = _affine(basis.inverse, basis.offset, "canonical")
    inner = basis_layer(codes)
    scaled = _continued(network, inner, bounds.codes, bounds.components)
    if spec.likelihood == "bernoulli":
        scaled = keras.layers.Activation("sigmoid", dtype="float32")(scaled)
    rows = keras.layers.Rescaling(
        scaling.scale, scaling.mean.tolist(), dtype="float32"
    )(scaled)
    return keras.Model(codes, rows, name="decoder")


def affine_encoder(mean: np.ndarray, axes: np.ndarray) -> keras.Model:
    """PCA as a model from rows to codes; ``axes`` has shape (features, components)."""
    rows = keras.Input((len(mean),), dtype="float32", name="rows")
    centred = keras.layers.Rescaling(1.0, (-mean).tolist(), dtype="float32")(rows)
    zero = np.zeros(axes.shape[1])
    return keras.Model(rows, _affine(axes, zero, "linear")(centred), name="encoder")


def affine_decoder(mean: np.ndarray, axes: np.ndarray) -> keras.Model:
    """PCA as a model from codes to rows; ``axes`` has shape (components, features)."""
    codes = keras.Input((len(axes),), dtype="float32", name="codes")
    return keras.Model(codes, _affine(axes, mean, "linear")(codes), name="decoder")


def _continued(network: keras.Model, values, box: Box, outside: np.ndarray):
    """Share values between the network and ``outside``, as ``Bounds`` says."""
    if np.isinf(box.high).all():
        return network(values)
    middle, half = (box.low + box.high) / 2, (box.high - box.low) / 2
    steps = 1 / np.maximum(half, _NARROW)
    # Keras has no layer that clips each column: bring the box to -1 and 1, and back.
    clipped = _columns(steps, -middle * steps, "clip", "hard_tanh")(values)
    inside = _columns(half, middle, "inside")(clipped)
    outputs = network(inside)
    linear = _affine(outside, np.zeros(outside.shape[1]), "outside")
    beyond = linear(values - inside)
    distance, length = (
        keras.ops.sum(keras.ops.square(part), axis=1, keepdims=True)
        for part in (beyond, outputs)
    )
    share = keras.ops.relu(1 - distance / keras.ops.maximum(length, TINY))
    return share * outputs + (1 - share) * linear(inside) + beyond


def _columns(factors, shifts, name: str, activation=None) -> keras.layers.EinsumDense:
    layer = keras.layers.EinsumDense(
        "bi,i->bi",
        output_shape=len(factors),
        bias_axes="i",
        activation=activation,
        kernel_initializer="zeros",
        dtype="float32",
        name=name,
    )
    layer.build((None, len(factors)))
    layer.set_weights([factors, shifts])
    return layer


def _affine(kernel: np.ndarray, bias: np.ndarray, name: str) -> keras.layers.Dense:
    layer = keras.layers.Dense(
        kernel.shape[1], kernel_initializer="zeros", dtype="float32", name=name
    )
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias])
    return layer


def _with_values(model: keras.Model, variables: Variables) -> keras.Model:
    trainable, state = variables
    for variable, value in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, state, strict=True):
        variable.assign(value)
    return model
