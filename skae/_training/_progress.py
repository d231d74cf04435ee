"""The best so far and how long training may go on: pure state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ._schedule import Schedule


@dataclass(frozen=True)
class Progress:
    """Where training stands.

    Parameters
    ----------
    best : object
        What was there at the lowest monitored loss, iteration 0 included.

    best_loss : float
        That loss.

    to_beat : float
        The last monitored loss that was a real improvement, by ``tol``.

    patience : int
        Epochs left to improve on it.

    stopped_by : {"no_change", "divergence", "callback"} or None
        Why training has to stop.
    """

    best: Any
    best_loss: float
    to_beat: float
    patience: int
    stopped_by: Literal["no_change", "divergence", "callback"] | None = None

    @classmethod
    def start(cls, state: Any, loss: float, schedule: Schedule) -> Progress:
        """Stand at iteration 0."""
        return cls(state, loss, loss, schedule.n_iter_no_change)

    def resumed(self, schedule: Schedule) -> Progress:
        """Stand at the start of a further stage, with the best so far."""
        patience = schedule.n_iter_no_change
        return replace(self, to_beat=self.best_loss, patience=patience, stopped_by=None)

    def after(
        self, state: Any, loss: float, monitored: float, schedule: Schedule
    ) -> Progress:
        """Return the progress after one more epoch."""
        if not np.isfinite([loss, monitored]).all():
            return replace(self, stopped_by="divergence")
        progress = self
        if not monitored >= self.best_loss:
            progress = replace(progress, best=state, best_loss=monitored)
        if not monitored >= self.to_beat - schedule.tol * abs(self.to_beat):
            return replace(
                progress, to_beat=monitored, patience=schedule.n_iter_no_change
            )
        patience = self.patience - 1
        return replace(
            progress, patience=patience, stopped_by=None if patience else "no_change"
        )
