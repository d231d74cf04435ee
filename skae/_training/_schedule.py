"""How long and how fast to train: plain numbers, no state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .._engines import OptimizerChoice

_RATE = 0.002
"""First rate of an optimizer given by name."""

_SCALED_RATE = 0.004
"""The same where weights are rescaled."""

_ENCODER_RATE = 2.0
"""First rate of an encoder that trains alone, relative to that of the whole network."""


@dataclass(frozen=True)
class Schedule:
    """The number of epochs, the learning rates, and when training stops.

    Parameters
    ----------
    max_iter : int
        Most epochs.

    learning_rate : float
        Rate of the first step.

    decays : bool
        Whether the rate falls along half a cosine (Loshchilov & Hutter 2017), to zero
        at the last step of epoch ``max_iter``.

    tol : float
        Smallest relative improvement of the monitored loss that counts.

    n_iter_no_change : int
        Epochs without an improvement after which training stops.
    """

    max_iter: int
    learning_rate: float
    decays: bool
    tol: float
    n_iter_no_change: int

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    @classmethod
    def of(
        cls, parameters: dict[str, Any], optimizer: OptimizerChoice, rescaled: bool
    ) -> Schedule:
        """Read the parameters of an estimator whose weights may be rescaled."""
        return cls(
            parameters["max_iter"],
            first_rate(optimizer, rescaled),
            optimizer.decays,
            parameters["tol"],
            parameters["n_iter_no_change"],
        )

    def in_two_phases(self) -> tuple[Schedule, Schedule]:
        """Return the schedules of the whole network and of the encoder alone.

        The encoder has a third of the epochs. Its rate is higher, if rates decay.
        """
        n_last = self.max_iter // 3
        factor = _ENCODER_RATE if self.decays else 1.0
        rate = factor * self.learning_rate
        return (
            replace(self, max_iter=self.max_iter - n_last),
            replace(self, max_iter=n_last, learning_rate=rate),
        )

    def rates(self, epoch: int, n_batches: int) -> np.ndarray:
        """Return the learning rate of each batch of an epoch, as float32."""
        if not self.decays:
            return np.full(n_batches, self.learning_rate, np.float32)
        done = (epoch + np.arange(n_batches) / n_batches) / self.max_iter
        return (self.learning_rate * 0.5 * (1 + np.cos(np.pi * done))).astype(
            np.float32
        )


def first_rate(optimizer: OptimizerChoice, rescaled: bool) -> float:
    """Return the rate of the first step."""
    if optimizer.learning_rate is not None:
        return optimizer.learning_rate
    # An optimizer with a schedule of its own ignores this rate.
    return _SCALED_RATE if rescaled else _RATE
