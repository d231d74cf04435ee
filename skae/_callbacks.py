"""Listeners of training: scikit-learn's callbacks and ``verbose``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


class EpochListener:
    """Tell callbacks of each epoch, and training whether they ask to stop.

    Parameters
    ----------
    estimator : estimator
        The estimator being fitted.

    X, y : array-like
        What ``fit`` was called with.

    attributes : callable
        Returns, for a report, the attributes of an estimator fitted so far.

    n_epochs : int
        Most epochs.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        attributes: Callable[[Any], dict[str, Any]] = lambda report: {},
        n_epochs: int = 0,
    ) -> None:
        self._estimator = estimator
        self._task = {"estimator": estimator, "X": X, "y": y}
        self._attributes = attributes
        self._n_epochs = n_epochs

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

    def __call__(self, report) -> bool:
        """Report an epoch; return whether a callback asks to stop."""
        if self._estimator.verbose:
            print(report)
        if self._context is None:
            return False
        epoch = self._context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(**self._task)
        return epoch.call_on_fit_task_end(
            **self._task,
            reconstruction_attributes=lambda: self._attributes(report),
        )
