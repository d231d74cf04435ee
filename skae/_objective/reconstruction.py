"""The loss between rows and their reconstructions."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .. import _keras as keras
from ._loss_domains import check_output, check_values, domain_of, shown
from ._term import ForwardPass, Term

_SQUARED_ERROR = {"mean_squared_error", "mse", "MSE"}


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

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Reconstruction:
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
        if loss is None:
            return
        domain = domain_of(loss)
        if domain:
            check_values(domain, X, name, parameters["loss"])
        # A loss for each feature must not pass for one for each row.
        shape = 3 if X.shape[1] != 3 else 2, X.shape[1]
        rows = keras.ops.zeros(shape, "float32")
        try:
            values = _values(loss, rows, rows)
        except Exception as error:
            raise ValueError(
                f"loss={shown(loss)} cannot be called with rows and reconstructions of "
                f"shape {shape}: {error}"
            ) from error
        _per_row(values, shape[0], loss)

    @property
    def is_plain_loss(self) -> bool:
        """Whether the term only compares rows with their reconstructions."""
        return True

    def keeps_linear_optimum(self, parameters: dict[str, Any]) -> bool:
        """Say whether this is the squared error, which PCA minimises."""
        if isinstance(self.loss, str):
            return self.loss in _SQUARED_ERROR
        return (
            self.loss is keras.losses.mean_squared_error
            or type(self.loss) is keras.losses.MeanSquaredError
        )

    def row_losses(self, done: ForwardPass, numbers: Any) -> Any:
        """Return the loss of each row."""
        loss, rows = keras.losses.get(self.loss), done.batch.wanted
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
            f"loss={shown(loss)} must return one value for each row, or one for each "
            f"element. For {n_rows} rows it returned shape {shape}. Take the mean over "
            "the last axis only."
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
