"""Ordinary Keras models in the data's own units, made of Keras' layers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _keras as keras
from .._data import Scaling
from .._networks import NetworkSpec, standard_decoder, standard_encoder
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
    network = standard_encoder(spec, weights["encoder"])
    rows = keras.Input((spec.n_features,), dtype="float32", name="rows")
    scaled = keras.layers.Rescaling(
        1 / scaling.scale, (-scaling.mean / scaling.scale).tolist(), dtype="float32"
    )(rows)
    last = _affine(transform.matrix, -transform.offset @ transform.matrix, "canonical")
    codes = _continued(network, scaled, bounds.rows, bounds.down)
    return keras.Model(rows, last(codes), name="encoder")


def export_decoder(
    spec: NetworkSpec,
    scaling: Scaling,
    weights: dict,
    transform: CodeTransform,
    bounds: Bounds,
) -> Any:
    """Return code transform, network and scaling as one model from codes to rows."""
    network = standard_decoder(spec, weights["decoder"])
    codes = keras.Input((spec.n_components,), dtype="float32", name="codes")
    first = _affine(transform.inverse, transform.offset, "canonical")
    scaled = _continued(network, first(codes), bounds.codes, bounds.components)
    if spec.likelihood == "bernoulli":
        scaled = keras.layers.Activation("sigmoid", dtype="float32")(scaled)
    rows = keras.layers.Rescaling(
        scaling.scale, scaling.mean.tolist(), dtype="float32"
    )(scaled)
    return keras.Model(codes, rows, name="decoder")


def affine_encoder(mean: np.ndarray, axes: np.ndarray) -> Any:
    """Return PCA as a model from rows to codes; axes are (n_features, n_components)."""
    rows = keras.Input((len(mean),), dtype="float32", name="rows")
    centred = keras.layers.Rescaling(1.0, (-mean).tolist(), dtype="float32")(rows)
    zero = np.zeros(axes.shape[1])
    return keras.Model(rows, _affine(axes, zero, "linear")(centred), name="encoder")


def affine_decoder(mean: np.ndarray, axes: np.ndarray) -> Any:
    """Return PCA as a model from codes to rows; axes are (n_components, n_features)."""
    codes = keras.Input((len(axes),), dtype="float32", name="codes")
    return keras.Model(codes, _affine(axes, mean, "linear")(codes), name="decoder")


def _continued(network: Any, values: Any, box: Box, outside: np.ndarray) -> Any:
    """Return the network of values, continued by PCA beyond the box."""
    if np.isinf(box.high).all():
        return network(values)
    middle, half = (box.low + box.high) / 2, (box.high - box.low) / 2
    steps = 1 / np.maximum(half, _NARROW)
    # No layer of Keras clips each column by bounds of its own. So the box is mapped to
    # -1 and 1, and back.
    clipped = _columns(steps, -middle * steps, "clip", "hard_tanh")(values)
    inside = _columns(half, middle, "inside")(clipped)
    linear = _affine(outside, np.zeros(outside.shape[1]), "outside")
    beyond = linear(values - inside)
    return blend(keras.ops, network(inside), linear(inside), beyond)


def _columns(factors, shifts, name: str, activation: str | None = None) -> Any:
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


def _affine(kernel: np.ndarray, bias: np.ndarray, name: str) -> Any:
    layer = keras.layers.Dense(
        kernel.shape[1], kernel_initializer="zeros", dtype="float32", name=name
    )
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias])
    return layer
