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
    start : object
        What there was at iteration 0.

    start_loss : float
        The monitored loss of that.

    trained : object
        What there was after the best epoch so far. The next phase starts here. From PCA
        it would have nothing to do: PCA's encoder is the best for PCA's decoder.

    trained_loss : float
        The monitored loss of that.

    to_beat : float
        The last monitored loss of the phase that improved by more than ``tol``.

    patience : int
        Epochs left to improve on it.

    stopped_by : {"no_change", "divergence", "callback"} or None
        Why training has to stop.
    """

    start: Any
    start_loss: float
    trained: Any
    trained_loss: float = np.inf
    to_beat: float = np.inf
    patience: int = 0
    stopped_by: Literal["no_change", "divergence", "callback"] | None = None

    @classmethod
    def at(cls, state: Any, loss: float) -> Progress:
        """Return the progress at iteration 0."""
        return cls(state, loss, state)

    @property
    def best(self) -> Any:
        """What there was at the lowest monitored loss, iteration 0 included."""
        return self.start if self.start_loss <= self.trained_loss else self.trained

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
        progress = self
        if monitored < self.trained_loss:
            progress = replace(progress, trained=state, trained_loss=monitored)
        if self.to_beat - monitored > schedule.tol * abs(monitored):
            return replace(
                progress, to_beat=monitored, patience=schedule.n_iter_no_change
            )
        patience = self.patience - 1
        return replace(
            progress, patience=patience, stopped_by=None if patience else "no_change"
        )
