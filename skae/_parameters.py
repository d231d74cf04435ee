"""What the estimators' parameters may be, where they share them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions

SHARED_CONSTRAINTS: dict[str, list] = {
    "n_components": [
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, 1, closed="neither"),
        None,
    ],
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [str, callable],
    "optimizer": [str, dict, HasMethods(["get_config", "stateless_apply"])],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
"""Of every estimator."""

DETERMINISTIC_CONSTRAINTS: dict[str, list] = SHARED_CONSTRAINTS | {
    "encoder": [callable, None],
    "decoder": [callable, None],
    "whiten": ["boolean"],
    "loss": [str, dict, callable],
    "corruption": [
        StrOptions({"gaussian", "masking", "salt_and_pepper"}),
        callable,
        None,
    ],
    "corruption_level": [Interval(Real, 0, None, closed="left")],
    "sparsity": [Interval(Real, 0, None, closed="left")],
    "contraction": [Interval(Real, 0, None, closed="left")],
    "density": [HasMethods(["fit", "sample"]), None],
}
"""Of the estimators whose code is a function of the row."""


def checked_sizes(parameter: str, value: Any) -> tuple[int, ...]:
    """Return sizes, given as an integer or a sequence of them, as a tuple.

    Raises
    ------
    ValueError
        If they are not integers above zero.
    """
    sizes = np.atleast_1d(np.asarray(value, dtype=object)).ravel()
    if not all(isinstance(size, Integral) and int(size) > 0 for size in sizes):
        raise ValueError(
            f"{parameter} must hold integers above 0. Got {value!r} instead."
        )
    return tuple(int(size) for size in sizes)


def check_together(name: str, parameters: dict[str, Any]) -> None:
    """Raise ``ValueError`` where parameters of an estimator do not go together.

    Parameters
    ----------
    name : str
        Of the estimator, for the message.

    parameters : dict
        Its parameters, each valid by itself.
    """
    from ._networks import check_identifiers

    identifiers = "activation", "loss", "optimizer", "output_activation"
    check_identifiers(
        name, {one: parameters[one] for one in identifiers if one in parameters}
    )
    checked_sizes("hidden_layer_sizes", parameters["hidden_layer_sizes"])
    custom = [one for one in ("encoder", "decoder") if parameters.get(one) is not None]
    if custom and parameters["skip_connections"] == "dense":
        raise ValueError(
            "skip_connections='dense' reaches into every layer, which skae cannot "
            f"do in the encoder or decoder given to {name}. Use 'linear' or None."
        )
    ends = parameters.get("output_activation")
    if ends is not None and parameters["skip_connections"] is not None:
        raise ValueError(
            f"output_activation={ends!r} leaves no linear path to start at PCA by. "
            f"Set skip_connections=None, or leave output_activation of {name} at None."
        )
    corruption = parameters.get("corruption")
    if corruption in ("masking", "salt_and_pepper", "blocks") and (
        parameters["corruption_level"] > 1
    ):
        raise ValueError(
            f"corruption_level={parameters['corruption_level']} must be at most 1 with "
            f"corruption={corruption!r}: it is a share of the features."
        )
