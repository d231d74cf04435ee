"""The loss between rows and their reconstructions, and where it is defined."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .. import _keras as keras
from .._networks import NetworkSpec
from ._objective import ForwardPass, Term

_SQUARED_ERROR = {"mean_squared_error", "mse", "MSE"}


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


_FRACTIONS = Domain((0, 1), (0, 1), "sigmoid")
_COUNTS = Domain((0, np.inf), (0, np.inf), "softplus")
_SIGNS = Domain((-1, 1), (-np.inf, np.inf), "tanh")

_DOMAINS = {
    "BinaryCrossentropy": ("binary_crossentropy", _FRACTIONS),
    "BinaryFocalCrossentropy": ("binary_focal_crossentropy", _FRACTIONS),
    "CategoricalCrossentropy": ("categorical_crossentropy", _FRACTIONS),
    "CategoricalFocalCrossentropy": ("categorical_focal_crossentropy", _FRACTIONS),
    "Dice": ("dice", _FRACTIONS),
    "KLDivergence": ("kl_divergence", _FRACTIONS),
    "Tversky": ("tversky", _FRACTIONS),
    "CategoricalHinge": ("categorical_hinge", _SIGNS._replace(rows=(0, 1))),
    "Hinge": ("hinge", _SIGNS),
    "SquaredHinge": ("squared_hinge", _SIGNS),
    "MeanSquaredLogarithmicError": ("mean_squared_logarithmic_error", _COUNTS),
    "Poisson": ("poisson", _COUNTS),
}
"""By the names of Keras' classes: the names of its functions, and the values."""

_ROUNDING = 1e-6
"""Rows may be beyond by this, as those of a scaler are."""

_NEARLY = 1e-3
"""Rows may be beyond the range of an activation by this fraction of the range."""


_STEEP = 100
"""Growth of an activation from 10 to 20. That of a power is less."""


@dataclass(frozen=True)
class Reconstruction(Term):
    """A Keras loss.

    Parameters
    ----------
    loss : str, callable or keras.losses.Loss
        Keras identifier or instance.

    key : hashable
        What tells losses apart. Equal copies of one instance share a program.
    """

    loss: Any = field(compare=False)
    key: Any

    CONSTRAINTS: ClassVar[dict[str, list]] = {"loss": [str, dict, callable]}

    role = "loss"

    @classmethod
    def of(cls, parameters: dict[str, Any], spec: NetworkSpec) -> Reconstruction:
        """Return the loss of the parameters."""
        loss = parameters["loss"]
        if isinstance(loss, dict):
            loss = keras.losses.get(loss)
        return cls(loss, _key(loss))

    @classmethod
    def check(cls, parameters: dict[str, Any]) -> None:
        """Raise ``ValueError`` if reconstructions need not suit the loss."""
        loss = _found(parameters["loss"])
        domain = loss and domain_of(loss)
        if domain:
            check_output(loss, domain, parameters)

    @classmethod
    def check_rows(cls, parameters: dict[str, Any], X: Any, name: str) -> None:
        """Raise ``ValueError`` if the loss cannot compare such rows."""
        loss = _found(parameters["loss"])
        domain = loss and domain_of(loss)
        if domain:
            check_values(domain, X, name, parameters["loss"])
        activation = parameters.get("output_activation")
        if activation is not None and name != "X_val":
            # A held-out row may lie a little beyond the training rows.
            check_reach(activation, X, name)
        if loss is None:
            return
        # A loss for each feature must not pass for one for each row.
        shape = 3 if X.shape[1] != 3 else 2, X.shape[1]
        rows = keras.ops.zeros(shape, "float32")
        try:
            values = _values(loss, rows, rows)
        # The user's code may raise anything.
        except Exception as error:
            raise ValueError(
                f"loss={loss_name(loss)} cannot be called with rows and "
                f"reconstructions of shape {shape}: {error}"
            ) from error
        _per_row(values, shape[0], loss)

    def has_linear_optimum(self, parameters: dict[str, Any]) -> bool:
        """Say whether this is the squared error, which PCA minimises."""
        if isinstance(self.loss, str):
            return self.loss in _SQUARED_ERROR
        return (
            self.loss is keras.losses.mean_squared_error
            or type(self.loss) is keras.losses.MeanSquaredError
        )

    def row_losses(self, done: ForwardPass, coefficients: Any) -> Any:
        """Return the loss of each row."""
        loss, rows = keras.losses.get(self.loss), done.batch.target
        if done.batch.mask is not None:
            # A value that was not observed has no error and no gradient.
            rows = keras.ops.where(done.batch.mask > 0, rows, done.decoded)
        return _per_row(_values(loss, rows, done.decoded), rows.shape[0], loss)


def _found(loss: Any) -> Any:
    """Return the loss of an identifier. None stands for the squared error by name."""
    is_known = isinstance(loss, str) and loss in _SQUARED_ERROR
    return None if is_known else keras.losses.get(loss)


