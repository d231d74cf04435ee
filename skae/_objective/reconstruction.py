"""The loss between rows and their reconstructions."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .. import _keras as keras
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
        loss = keras.losses.get(self.loss)
        # A loss instance averages over rows when it is called. `call` does not.
        each = loss.call if isinstance(loss, keras.losses.Loss) else loss
        return each(done.batch.wanted, done.decoded)


def _key(loss: Any) -> Any:
    if isinstance(loss, str) or not isinstance(loss, keras.losses.Loss):
        return loss
    # Not `get_config`: some Keras losses leave their arguments out of it.
    state = {name: value for name, value in vars(loss).items() if name != "name"}
    try:
        return type(loss), pickle.dumps(state)
    except (AttributeError, TypeError, pickle.PicklingError):
        return loss
