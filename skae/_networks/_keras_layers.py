"""How Keras builds the two models that a spec describes.

The names of the layers say what each is for. Where weights start, and which ones are
penalised, depends on them.
"""

from __future__ import annotations

import functools
import math
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import _keras as keras
from ._spec import ConvolutionalLayers, CustomLayers, DenseLayers, NetworkSpec

LINEAR = "linear"
"""The linear path: the linear model at the start."""

CORRECTION = "correction"
"""The last layer beside it, zero at the start. The network is then the linear model."""

LOG_VARIANCE = "log_variance"
"""Of a code or of a row: constant at the start."""

HEAD = "head"
"""Predicts labels from codes. At the start it is the head of the linear model."""

POSTERIOR, LIKELIHOOD, WITH_TARGETS = "posterior", "likelihood", "with_targets"

_LAST = "channels_last"
"""How rows hold images, whatever Keras' global ``image_data_format`` is."""

_KERAS_SEEDS = threading.Lock()

Variables = tuple[list, list]
"""Trainable and non-trainable values of one network, in Keras' order."""


class Path(NamedTuple):
    """What layers compute, as Keras tensors.

    Parameters
    ----------
    output : KerasTensor or None
        Codes or rows. They are added to those of the linear path, if there is one. None
        where the linear path is all there is.

    hidden : KerasTensor
        What the last hidden layer returns.
    """

    output: Any
    hidden: Any


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
        towards the linear model and never away from it.
        """
        return _penalised(self.encoder) + _penalised(self.decoder)


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
        # From rows to codes, and for a variational autoencoder to their posterior.
        n_inputs = spec.n_features if spec.n_inputs is None else spec.n_inputs
        rows = keras.Input((n_inputs,), dtype="float32", name="rows")
        path = _path("encoder", rows, spec, standard)
        encoded = _joined(rows, path, spec.n_components, spec)
        if spec.likelihood is not None:
            log_variances = _dense(spec.n_components, LOG_VARIANCE)(path.hidden)
            encoded = _appended(encoded, log_variances, POSTERIOR)
        encoder = keras.Model(rows, encoded, name="encoder")

        # From codes to rows, what their likelihood needs, and predicted labels.
        codes = keras.Input((spec.n_components,), dtype="float32", name="codes")
        path = _path("decoder", codes, spec, standard)
        decoded = _joined(codes, path, spec.n_features, spec)
        if spec.likelihood == "gaussian":
            log_variance = _dense(1, LOG_VARIANCE)(codes)
            decoded = _appended(decoded, log_variance, LIKELIHOOD)
        elif spec.output_activation is not None:
            activation = spec.output_activation
            decoded = keras.layers.Activation(activation, dtype="float32")(decoded)
        if spec.n_targets:
            predicted = _dense(spec.n_targets, HEAD)(codes)
            decoded = _appended(decoded, predicted, WITH_TARGETS)
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


@contextmanager
def seeded_keras(seed: int) -> Iterator[None]:
    """Seed the layers made inside. Leave Python's global generator as it was.

    A Keras layer without a seed of its own draws one from Python's generator.
    """
    with _KERAS_SEEDS:
        before = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)


def _path(side: str, inputs: Any, spec: NetworkSpec, standard: bool) -> Path:
    """Build the layers of the encoder or of the decoder."""
    layers = getattr(spec, side)
    if isinstance(layers, CustomLayers):
        return _custom(layers, side, inputs, spec)
    if isinstance(layers, ConvolutionalLayers):
        build = _convolved if side == "encoder" else _deconvolved
        return build(layers, inputs, spec, standard)
    is_encoder = side == "encoder"
    sizes = layers.sizes if is_encoder else layers.sizes[::-1]
    hidden = _hidden(layers, inputs, sizes)
    if spec.linear_path and not sizes:
        return Path(None, hidden)
    width = spec.n_components if is_encoder else spec.n_features
    return Path(_last(hidden, width, spec), hidden)


def _hidden(layers: DenseLayers, inputs: Any, sizes: tuple[int, ...]) -> Any:
    """Pass inputs through hidden dense layers of the given sizes."""
    hidden = inputs
    for depth, size in enumerate(sizes):
        if depth and layers.see_inputs:
            hidden = keras.layers.Concatenate(dtype="float32")([hidden, inputs])
        hidden = _dense(size, f"hidden_{depth}", layers.activation)(hidden)
        if layers.dropout:
            hidden = keras.layers.Dropout(layers.dropout, dtype="float32")(hidden)
    return hidden


def _convolved(
    layers: ConvolutionalLayers, rows: Any, spec: NetworkSpec, standard: bool
) -> Path:
    """Fold rows into images, convolve them and pass them through dense layers."""
    kind, _ = _convolution_types(standard)
    hidden = keras.layers.Reshape(layers.image_shape, dtype="float32")(rows)
    for depth, convolution in enumerate(layers.convolutions):
        hidden = kind(
            **convolution._asdict(),
            padding="same",
            data_format=_LAST,
            activation=layers.dense_layers.activation,
            kernel_initializer="zeros",
            dtype="float32",
            name=f"convolution_{depth}",
        )(hidden)
    hidden = keras.layers.Flatten(_LAST, dtype="float32")(hidden)
    hidden = _hidden(layers.dense_layers, hidden, layers.dense_layers.sizes)
    return Path(_last(hidden, spec.n_components, spec), hidden)


def _deconvolved(
    layers: ConvolutionalLayers, codes: Any, spec: NetworkSpec, standard: bool
) -> Path:
    """Mirror the encoder."""
    _, kind = _convolution_types(standard)
    activation = layers.dense_layers.activation
    hidden = _hidden(layers.dense_layers, codes, layers.dense_layers.sizes[::-1])
    cells = layers.cells()
    folded = (*cells[-1], layers.convolutions[-1].filters)
    hidden = _dense(math.prod(folded), "cells", activation)(hidden)
    hidden = keras.layers.Reshape(folded, dtype="float32")(hidden)
    channels = [layers.image_shape[2], *(one.filters for one in layers.convolutions)]
    for depth in reversed(range(len(layers.convolutions))):
        convolution = layers.convolutions[depth]
        is_output = depth == 0
        is_correction = is_output and spec.linear_path
        hidden = kind(
            **convolution._replace(filters=channels[depth])._asdict(),
            padding="same",
            data_format=_LAST,
            activation=None if is_output else activation,
            use_bias=not is_correction,
            kernel_initializer="zeros",
            dtype="float32",
            name=CORRECTION if is_correction else f"convolution_{depth}",
        )(hidden)
        hidden = _cropped(hidden, cells[depth])
    return Path(keras.layers.Flatten(_LAST, dtype="float32")(hidden), hidden)


def _convolution_types(standard: bool) -> tuple[Any, Any]:
    """Return two classes of layers: those of Keras, or equal ones that train faster."""
    if standard:
        return keras.layers.Conv2D, keras.layers.Conv2DTranspose
    from ._products import ProductConv2D, ProductConv2DTranspose

    return ProductConv2D, ProductConv2DTranspose


def _cropped(images: Any, cells: tuple[int, int]) -> Any:
    extra = [have - want for have, want in zip(images.shape[1:3], cells, strict=True)]
    if not any(extra):
        return images
    # "same" padding sees one pixel more at the end than at the beginning.
    margins = tuple((size // 2, size - size // 2) for size in extra)
    return keras.layers.Cropping2D(margins, _LAST, dtype="float32")(images)


def _custom(layers: CustomLayers, side: str, inputs: Any, spec: NetworkSpec) -> Path:
    """Call the user's encoder or decoder."""
    widths = spec.n_features, spec.n_components
    n_inputs, n_outputs = widths if side == "encoder" else widths[::-1]
    model = layers.builder(n_features=spec.n_features, n_components=spec.n_components)
    outputs = _called(model, inputs, side, n_inputs, n_outputs)
    if side == "decoder" and not spec.linear_path and spec.output_activation is None:
        _check_end(model)
    if outputs.dtype != "float32":
        # By Keras' global policy the user's layers may compute in other types.
        outputs = keras.layers.Activation("linear", dtype="float32")(outputs)
    if spec.linear_path:
        # One trainable factor for each output, zero at the start (ReZero, Bachlechner
        # et al. 2021). So training starts at the linear model with any network.
        outputs = keras.layers.EinsumDense(
            "bi,i->bi",
            output_shape=n_outputs,
            kernel_initializer="zeros",
            dtype="float32",
            name=CORRECTION,
        )(outputs)
    return Path(outputs, outputs)