def _values(loss: Any, rows: Any, decoded: Any) -> Any:
    # A loss instance averages over rows when it is called. `call` does not.
    each = loss.call if isinstance(loss, keras.losses.Loss) else loss
    return each(rows, decoded)


def _per_row(values: Any, n_rows: int, loss: Any) -> Any:
    """Return one loss for each row: the mean where there is one for each element."""
    shape = tuple(getattr(values, "shape", ()))
    if not shape or shape[0] != n_rows:
        raise ValueError(
            f"loss={loss_name(loss)} must return one value for each row, or one for "
            f"each element. For {n_rows} rows it returned shape {shape}. Take the mean "
            "over the last axis only."
        )
    if len(shape) == 1:
        return values
    return keras.ops.mean(values, axis=tuple(range(1, len(shape))))


def _key(loss: Any) -> Any:
    if isinstance(loss, str) or not isinstance(loss, keras.losses.Loss):
        return loss
    # Not `get_config`: some Keras losses leave their arguments out of it.
    state = {name: value for name, value in vars(loss).items() if name != "name"}
    try:
        return type(loss), pickle.dumps(state)
    except (AttributeError, TypeError, pickle.PicklingError):
        return loss


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
    name, activation = (
        loss_name(parameters["loss"]),
        parameters.get("output_activation"),
    )
    low, high = domain.outputs
    if activation is None:
        raise ValueError(
            f"loss={name} is not defined for rows that are centred and scaled. Set "
            f"output_activation={domain.activation!r} and skip_connections=None, so "
            "that the network sees and returns rows as they are."
        )
    if getattr(loss, "from_logits", False):
        raise ValueError(
            f"loss={name} has from_logits=True: what the network returned would not be "
            f"rows. Use from_logits=False with output_activation={activation!r}."
        )
    found = _activated(activation, np.linspace(-10, 10, 201))
    if found.min() < low or found.max() > high:
        raise ValueError(
            f"loss={name} needs reconstructions from {low} to {high}. "
            f"output_activation={activation!r} returns values from {found.min():.3g} "
            f"to {found.max():.3g}; use {domain.activation!r} instead."
        )


def check_reach(activation: Any, X: Any, name: str) -> None:
    """Raise ``ValueError`` where an activation cannot return the values of rows well.

    It is bounded if it stays within its values for inputs from -1000 to 1000.
    """
    at_10, at_20 = (
        np.abs(_activated(activation, np.array([value])))[0, 0] for value in (10, 20)
    )
    if at_20 > _STEEP * at_10:
        raise ValueError(
            f"output_activation={loss_name(activation)} grows exponentially. A row a "
            "little beyond the training rows would be reconstructed by values that are "
            "many times too large. Use 'softplus', which grows linearly, or take the "
            f"logarithm of {name} before."
        )
    near = _activated(activation, np.linspace(-1000, 1000, 20001))
    far = _activated(activation, np.array([-1e6, 1e6]))
    tolerance = _ROUNDING + _NEARLY * np.ptp(near)
    least, most = min(near.min(), far.min()), max(near.max(), far.max())
    if least < near.min() - tolerance:
        least = -np.inf
    if most > near.max() + tolerance:
        most = np.inf
    if np.isinf([least, most]).any():
        tolerance = _ROUNDING
    # Missing values do not count.
    low, high = X.min(), X.max()
    if np.isnan(low):
        low, high = np.nanmin(X), np.nanmax(X)
    if low < least - tolerance or high > most + tolerance:
        raise ValueError(
            f"output_activation={loss_name(activation)} returns values from "
            f"{least:.3g} to {most:.3g}, and {name} has values from {low:.3g} to "
            f"{high:.3g}, which it cannot return. Rescale {name}, for example by "
            "MinMaxScaler, or use another activation, or none."
        )


def _activated(activation: Any, inputs: np.ndarray) -> np.ndarray:
    """Return what an activation makes of one row of numbers."""
    row = keras.ops.convert_to_tensor(inputs[None].astype(np.float32))
    values = keras.activations.get(activation)(row)
    return np.nan_to_num(keras.to_numpy(values), posinf=np.inf)


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
                f"Input {name} contains NaN, which loss={loss_name(loss)} does not "
                "take. Use the squared error, or fill the missing values in by "
                "skae.impute.AutoencoderImputer."
            )
        raise ValueError(
            f"loss={loss_name(loss)} needs values from {least} to {most}. {name} has "
            f"values from {low} to {high}; rescale it, for example by MinMaxScaler, or "
            "use another loss."
        )


def loss_name(loss: Any) -> str:
    """Return what to call a loss in a message."""
    if isinstance(loss, str | dict):
        return repr(loss)
    return getattr(loss, "__name__", type(loss).__name__)
