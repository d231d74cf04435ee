"""The pair of networks that a spec means, as pure functions of their weights."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from .._backend import keras
from .._spec import NetworkSpec
from ._convolutional import (
    PRODUCTS,
    ConvolutionLayers,
    build_convolutional_decoder,
    build_convolutional_encoder,
)
from ._custom import build_custom_decoder, build_custom_encoder, seeded_keras
from ._dense import LINEAR, LOG_VARIANCE, build_dense_decoder, build_dense_encoder
from ._units import Units, weight_units

Variables = tuple[list, list]
"""Trainable and non-trainable values of one network, in Keras' order."""


@dataclass(frozen=True)
class Networks:
    """Keras encoder and decoder, used through their stateless calls only.

    Parameters
    ----------
    spec : NetworkSpec
        What they were built from.

    encoder, decoder : keras.Model
        Their weights, but for their shapes, mean nothing.
    """

    spec: NetworkSpec
    encoder: keras.Model
    decoder: keras.Model

    def codes(self, encoded):
        """Return the codes in what the encoder returns: for a posterior its mean."""
        return encoded[..., : self.spec.n_components]

    def rows(self, decoded):
        """Return the rows in what the decoder returns: for a likelihood its mean."""
        if self.spec.likelihood == "bernoulli":
            return keras.ops.sigmoid(decoded)
        return decoded[..., : self.spec.n_features]

    def encode(self, variables: Variables, rows: Any, training: bool = False):
        """Return the outputs, the new non-trainable values and the layers' losses."""
        return self.encoder.stateless_call(
            *variables, rows, training=training, return_losses=True
        )

    def decode(self, variables: Variables, codes: Any, training: bool = False):
        """Return the outputs, the new non-trainable values and the layers' losses."""
        return self.decoder.stateless_call(
            *variables, codes, training=training, return_losses=True
        )

    @functools.cached_property
    def mixes_rows(self) -> bool:
        """Whether a row's output in training depends on the rest of its batch.

        Such layers, as batch normalisation, keep statistics; all other layers that keep
        anything keep the seeds of their noise, which are integers.
        """
        kept = (
            self.encoder.non_trainable_variables + self.decoder.non_trainable_variables
        )
        return any("int" not in str(variable.dtype) for variable in kept)

    @functools.cached_property
    def penalised(self) -> list[bool]:
        """For each trainable variable, whether ``alpha`` shrinks it.

        Kernels are shrunk, biases are not, and the linear path is not: the penalty
        pulls towards PCA, never away from it.
        """
        return _penalised(self.encoder) + _penalised(self.decoder)

    def weight_units(self, units: Units) -> tuple[list, list]:
        """Return what each weight of the encoder and of the decoder is measured by.

        That is one unless ``units`` says more, which it may of dense networks.
        """
        sees_all = self.spec.skip_connections == "dense"
        return (
            weight_units(self.encoder, units.rows, units.left, sees_all),
            weight_units(self.decoder, units.codes, units.left, sees_all),
        )


def build_networks(
    spec: NetworkSpec, seed: int = 0, layers: ConvolutionLayers = PRODUCTS
) -> Networks:
    """Build the Keras models of ``spec``.

    The weights of skae's own layers are zeros, yet to be supplied; those of the user's
    layers are drawn by the user's initialisers, from ``seed``.
    """
    with seeded_keras(seed):
        return Networks(spec, _encoder(spec, layers), _decoder(spec, layers))


def _encoder(spec: NetworkSpec, layers: ConvolutionLayers) -> keras.Model:
    if spec.encoder is not None:
        return build_custom_encoder(spec)
    if spec.convolutions:
        return build_convolutional_encoder(spec, layers)
    return build_dense_encoder(spec)


def _decoder(spec: NetworkSpec, layers: ConvolutionLayers) -> keras.Model:
    if spec.decoder is not None:
        return build_custom_decoder(spec)
    if spec.convolutions:
        return build_convolutional_decoder(spec, layers)
    return build_dense_decoder(spec)


def _penalised(model: keras.Model) -> list[bool]:
    return [
        layer.name not in (LINEAR, LOG_VARIANCE) and len(variable.shape) > 1
        for layer in model.layers
        for variable in layer.trainable_variables
    ]
