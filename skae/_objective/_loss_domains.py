"""Losses that are defined for some values only, for example for probabilities."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _keras as keras


class Domain(NamedTuple):
    """The values for which a loss is defined.

    Parameters
    ----------
    rows, outputs : tuple of float
        Smallest and largest value of a row and of its reconstruction.

    activation : str
        A Keras activation with such values.
    """

    rows: tuple[float, float]
    outputs: tuple[float, float]
    activation: str


_SHARES = Domain((0, 1), (0, 1), "sigmoid")
_COUNTS = Domain((0, np.inf), (0, np.inf), "softplus")
_SIGNS = Domain((-1, 1), (-np.inf, np.inf), "tanh")

_DOMAINS = {
    "BinaryCrossentropy": ("binary_crossentropy", _SHARES),
    "BinaryFocalCrossentropy": ("binary_focal_crossentropy", _SHARES),
    "CategoricalCrossentropy": ("categorical_crossentropy", _SHARES),
    "CategoricalFocalCrossentropy": ("categorical_focal_crossentropy", _SHARES),
    "Dice": ("dice", _SHARES),
    "KLDivergence": ("kl_divergence", _SHARES),
    "Tversky": ("tversky", _SHARES),
    "CategoricalHinge": ("categorical_hinge", _SIGNS._replace(rows=(0, 1))),
    "Hinge": ("hinge", _SIGNS),
    "SquaredHinge": ("squared_hinge", _SIGNS),
    "MeanSquaredLogarithmicError": ("mean_squared_logarithmic_error", _COUNTS),
    "Poisson": ("poisson", _COUNTS),
}
"""By the names of Keras' classes: the names of its functions, and the values."""

_ROUNDING = 1e-6
"""Rows may be beyond by this, as those of a scaler are."""


def domain_of(loss: Any) -> Domain | None:
    """Return the values for which a Keras loss is defined. None stands for all."""
    for name, (function, domain) in _DOMAINS.items():
        # Older versions of Keras do not have all of them.
        kind = getattr(keras.losses, name, None)
        if kind is not None and isinstance(loss, kind):
            return domain
        if loss is getattr(keras.losses, function, None):
            return domain
    return None


def check_output(loss: Any, domain: Domain, parameters: dict[str, Any]) -> None:
    """Raise ``ValueError`` where reconstructions need not lie in a loss's domain."""
    name, activation = shown(parameters["loss"]), parameters.get("output_activation")
    low, high = domain.outputs
    if activation is None:
        owner = "" if "output_activation" in parameters else "AutoencoderTransformer's "
        raise ValueError(
            f"loss={name} is not defined for rows that are centred and scaled. Set "
            f"{owner}output_activation={domain.activation!r} and "
            "skip_connections=None, so that the network sees and returns rows as they "
            "are."
        )
    if getattr(loss, "from_logits", False):
        raise ValueError(
            f"loss={name} has from_logits=True: what the network returned would not be "
            f"rows. Use from_logits=False with output_activation={activation!r}."
        )
    inputs = keras.ops.convert_to_tensor(np.linspace(-10, 10, 201, dtype=np.float32))
    values = keras.activations.get(activation)(inputs[None])
    found = np.asarray(keras.ops.convert_to_numpy(values))
    if found.min() < low or found.max() > high:
        raise ValueError(
            f"loss={name} needs reconstructions from {low} to {high}. "
            f"output_activation={activation!r} returns values from {found.min():.3g} "
            f"to {found.max():.3g}; use {domain.activation!r} instead."
        )


def range_beyond(X: Any, least: float, most: float) -> tuple[Any, Any] | None:
    """Return the smallest and the largest value of rows if they lie beyond bounds.

    Both are NaN if a value is.
    """
    low, high = X.min(), X.max()
    if low >= least - _ROUNDING and high <= most + _ROUNDING:
        return None
    return low, high


def check_values(domain: Domain, X: Any, name: str, loss: Any) -> None:
    """Raise ``ValueError`` where rows do not lie in a loss's domain."""
    least, most = domain.rows
    beyond = range_beyond(X, least, most)
    if beyond is not None:
        low, high = beyond
        if np.isnan(low):
            raise ValueError(
                f"Input {name} contains NaN, which loss={shown(loss)} does not take. "
                "Use the squared error, or fill the missing values in by "
                "skae.impute.AutoencoderImputer."
            )
        raise ValueError(
            f"loss={shown(loss)} needs values from {least} to {most}. {name} has "
            f"values from {low} to {high}; rescale it, for example by MinMaxScaler, or "
            "use another loss."
        )


def shown(loss: Any) -> str:
    """Return what to call a loss in a message."""
    if isinstance(loss, str | dict):
        return repr(loss)
    return getattr(loss, "__name__", type(loss).__name__)