def _called(model: Any, inputs: Any, side: str, n_inputs: int, n_outputs: int) -> Any:
    """Return the output of the user's model. Raise if it does not fit."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"The {side!r} callable must return a keras.Model from {n_inputs} to "
            f"{n_outputs} values. Got {type(model).__name__} instead."
        )
    hint = "Use the n_features and n_components that the callable is given."
    expected = None, n_inputs
    # A model without an input shape is built when it is called. Subclasses of Model
    # that were called before have no inputs either.
    known = model.built and getattr(model, "inputs", None)
    found = model.input_shape if known else expected
    if found != expected:
        raise ValueError(
            f"The model returned by the {side!r} callable must have input shape "
            f"{expected}. Got {found} instead. {hint}"
        )
    try:
        outputs = model(inputs)
    # The user's layers may raise anything.
    except Exception as error:
        raise ValueError(
            f"The model returned by the {side!r} callable cannot be called with an "
            f"input of shape {expected}: {error}"
        ) from error
    shape = getattr(outputs, "shape", type(outputs).__name__)
    if shape != (None, n_outputs):
        raise ValueError(
            f"The model returned by the {side!r} callable must have output shape "
            f"{(None, n_outputs)}. Got {shape} instead. {hint}"
        )
    return outputs


def _check_end(decoder: Any) -> None:
    """Raise ``ValueError`` if a decoder cannot return large values of both signs."""
    layer = decoder
    while isinstance(layer, keras.Model) and layer.layers:
        layer = layer.layers[-1]
    end = getattr(layer, "activation", None if layer.weights else layer)
    if end is None or isinstance(end, keras.Model):
        return
    row = keras.ops.convert_to_tensor(np.array([[-1000, 1000]], np.float32))
    least, most = np.asarray(keras.ops.convert_to_numpy(end(row)))[0]
    if least > -10 or most < 10:
        name = getattr(end, "__name__", type(end).__name__)
        raise ValueError(
            f"The model returned by the 'decoder' callable ends with {name}, which "
            "cannot return the rows: they are centred and scaled, so they have values "
            "of both signs. Leave out that activation. For rows that are not centred, "
            f"for example pixels in 0-1, pass output_activation={name!r} instead."
        )


def _dense(width: int, name: str, activation: Any = None, use_bias: bool = True) -> Any:
    """Return a dense layer. Its weights are set later, so zeros will do here."""
    return keras.layers.Dense(
        width,
        activation=activation,
        use_bias=use_bias,
        kernel_initializer="zeros",
        dtype="float32",
        name=name,
    )


def _last(hidden: Any, width: int, spec: NetworkSpec) -> Any:
    """Pass hidden values through the last layer of a path."""
    if spec.linear_path:
        return _dense(width, CORRECTION, use_bias=False)(hidden)
    return _dense(width, "output")(hidden)


def _joined(inputs: Any, path: Path, width: int, spec: NetworkSpec) -> Any:
    """Add the linear path, if there is one, to what the layers compute."""
    if not spec.linear_path:
        return path.output
    linear = _dense(width, LINEAR)(inputs)
    if path.output is None:
        return linear
    return keras.layers.Add(dtype="float32")([linear, path.output])


def _appended(values: Any, more: Any, name: str) -> Any:
    return keras.layers.Concatenate(dtype="float32", name=name)([values, more])


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
