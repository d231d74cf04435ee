"""The two Keras models that a spec describes, as pure functions of their weights."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from .. import _keras as keras
from ._custom import seeded_keras
from ._layers import (
    LIKELIHOOD,
    LINEAR,
    LOG_VARIANCE,
    POSTERIOR,
    WITH_TARGETS,
    joined,
    with_likelihood,
    with_posterior,
    with_targets,
)
from ._spec import NetworkSpec
from ._weight_scales import WeightScales

Variables = tuple[list, list]
"""Trainable and non-trainable values of one network, in Keras' order."""


@dataclass(frozen=True)
class Networks:
    """Keras encoder and decoder. Only their stateless calls are used.

    Parameters
    ----------
    spec : NetworkSpec
        What they were built from.

    encoder, decoder : keras.Model
        Only the shapes of their weights matter, not the values.
    """

    spec: NetworkSpec
    encoder: Any
    decoder: Any

    def codes(self, encoded: Any) -> Any:
        """Return the codes in what the encoder returns: the mean of a posterior."""
        return encoded[..., : self.spec.n_components]

    def rows(self, decoded: Any) -> Any:
        """Return the rows in what the decoder returns: the mean of a likelihood."""
        if self.spec.likelihood == "bernoulli":
            return keras.ops.sigmoid(decoded)
        return decoded[..., : self.spec.n_features]

    def encode(self, variables: Variables, rows: Any, training: bool = False) -> tuple:
        """Return the outputs, the new non-trainable values and the layers' losses."""
        return self.encoder.stateless_call(
            *variables, rows, training=training, return_losses=True
        )

    def decode(self, variables: Variables, codes: Any, training: bool = False) -> tuple:
        """Return the outputs, the new non-trainable values and the layers' losses."""
        return self.decoder.stateless_call(
            *variables, codes, training=training, return_losses=True
        )

    @functools.cached_property
    def mixes_rows(self) -> bool:
        """Whether a row's output in training depends on the other rows of its batch.

        Such layers, for example batch normalisation, keep statistics. Other layers keep
        at most the seeds of their noise, which are integers.
        """
        kept = (
            self.encoder.non_trainable_variables + self.decoder.non_trainable_variables
        )
        return any("int" not in str(variable.dtype) for variable in kept)

    @functools.cached_property
    def penalised(self) -> list[bool]:
        """For each trainable variable, whether ``alpha`` shrinks it.

        Kernels are shrunk. Biases and the linear path are not, so the penalty pulls
        towards PCA and never away from it.
        """
        return _penalised(self.encoder) + _penalised(self.decoder)

    def weight_scales(self, scales: WeightScales) -> list | None:
        """Return the scale of each trainable weight, the encoder's first.

        None stands for ones.
        """
        if scales.rows is None or scales.codes is None:
            return None
        spec, residual = self.spec, scales.residual
        return [
            *spec.encoder.weight_scales(self.encoder, scales.rows, residual),
            *spec.decoder.weight_scales(self.decoder, scales.codes, residual),
        ]


def build_networks(
    spec: NetworkSpec, seed: int = 0, standard: bool = False
) -> Networks:
    """Build the Keras models of ``spec``.

    The weights of skae's own layers are zeros and are set later. Those of the user's
    layers are drawn by the user's initialisers, from ``seed``.

    Parameters
    ----------
    spec : NetworkSpec
        What to build.

    seed : int
        For the user's layers.

    standard : bool
        Whether to use only layers of Keras, for models that users save.
    """
    with seeded_keras(seed):
        rows = keras.Input((spec.n_features,), dtype="float32", name="rows")
        path = spec.encoder.encoder_path(rows, spec, standard)
        encoded = joined(rows, path, spec.n_components, spec)
        encoded = with_posterior(encoded, path.hidden, spec)
        encoder = keras.Model(rows, encoded, name="encoder")

        codes = keras.Input((spec.n_components,), dtype="float32", name="codes")
        path = spec.decoder.decoder_path(codes, spec, standard)
        decoded = joined(codes, path, spec.n_features, spec)
        decoded = with_likelihood(decoded, codes, spec)
        decoded = with_targets(decoded, codes, spec)
        decoder = keras.Model(codes, decoded, name="decoder")
    return Networks(spec, encoder, decoder)


def standard_encoder(spec: NetworkSpec, variables: Variables) -> Any:
    """Return a Keras model from rows to codes, of Keras' layers only."""
    model = _with_values(build_networks(spec, standard=True).encoder, variables)
    if spec.likelihood is None:
        return model
    codes = model.get_layer(POSTERIOR).input[0]
    return keras.Model(model.input, codes, name="encoder")


def standard_decoder(spec: NetworkSpec, variables: Variables) -> Any:
    """Return a Keras model from codes to means of rows, of Keras' layers only."""
    model = _with_values(build_networks(spec, standard=True).decoder, variables)
    rows = model.output
    if spec.n_targets:
        rows = model.get_layer(WITH_TARGETS).input[0]
    if spec.likelihood == "gaussian":
        rows = model.get_layer(LIKELIHOOD).input[0]
    return keras.Model(model.input, rows, name="decoder")


def _penalised(model: Any) -> list[bool]:
    return [
        layer.name not in (LINEAR, LOG_VARIANCE) and len(variable.shape) > 1
        for layer in model.layers
        for variable in layer.trainable_variables
    ]


def _with_values(model: Any, variables: Variables) -> Any:
    trainable, state = variables
    for variable, value in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, state, strict=True):
        variable.assign(value)
    return model
