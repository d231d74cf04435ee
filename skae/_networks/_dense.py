"""Dense networks, with the linear path that makes them start at PCA."""

from __future__ import annotations

from .._backend import keras
from .._spec import NetworkSpec

LINEAR = "linear"
CORRECTION = "correction"
LOG_VARIANCE = "log_variance"
POSTERIOR, LIKELIHOOD = "posterior", "likelihood"


def build_dense_encoder(spec: NetworkSpec) -> keras.Model:
    """Rows to codes."""
    inputs = keras.Input((spec.n_features,), dtype="float32", name="rows")
    hidden = hidden_layers(inputs, spec.hidden_layer_sizes, spec)
    codes = with_linear_path(inputs, hidden, spec.n_components, spec)
    return keras.Model(inputs, with_posterior(codes, hidden, spec), name="encoder")


def build_dense_decoder(spec: NetworkSpec) -> keras.Model:
    """Codes to rows, mirroring the encoder."""
    inputs = keras.Input((spec.n_components,), dtype="float32", name="codes")
    hidden = hidden_layers(inputs, spec.hidden_layer_sizes[::-1], spec)
    rows = with_linear_path(inputs, hidden, spec.n_features, spec)
    return keras.Model(inputs, with_likelihood(rows, inputs, spec), name="decoder")


def hidden_layers(inputs, sizes: tuple[int, ...], spec: NetworkSpec):
    """Pass inputs through layers of the given sizes."""
    hidden = inputs
    for depth, size in enumerate(sizes):
        if depth and spec.skip_connections == "dense":
            hidden = keras.layers.Concatenate(dtype="float32")([hidden, inputs])
        hidden = dense(size, f"hidden_{depth}", spec.activation)(hidden)
        if spec.dropout:
            hidden = keras.layers.Dropout(spec.dropout, dtype="float32")(hidden)
    return hidden


def with_linear_path(inputs, hidden, width: int, spec: NetworkSpec):
    """Join the linear path and what the hidden layers add to it."""
    if not spec.starts_at_pca:
        return dense(width, "output")(hidden)
    linear = dense(width, LINEAR)(inputs)
    if hidden is inputs:
        return linear
    correction = dense(width, CORRECTION, use_bias=False)(hidden)
    return keras.layers.Add(dtype="float32")([linear, correction])


def with_posterior(codes, hidden, spec: NetworkSpec):
    """Join to the mean of a variational code its log-variance."""
    if spec.likelihood is None:
        return codes
    log_variances = dense(spec.n_components, LOG_VARIANCE)(hidden)
    return keras.layers.Concatenate(dtype="float32", name=POSTERIOR)(
        [codes, log_variances]
    )


def with_likelihood(rows, codes, spec: NetworkSpec):
    """Join to the mean of a row what its likelihood takes beside it."""
    if spec.likelihood == "gaussian":
        log_variance = dense(1, LOG_VARIANCE)(codes)
        join = keras.layers.Concatenate(dtype="float32", name=LIKELIHOOD)
        return join([rows, log_variance])
    if spec.output_activation is None:
        return rows
    return keras.layers.Activation(spec.output_activation, dtype="float32")(rows)


def dense(width: int, name: str, activation=None, use_bias: bool = True):
    """Return a layer whose weights the initialisation will supply."""
    # Zeros cost nothing to make.
    return keras.layers.Dense(
        width,
        activation=activation,
        use_bias=use_bias,
        kernel_initializer="zeros",
        dtype="float32",
        name=name,
    )
