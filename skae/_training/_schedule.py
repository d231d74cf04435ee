"""How long and how fast to train, and when to stop: plain numbers and pure state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils._param_validation import Interval

from ._problem import Problem

_RATE = 0.002
"""First rate of an optimizer given by name."""

_SCALED_RATE = 0.004
"""The same where weights are rescaled."""

_IMAGE_RATE = 0.006
"""The same where rows are images."""

_ENCODER_RATE = 2.0
"""First rate of an encoder that trains alone, relative to that of the whole network."""

_FIRST_LOOK = 0.4
"""After this fraction of ``n_iter_no_change`` epochs, training may be given up."""


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
    def of(cls, problem: Problem, rescaled: bool) -> Schedule:
        """Read the parameters of a problem whose weights may be rescaled."""
        parameters = problem.parameters
        return cls(
            parameters["max_iter"],
            first_rate(problem, rescaled),
            problem.optimizer.decays,
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
        """Return the learning rate of each mini-batch of an epoch, as float32."""
        if not self.decays:
            return np.full(n_batches, self.learning_rate, np.float32)
        done = (epoch + np.arange(n_batches) / n_batches) / self.max_iter
        return (self.learning_rate * 0.5 * (1 + np.cos(np.pi * done))).astype(
            np.float32
        )


def first_rate(problem: Problem, rescaled: bool) -> float:
    """Return the learning rate of the first step."""
    rate = problem.optimizer.learning_rate
    if rate is not None:
        return rate
    # An optimizer with a schedule of its own ignores this rate.
    if rescaled:
        return _SCALED_RATE
    is_image = problem.spec.image_shape is not None and not problem.is_likelihood
    return _IMAGE_RATE if is_image else _RATE


@dataclass(frozen=True)
class Progress:
    """Where training stands: the best so far, and how long it may go on.

    Parameters
    ----------
    start : object
        What there was at iteration 0.

    start_loss : float
        The monitored loss of that. Infinity if it is no candidate for the best.

    trained : object
        What there was after the best epoch so far. The next phase starts here. From PCA
        it would have nothing to do: PCA's encoder is the best for PCA's decoder.

    trained_loss : float
        The monitored loss of that.

    to_beat : float
        The last monitored loss of the phase that improved by more than ``tol``.

    patience : int
        Epochs left to improve on it.

    n_epochs : int
        Number of epochs so far.

    stopped_by : {"no_change", "no_gain", "divergence", "callback"} or None
        Why training has to stop.
    """

    start: Any
    start_loss: float
    trained: Any
    trained_loss: float = np.inf
    to_beat: float = np.inf
    patience: int = 0
    n_epochs: int = 0
    stopped_by: Literal["no_change", "no_gain", "divergence", "callback"] | None = None

    @property
    def has_gained(self) -> bool:
        """Whether an epoch was better than the start."""
        return self.trained_loss < self.start_loss

    @property
    def best(self) -> Any:
        """What there was at the lowest monitored loss, iteration 0 included."""
        return self.trained if self.has_gained else self.start

    @property
    def best_loss(self) -> float:
        """That loss."""
        return min(self.trained_loss, self.start_loss)

    def in_phase(self, schedule: Schedule) -> Progress:
        """Return the progress at the start of a phase.

        A phase has to improve on its own losses. The first steps of a fresh optimizer
        are long, and it takes epochs to regain what they undo.
        """
        patience = schedule.n_iter_no_change
        return replace(self, to_beat=np.inf, patience=patience, stopped_by=None)

    def after(
        self, state: Any, loss: float, monitored: float, schedule: Schedule
    ) -> Progress:
        """Return the progress after one more epoch."""
        if not np.isfinite([loss, monitored]).all():
            return replace(self, stopped_by="divergence")
        progress = replace(self, n_epochs=self.n_epochs + 1)
        if monitored < self.trained_loss:
            progress = replace(progress, trained=state, trained_loss=monitored)
        if progress._only_memorizes(loss, monitored, schedule):
            return replace(progress, stopped_by="no_gain")
        if self.to_beat - monitored > schedule.tol * abs(monitored):
            return replace(
                progress, to_beat=monitored, patience=schedule.n_iter_no_change
            )
        patience = self.patience - 1
        return replace(
            progress, patience=patience, stopped_by=None if patience else "no_change"
        )

    def _only_memorizes(
        self, loss: float, monitored: float, schedule: Schedule
    ) -> bool:
        """Say whether training rows gain, and held-out rows lose more than that.

        Prechelt (1998) stops where the loss of held-out rows has risen by too much,
        measured by what training rows gain. No network that has beaten its start is
        given up.
        """
        may_stop = self.n_epochs >= _FIRST_LOOK * schedule.n_iter_no_change
        gain, lost = self.start_loss - loss, monitored - self.start_loss
        return may_stop and not self.has_gained and lost > gain > 0
