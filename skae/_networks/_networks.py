"""The two Keras models that a spec describes, as pure functions of their weights."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _keras as keras
from ._custom import seeded_keras
from ._layers import (
    LINEAR,
    LOG_VARIANCE,
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

        Such layers, for example batch normalisation, keep statistics of batches, which
        change in training. Frozen weights do not change, nor does what a layer learnt
        from data before. Seeds of noise change, but they are integers.
        """
        if not self.spec.is_custom:
            return False
        return _keeps_statistics(self.encoder) or _keeps_statistics(self.decoder)

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
        rows = keras.Input((spec.width_of_inputs,), dtype="float32", name="rows")
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
    if spec.is_custom and share_variables(encoder, decoder):
        raise ValueError(
            "The models of the 'encoder' and the 'decoder' callable share weights. "
            "They are trained as weights of their own. Build new layers in each."
        )
    return Networks(spec, encoder, decoder)


def share_variables(one: Any, other: Any) -> bool:
    """Say whether two models have a variable in common."""
    found = {id(variable) for variable in one.variables}
    return any(id(variable) in found for variable in other.variables)


def _keeps_statistics(model: Any) -> bool:
    """Say whether training changes more of a model than weights and seeds."""
    before = [variable.value for variable in model.non_trainable_variables]
    if not before:
        return False
    weights = [variable.value for variable in model.trainable_variables]
    shape = 2, model.input_shape[1]
    rows = np.random.RandomState(0).standard_normal(shape).astype(np.float32)
    _, after = model.stateless_call(weights, before, rows, training=True)
    return any(
        "int" not in str(variable.dtype) and bool(keras.ops.any(was != now))
        for variable, was, now in zip(
            model.non_trainable_variables, before, after, strict=True
        )
    )


def _penalised(model: Any) -> list[bool]:
    return [
        layer.name not in (LINEAR, LOG_VARIANCE) and len(variable.shape) > 1
        for layer in model.layers
        for variable in layer.trainable_variables
    ]
