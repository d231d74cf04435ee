"""What ``verbose`` prints in training."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ._loop import EpochReport


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
        line = self._line(report)[: shutil.get_terminal_size().columns - 1]
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
            parts.append(f"at most {pace * n_left:.0f} s left")
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


def _overwrites(stream: Any) -> bool:
    """Say whether a stream is a terminal or a notebook, where lines can change."""
    isatty = getattr(stream, "isatty", lambda: False)
    return isatty() or type(stream).__module__.startswith("ipykernel.")
