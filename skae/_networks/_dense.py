"""Dense networks, with the linear path that makes them start at PCA."""

from __future__ import annotations

from .._backend import keras
from .._spec import NetworkSpec

LINEAR = "linear"
CORRECTION = "correction"


def build_dense_encoder(spec: NetworkSpec) -> keras.Model:
    """Rows to codes."""
    inputs = keras.Input((spec.n_features,), dtype="float32", name="rows")
    sizes = spec.hidden_layer_sizes
    return keras.Model(
        inputs, _layers(inputs, sizes, spec.n_components, spec), name="encoder"
    )


def build_dense_decoder(spec: NetworkSpec) -> keras.Model:
    """Codes to rows, mirroring the encoder."""
    inputs = keras.Input((spec.n_components,), dtype="float32", name="codes")
    sizes = spec.hidden_layer_sizes[::-1]
    return keras.Model(
        inputs, _layers(inputs, sizes, spec.n_features, spec), name="decoder"
    )


def _layers(inputs, sizes: tuple[int, ...], width: int, spec: NetworkSpec):
    hidden = inputs
    for depth, size in enumerate(sizes):
        if depth and spec.skip_connections == "dense":
            hidden = keras.layers.Concatenate(dtype="float32")([hidden, inputs])
        hidden = _dense(size, f"hidden_{depth}", spec.activation)(hidden)
        if spec.dropout:
            hidden = keras.layers.Dropout(spec.dropout, dtype="float32")(hidden)
    if not spec.starts_at_pca:
        return _dense(width, "output")(hidden)
    linear = _dense(width, LINEAR)(inputs)
    if not sizes:
        return linear
    correction = _dense(width, CORRECTION, use_bias=False)(hidden)
    return keras.layers.Add(dtype="float32")([linear, correction])


def _dense(width: int, name: str, activation=None, use_bias: bool = True):
    # The weights are supplied by the initialisation: zeros cost nothing to make.
    return keras.layers.Dense(
        width,
        activation=activation,
        use_bias=use_bias,
        kernel_initializer="zeros",
        dtype="float32",
        name=name,
    )
