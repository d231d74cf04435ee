"""The user's own Keras networks, with the linear path around them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .._backend import keras
from .._spec import NetworkSpec
from ._dense import LINEAR, with_likelihood

GATE = "gate"

_KERAS_SEEDS = threading.Lock()


def build_custom_encoder(spec: NetworkSpec) -> keras.Model:
    """Rows to codes through the user's encoder."""
    assert spec.encoder is not None
    return _around(spec.encoder, "encoder", spec.n_features, spec.n_components, spec)


def build_custom_decoder(spec: NetworkSpec) -> keras.Model:
    """Codes to rows through the user's decoder."""
    assert spec.decoder is not None
    model = _around(spec.decoder, "decoder", spec.n_components, spec.n_features, spec)
    if spec.output_activation is None:
        return model
    rows = with_likelihood(model.output, model.input, spec)
    return keras.Model(model.input, rows, name="decoder")


@contextmanager
def seeded_keras(seed: int) -> Iterator[None]:
    """Seed the layers made inside, and leave the global generator as it was.

    A Keras layer without a seed of its own draws one from Python's generator.
    """
    with _KERAS_SEEDS:
        before = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)


def _around(
    builder: Callable, role: str, n_inputs: int, n_outputs: int, spec: NetworkSpec
) -> keras.Model:
    custom = builder(n_features=spec.n_features, n_components=spec.n_components)
    _check(custom, role, n_inputs, n_outputs)
    inputs = keras.Input((n_inputs,), dtype="float32")
    outputs = custom(inputs)
    if spec.starts_at_pca:
        # One trainable factor for each output, zero at the start (ReZero, Bachlechner
        # et al. 2021): whatever the user's network says, training starts at PCA.
        gate = keras.layers.EinsumDense(
            "bi,i->bi",
            output_shape=n_outputs,
            kernel_initializer="zeros",
            dtype="float32",
            name=GATE,
        )
        linear = keras.layers.Dense(
            n_outputs, kernel_initializer="zeros", dtype="float32", name=LINEAR
        )
        outputs = keras.layers.Add(dtype="float32")([linear(inputs), gate(outputs)])
    return keras.Model(inputs, outputs, name=role)


def _check(model: object, role: str, n_inputs: int, n_outputs: int) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"The {role!r} callable must return a keras.Model. "
            f"Got {type(model).__name__} instead."
        )
    for side, found, expected in (
        ("input", getattr(model, "input_shape", None), n_inputs),
        ("output", getattr(model, "output_shape", None), n_outputs),
    ):
        if found != (None, expected):
            raise ValueError(
                f"The model returned by the {role!r} callable must have "
                f"{side} shape (None, {expected}). Got {found} instead; use the "
                "n_features and n_components that the callable is given."
            )
