"""Ordinary Keras models in the data's own units, made of Keras' layers only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import _keras as keras
from .._linear import LinearModel
from .._networks import (
    LIKELIHOOD,
    POSTERIOR,
    WITH_TARGETS,
    CustomLayers,
    NetworkSpec,
    Variables,
    build_networks,
    share_variables,
)
from ._forward import Box, InferenceParts, blend

_NARROW = 1e-6
"""A column with a smaller half width counts as constant."""


def keras_encoder(model: Any) -> Any:
    """Return a Keras model from rows to codes.

    Parameters
    ----------
    model : LinearModel or NetworkModel
        What a fitted estimator keeps.
    """
    if isinstance(model, LinearModel):
        rows = keras.Input((len(model.scaling.mean),), dtype="float32", name="rows")
        centred = _rescaling(1.0, -model.scaling.mean, "encoder_scaling")(rows)
        kernel = model.down / _units(model)
        linear = _affine(kernel, np.zeros(model.n_components), "encoder_linear")
        return keras.Model(rows, linear(centred), name="encoder")
    parts: InferenceParts = model.parts
    spec, scaling, transform = parts.spec, parts.scaling, parts.transform
    network = _codes_of(_own_model(spec, "encoder"), spec, parts.weights["encoder"])
    rows = keras.Input((spec.n_features,), dtype="float32", name="rows")
    scale, offset = 1 / scaling.scale, -scaling.mean / scaling.scale
    scaled = _rescaling(scale, offset, "encoder_scaling")(rows)
    codes = _continued(network, scaled, parts.row_box, parts.down, "encoder")
    offset = -transform.offset @ transform.matrix
    last = _constant(transform.matrix, offset, "encoder_canonical")
    return keras.Model(rows, last(codes), name="encoder")


def keras_decoder(model: Any) -> Any:
    """Return a Keras model from codes to rows, likewise."""
    if isinstance(model, LinearModel):
        codes = keras.Input((model.n_components,), dtype="float32", name="codes")
        kernel = model.components * _units(model)[:, None]
        linear = _affine(kernel, model.scaling.mean, "decoder_linear")
        return keras.Model(codes, linear(codes), name="decoder")
    parts: InferenceParts = model.parts
    spec, scaling, transform = parts.spec, parts.scaling, parts.transform
    network = _rows_of(_own_model(spec, "decoder"), spec, parts.weights["decoder"])
    codes = keras.Input((spec.n_components,), dtype="float32", name="codes")
    first = _constant(transform.inverse, transform.offset, "decoder_canonical")
    rows = _continued(network, first(codes), parts.code_box, parts.up, "decoder")
    if spec.likelihood == "bernoulli":
        rows = keras.layers.Activation(
            "sigmoid", dtype="float32", name="decoder_sigmoid"
        )(rows)
    rescale = _rescaling(scaling.scale, scaling.mean, "decoder_scaling")
    return keras.Model(codes, rescale(rows), name="decoder")


def _units(model: LinearModel) -> np.ndarray:
    if model.deviations is None:
        return np.ones(model.n_components, model.components.dtype)
    return model.deviations


def _codes_of(model: Any, spec: NetworkSpec, variables: Variables) -> Any:
    """Return a network from rows to codes, in the network's units."""
    codes = _with_values(model, variables).output
    if spec.likelihood is not None:
        codes = model.get_layer(POSTERIOR).input[0]
    return keras.Model(model.input, codes, name="encoder_network")


def _rows_of(model: Any, spec: NetworkSpec, variables: Variables) -> Any:
    """Return a network from codes to means of rows, in the network's units."""
    rows = _with_values(model, variables).output
    if spec.n_targets:
        rows = model.get_layer(WITH_TARGETS).input[0]
    if spec.likelihood == "gaussian":
        rows = model.get_layer(LIKELIHOOD).input[0]
    return keras.Model(model.input, rows, name="decoder_network")


def _own_model(spec: NetworkSpec, side: str) -> Any:
    """Return a model whose variables belong to nobody else.

    The user's callable may return a model that exists already, for example one that
    was trained before.
    """
    model = getattr(build_networks(spec, standard=True), side)
    if not isinstance(getattr(spec, side), CustomLayers):
        return model
    other = getattr(build_networks(spec, standard=True), side)
    if not share_variables(model, other):
        return model
    try:
        return keras.models.clone_model(model)
    except Exception as error:
        raise ValueError(
            f"The {side!r} callable returns the same model at every call, and Keras "
            "cannot copy it. Build a new model in the callable, or give the model a "
            f"get_config method. Keras says: {error}"
        ) from error


def _with_values(model: Any, variables: Variables) -> Any:
    trainable, state = variables
    for variable, value in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, state, strict=True):
        variable.assign(value)
    for layer in _layers(model):
        # Such a layer computes with a copy of its variables.
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def _layers(model: Any) -> Iterator[Any]:
    """Yield the layers of a model and of the models in it."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)


def _continued(
    network: Any, values: Any, box: Box, outside: np.ndarray, side: str
) -> Any:
    """Return the network of values, continued by the linear model beyond the box.

    What belongs to the bounds and to the blend is a model of its own each, so that a
    summary shows one line for it.
    """
    if not box.is_bounded:
        return network(values)
    inside, linear, beyond = _bounds_model(box, outside, f"{side}_bounds")(values)
    parts = [network(inside), linear, beyond]
    inputs = [keras.Input(part.shape[1:], dtype="float32") for part in parts]
    blended = blend(keras.ops, *inputs)
    return keras.Model(inputs, blended, name=f"{side}_blend")(parts)


def _bounds_model(box: Box, outside: np.ndarray, name: str) -> Any:
    """Return a model of the nearest values inside, and of both linear parts."""
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
