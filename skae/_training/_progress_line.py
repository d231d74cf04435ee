"""What ``verbose`` prints in training."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ._loop import EpochReport, TrainingResult
from ._selection import Comparison

_REASONS = {
    "max_iter": "max_iter allows no more",
    "no_change": "the loss no longer improved",
    "callback": "a callback asked to stop",
    "divergence": "the loss stopped being finite",
}
"""Why training stopped."""


class ProgressLine:
    """Print where training stands.

    In a terminal and in a notebook this is one line that changes. Elsewhere, for
    example in a file, it is a new line for each epoch.

    Parameters
    ----------
    epochs_per_phase : sequence of int
        Most epochs of each phase.

    start_name : str
        The model at the start.

    clock : callable
        Returns the time in seconds.
    """

    def __init__(
        self,
        epochs_per_phase: Sequence[int],
        start_name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._epochs_per_phase = epochs_per_phase
        self._start_name = start_name
        self._clock = clock
        self._first_end: float | None = None
        self._width = 0

    def show(self, report: EpochReport) -> None:
        """Show an epoch."""
        if not _overwrites(sys.stdout):
            print(report)
            return
        line = self._line(report)
        if _is_terminal(sys.stdout):
            # A line that goes on below cannot be overwritten.
            line = line[: shutil.get_terminal_size().columns - 1]
        print("\r" + line.ljust(self._width), end="", flush=True)
        self._width = len(line)

    def end(self) -> None:
        """Let what is printed next begin on a new line."""
        if self._width:
            print()

    def _line(self, report: EpochReport) -> str:
        phase, epoch = len(report.n_iter_per_phase), report.n_iter_per_phase[-1]
        most = self._epochs_per_phase
        parts = [f"epoch {epoch}/{most[phase - 1]}"]
        if len(most) > 1:
            parts.insert(0, f"phase {phase}/{len(most)}")
        now = self._clock()
        if self._first_end is None:
            # The first epoch takes longer, since it waits for compilation.
            self._first_end = now
        else:
            pace = (now - self._first_end) / (report.epoch - 1)
            n_left = sum(most[phase - 1 :]) - epoch
            parts.append(f"{pace * n_left:.0f} s left")
        parts.append(f"loss {report.loss:.4f}")
        if report.validation_loss is not None:
            parts.append(f"held out {report.validation_loss:.4f}")
        parts.append(f"{self._start_name} {report.start_loss:.4f}")
        return ", ".join(parts)


def name_of_start(parameters: dict[str, Any]) -> str:
    """Return the name of the model from which an estimator's training starts."""
    if parameters["warm_start"]:
        return "start"
    if parameters.get("skip_connections", "linear") is None:
        return "random weights"
    if "likelihood" in parameters:
        return "probabilistic PCA"
    if parameters.get("target_weight"):
        return "principal covariates regression"
    return "PCA"


def ending(
    result: TrainingResult, comparison: Comparison, parameters: dict[str, Any]
) -> str:
    """Return what was kept and why, and why training stopped.

    Parameters
    ----------
    result : TrainingResult
        How training went.

    comparison : Comparison
        Of the network with the model at the start.

    parameters : dict
        Of the estimator.
    """
    n_epochs = len(result.loss_curve)
    epochs = "1 epoch" if n_epochs == 1 else f"{n_epochs} epochs"
    stopped = f"Stopped after {epochs}: {_REASONS[result.stopped_by]}. "
    # A network that continues an earlier one is compared with its linear model, too.
    start = name_of_start({**parameters, "warm_start": False})
    _, before, after, rows = comparison
    if comparison.is_better:
        return stopped + (
            f"Kept the network: its loss on {rows} is {after:.6g}, "
            f"that of {start} {before:.6g}."
        )
    if before == after:
        return f"{stopped}Kept {start}: no epoch was better."
    losses = f"its loss on {rows} is {before:.6g}, that of the network {after:.6g}"
    doubt = ", which is not significantly lower" if after < before else ""
    return f"{stopped}Kept {start}: {losses}{doubt}."


def _overwrites(stream: Any) -> bool:
    """Say whether a stream is a terminal or a notebook, where lines can change."""
    return _is_terminal(stream) or type(stream).__module__.startswith("ipykernel.")


def _is_terminal(stream: Any) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)())
