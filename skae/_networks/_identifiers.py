"""Keras identifiers, checked before any long work."""

from __future__ import annotations

from typing import Any

from .. import _keras as keras
from ._dense_numpy import ACTIVATIONS

_WELL_KNOWN = {
    "activation": set(ACTIVATIONS) - {None},
    "loss": {"mean_squared_error", "mse"},
    "optimizer": {"adam"},
    "output_activation": set(ACTIVATIONS),
}
"""Names that need no look at Keras, so that it need not be imported for them."""


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
        if isinstance(identifier, str | None) and identifier in _WELL_KNOWN[parameter]:
            continue
        kind = parameter.removeprefix("output_")
        try:
            _module(kind).get(identifier)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The {parameter!r} parameter of {owner} must be the name or an "
                f"instance of a Keras {kind}. Got {identifier!r} instead."
            ) from error


def _module(kind: str) -> Any:
    return {
        "activation": keras.activations,
        "loss": keras.losses,
        "optimizer": keras.optimizers,
    }[kind]
