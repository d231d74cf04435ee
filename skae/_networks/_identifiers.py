"""Keras identifiers, checked before any long work."""

from __future__ import annotations

from typing import Any

from .._backend import keras

_MODULES = {
    "activation": keras.activations,
    "loss": keras.losses,
    "optimizer": keras.optimizers,
    "output_activation": keras.activations,
}


def check_identifiers(owner: str, identifiers: dict[str, Any]) -> None:
    """Raise where Keras does not know what a parameter names.

    Parameters
    ----------
    owner : str
        Name of the estimator, for the message.

    identifiers : dict of str to object
        By the names of the parameters above, their values.

    Raises
    ------
    ValueError
        Naming the parameter and the value.
    """
    for parameter, identifier in identifiers.items():
        try:
            _MODULES[parameter].get(identifier)
        except (TypeError, ValueError) as error:
            kind = parameter.removeprefix("output_")
            raise ValueError(
                f"The {parameter!r} parameter of {owner} must be the name or an "
                f"instance of a Keras {kind}. Got {identifier!r} instead."
            ) from error
