"""Who is told of each epoch: scikit-learn's callbacks, and readers of ``verbose``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._training import Comparison, EpochReport, TrainingResult

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand in for the mixin that scikit-learn 1.9 brought."""

        def _init_callback_context(self, **kwargs: Any) -> None:
            return None

    def with_callbacks(method):
        """Return the method as it is."""
        return method


_REASONS = {
    "max_iter": "max_iter allows no more",
    "no_change": "the loss no longer improved",
    "no_gain": "only training rows gained",
    "callback": "a callback asked to stop",
    "divergence": "the loss stopped being finite",
}
"""Why training stopped."""


class EpochListener:
    """Tell callbacks of each epoch, and training whether they ask to stop.

    Parameters
    ----------
    estimator : estimator
        The estimator being fitted.

    X, y : array-like
        What ``fit`` was called with.

    n_epochs : int
        Most epochs. 0 where nothing trains.

    attributes : callable or None
        Returns, for a report, the attributes of an estimator fitted so far.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        n_epochs: int = 0,
        attributes: Callable[[EpochReport], dict[str, Any]] | None = None,
    ) -> None:
        self._estimator, self._n_epochs = estimator, n_epochs
        self._task = {"estimator": estimator, "X": X, "y": y}
        self._attributes = attributes

    def __enter__(self) -> EpochListener:
        self._context = self._estimator._init_callback_context(
            max_subtasks=self._n_epochs
        )
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._task)
        return self

    def __exit__(self, failure, *_: object) -> None:
        if self._context is not None and failure is None:
            self._context.call_on_fit_task_end(**self._task)

    def __call__(self, report: EpochReport) -> bool:
        """Report an epoch; return whether a callback asks to stop."""
        if self._estimator.verbose:
            print(_line(report))
        if self._context is None or self._attributes is None:
            return False
        attributes = self._attributes
        epoch = self._context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(**self._task)
        return epoch.call_on_fit_task_end(
            **self._task, reconstruction_attributes=lambda: attributes(report)
        )


def name_of_start(parameters: dict[str, Any]) -> str:
    """Return the name of the model from which an estimator's training starts."""
    if parameters.get("skip_connections", "linear") is None:
        return "random weights"
    if "likelihood" in parameters:
        return "probabilistic PCA"
    if parameters.get("target_weight"):
        return "principal covariates regression"
    return "PCA"


def ending(result: TrainingResult, comparison: Comparison, start_name: str) -> str:
    """Return what was kept and why, and why training stopped.

    Parameters
    ----------
    result : TrainingResult
        How training went.

    comparison : Comparison
        Of the network with the model at the start.

    start_name : str
        What that model is called.
    """
    n_epochs = len(result.history.loss_curve)
    epochs = "1 epoch" if n_epochs == 1 else f"{n_epochs} epochs"
    stopped = f"Stopped after {epochs}: {_REASONS[result.stopped_by]}. "
    _, before, after, rows = comparison
    if comparison.is_better:
        return stopped + (
            f"Kept the network: its loss on {rows} is {after:.6g}, "
            f"that of {start_name} {before:.6g}."
        )
    if before == after:
        return f"{stopped}Kept {start_name}: no epoch was better."
    losses = f"its loss on {rows} is {before:.6g}, that of the network {after:.6g}"
    doubt = ", which is not significantly lower" if after < before else ""
    return f"{stopped}Kept {start_name}: {losses}{doubt}."


def _line(report: EpochReport) -> str:
    history = report.history
    line = f"Iteration {len(history.loss_curve)}, loss = {history.loss_curve[-1]:.6f}"
    if history.validation_loss_curve is not None:
        line += f", held-out loss = {history.validation_loss_curve[-1]:.6f}"
    return f"{line}, loss at the start = {history.start_loss:.6f}"
