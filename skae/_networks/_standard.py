"""Keras models of Keras' layers only, with variables and values of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import _keras as keras
from ._layers import LIKELIHOOD, POSTERIOR, WITH_TARGETS
from ._networks import Variables, build_networks, share_variables
from ._spec import NetworkSpec


class StandardNetworks:
    """Encoder and decoder, whose values can be replaced.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        self._whole = {side: _own_model(spec, side) for side in ("encoder", "decoder")}
        self.encoder = _codes_of(self._whole["encoder"], spec, "encoder")
        self.decoder = _rows_of(self._whole["decoder"], spec, "decoder")

    def assign(self, weights: dict[str, Variables]) -> None:
        """Replace the values."""
        for side, model in self._whole.items():
            _with_values(model, weights[side])


def standard_encoder(spec: NetworkSpec, variables: Variables, name: str) -> Any:
    """Return a Keras model from rows to codes, of Keras' layers only."""
    return _codes_of(_with_values(_own_model(spec, "encoder"), variables), spec, name)


def standard_decoder(spec: NetworkSpec, variables: Variables, name: str) -> Any:
    """Return a Keras model from codes to means of rows, of Keras' layers only."""
    return _rows_of(_with_values(_own_model(spec, "decoder"), variables), spec, name)


def _codes_of(model: Any, spec: NetworkSpec, name: str) -> Any:
    codes = model.output
    if spec.likelihood is not None:
        codes = model.get_layer(POSTERIOR).input[0]
    return keras.Model(model.input, codes, name=name)


def _rows_of(model: Any, spec: NetworkSpec, name: str) -> Any:
    rows = model.output
    if spec.n_targets:
        rows = model.get_layer(WITH_TARGETS).input[0]
    if spec.likelihood == "gaussian":
        rows = model.get_layer(LIKELIHOOD).input[0]
    return keras.Model(model.input, rows, name=name)


def _own_model(spec: NetworkSpec, side: str) -> Any:
    """Return a model whose variables belong to nobody else.

    The user's callable may return a model that exists already, for example one that
    was trained before.
    """
    model = getattr(build_networks(spec, standard=True), side)
    if not getattr(spec, side).is_custom:
        return model
    other = getattr(build_networks(spec, standard=True), side)
    if not share_variables(model, other):
        return model
    try:
        return keras.models.clone_model(model)
    except Exception as error:
        raise ValueError(
            f"The {side!r} callable returns the same model at every call, and Keras "
            "cannot copy it. Build a new model in the callable, or give the model a "
            f"get_config method. Keras says: {error}"
        ) from error


def _with_values(model: Any, variables: Variables) -> Any:
    trainable, state = variables
    for variable, value in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, state, strict=True):
        variable.assign(value)
    for layer in _layers(model):
        # Such a layer computes with a copy of its variables.
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def _layers(model: Any) -> Iterator[Any]:
    """Yield the layers of a model and of the models in it."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
