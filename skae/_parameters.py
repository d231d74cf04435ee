"""Checks of parameters that need more than one of them, or Keras."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import _keras as keras
from ._engines import OptimizerChoice
from ._networks import check_identifiers, checked_sizes
from ._objective import Term

_IDENTIFIERS = "activation", "loss", "optimizer", "output_activation"


def merged_constraints(owners: Iterable[Any]) -> dict[str, list]:
    """Return the constraints of all parameters that some classes own."""
    return {
        name: allowed for owner in owners for name, allowed in owner.CONSTRAINTS.items()
    }


def check_together(
    name: str, parameters: dict[str, Any], terms: tuple[type[Term], ...]
) -> None:
    """Raise ``ValueError`` where parameters of an estimator do not fit together.

    Parameters
    ----------
    name : str
        Name of the estimator, for the message.

    parameters : dict
        Its parameters, each of them valid.

    terms : tuple of type
        The terms that its objective may have.
    """
    given = {one: parameters[one] for one in _IDENTIFIERS if one in parameters}
    check_identifiers(name, given)
    if parameters["optimizer"] != "adam":
        OptimizerChoice.of(parameters).warn_if_slow()
    checked_sizes("hidden_layer_sizes", parameters["hidden_layer_sizes"])
    custom = [one for one in ("encoder", "decoder") if parameters.get(one) is not None]
    for one in custom:
        if isinstance(parameters[one], keras.layers.Layer):
            raise TypeError(
                f"{one} must be a callable that returns a keras.Model, but got the "
                f"model {parameters[one].name!r} itself. Give a function with the "
                "arguments n_features and n_components that returns it. Training "
                "starts at its weights and leaves the model as it is."
            )
    if custom and parameters["skip_connections"] == "dense":
        raise ValueError(
            "skip_connections='dense' connects to every layer, which is not possible "
            f"in the encoder or decoder given to {name}. Use 'linear' or None."
        )
    output_activation = parameters.get("output_activation")
    if output_activation is not None and parameters["skip_connections"] is not None:
        raise ValueError(
            f"output_activation={output_activation!r} needs skip_connections=None in "
            f"{name}: with it, training cannot start at PCA."
        )
    for term in terms:
        term.check(parameters)


def check_rows(
    parameters: dict[str, Any], terms: tuple[type[Term], ...], X: Any, name: str
) -> None:
    """Raise ``ValueError`` where an objective is not defined for rows.

    Parameters
    ----------
    parameters : dict
        The estimator's parameters.

    terms : tuple of type
        The terms that its objective may have.

    X : {array, CSR matrix} of shape (n_samples, n_features)
        Rows that the network should return.

    name : str
        What the user calls them.
    """
    for term in terms:
        term.check_rows(parameters, X, name)
