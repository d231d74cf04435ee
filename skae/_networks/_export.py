"""Ordinary Keras models in the data's own units, made of standard layers only."""

from __future__ import annotations

import numpy as np

from .._backend import keras
from .._basis import Basis
from .._scaling import Scaling
from .._spec import NetworkSpec
from ._build import Variables, build_networks


def export_encoder(
    spec: NetworkSpec, variables: Variables, scaling: Scaling, basis: Basis
) -> keras.Model:
    """Scaling, network and canonical basis as one model from rows to codes."""
    network = _with_values(build_networks(spec).encoder, variables)
    rows = keras.Input((spec.n_features,), dtype="float32", name="rows")
    scaled = keras.layers.Rescaling(
        1 / scaling.scale, (-scaling.mean / scaling.scale).tolist(), dtype="float32"
    )(rows)
    basis_layer = _affine(basis.matrix, -basis.offset @ basis.matrix, "canonical")
    return keras.Model(rows, basis_layer(network(scaled)), name="encoder")


def export_decoder(
    spec: NetworkSpec, variables: Variables, scaling: Scaling, basis: Basis
) -> keras.Model:
    """Canonical basis, network and scaling as one model from codes to rows."""
    network = _with_values(build_networks(spec).decoder, variables)
    codes = keras.Input((spec.n_components,), dtype="float32", name="codes")
    basis_layer = _affine(basis.inverse, basis.offset, "canonical")
    rows = keras.layers.Rescaling(
        scaling.scale, scaling.mean.tolist(), dtype="float32"
    )(network(basis_layer(codes)))
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
