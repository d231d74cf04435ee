"""Layers that several families use, and the ends that join them to the linear path.

The names of the layers say what each is for. Where weights start, and which ones are
penalised, depends on them.
"""

from __future__ import annotations

from typing import Any

from .. import _keras as keras
from ._spec import NetworkSpec, Path

LINEAR = "linear"
"""The linear path: the linear model at the start."""

CORRECTION = "correction"
"""The last layer beside it, zero at the start. The network is then the linear model."""

LOG_VARIANCE = "log_variance"
"""Of a code or of a row: constant at the start."""

HEAD = "head"
"""Predicts labels from codes. At the start it is the head of the linear model."""

POSTERIOR, LIKELIHOOD, WITH_TARGETS = "posterior", "likelihood", "with_targets"


def dense(width: int, name: str, activation: Any = None, use_bias: bool = True) -> Any:
    """Return a dense layer. Its weights are set later, so zeros will do here."""
    return keras.layers.Dense(
        width,
        activation=activation,
        use_bias=use_bias,
        kernel_initializer="zeros",
        dtype="float32",
        name=name,
    )


def last_dense(hidden: Any, width: int, spec: NetworkSpec) -> Any:
    """Pass hidden values through the last layer of a path."""
    if spec.linear_path:
        return dense(width, CORRECTION, use_bias=False)(hidden)
    return dense(width, "output")(hidden)


def joined(inputs: Any, path: Path, width: int, spec: NetworkSpec) -> Any:
    """Add the linear path, if there is one, to what the layers compute."""
    if not spec.linear_path:
        return path.output
    linear = dense(width, LINEAR)(inputs)
    if path.output is None:
        return linear
    return keras.layers.Add(dtype="float32")([linear, path.output])


def with_posterior(codes: Any, hidden: Any, spec: NetworkSpec) -> Any:
    """Append the log-variance of a variational code to its mean."""
    if spec.likelihood is None:
        return codes
    log_variances = dense(spec.n_components, LOG_VARIANCE)(hidden)
    join = keras.layers.Concatenate(dtype="float32", name=POSTERIOR)
    return join([codes, log_variances])


def with_likelihood(rows: Any, codes: Any, spec: NetworkSpec) -> Any:
    """Append to the mean of a row what its likelihood needs, or activate it."""
    if spec.likelihood == "gaussian":
        log_variance = dense(1, LOG_VARIANCE)(codes)
        join = keras.layers.Concatenate(dtype="float32", name=LIKELIHOOD)
        return join([rows, log_variance])
    if spec.output_activation is None:
        return rows
    return keras.layers.Activation(spec.output_activation, dtype="float32")(rows)


def with_targets(decoded: Any, codes: Any, spec: NetworkSpec) -> Any:
    """Append what a linear head predicts from the codes, if there is a head."""
    if not spec.n_targets:
        return decoded
    predicted = dense(spec.n_targets, HEAD)(codes)
    join = keras.layers.Concatenate(dtype="float32", name=WITH_TARGETS)
    return join([decoded, predicted])
