"""Listeners of training: callbacks of scikit-learn and of Keras, and ``verbose``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from . import _keras as keras
from ._model import TrainingModel
from ._training import ProgressLine, name_of_start

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand in for the mixin that scikit-learn 1.9 brought."""

        def set_callbacks(self, *callbacks: Any) -> Any:
            """Set Keras callbacks. Those of scikit-learn need version 1.9."""
            if not all(isinstance(one, KerasCallback) for one in callbacks):
                raise TypeError(
                    "callbacks must be instances of keras.callbacks.Callback. Those of "
                    "scikit-learn need scikit-learn 1.9."
                )
            self._skl_callbacks = list(callbacks)
            return self

        def _init_callback_context(self, **kwargs: Any) -> None:
            return None

    def with_callbacks(method):
        """Return the method as it is."""
        return method


_NO_USE = {
    "BackupAndRestore": "A fit cannot be resumed. Use warm_start.",
    "LearningRateScheduler": "Give learning_rate, or an optimizer with a schedule.",
    "ReduceLROnPlateau": "Give learning_rate, or an optimizer with a schedule.",
    "SwapEMAWeights": "Give the optimizer ema_overwrite_frequency.",
}
"""Keras callbacks that change training through the model, and what to do instead."""


class KerasCallback:
    """A Keras callback in the form of scikit-learn's.

    scikit-learn stores it and hands it to clones. ``EpochListener`` calls it.

    Parameters
    ----------
    callback : keras.callbacks.Callback or None
        None in a pickle of a fitted estimator.
    """

    def __init__(self, callback: Any) -> None:
        for name, mend in _NO_USE.items():
            kind = getattr(keras.callbacks, name, None)
            if kind is not None and isinstance(callback, kind):
                raise ValueError(f"The callback {name} is not supported. {mend}")
        self.callback = callback

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def __getstate__(self) -> dict:
        # Once it was called it holds a Keras model, which a fitted estimator does not.
        was_called = getattr(self.callback, "model", None) is not None
        return {"callback": None if was_called else self.callback}


class CallbackMixin(CallbackSupportMixin):
    """Callbacks of scikit-learn and of Keras."""

    def set_callbacks(self, *callbacks: Any) -> Any:
        """Set the callbacks of ``fit``.

        Parameters
        ----------
        *callbacks : callback instances
            Those of scikit-learn 1.9, and instances of ``keras.callbacks.Callback``.
            Those of Keras are told of each epoch, with the losses "loss" and
            "val_loss" and with a Keras model from rows to their reconstructions, which
            has the weights after the epoch. They can stop training. Read more in
            ``docs/training.md``.

        Returns
        -------
        self : object
            The estimator.
        """
        adapted = (KerasCallback(one) if _is_keras(one) else one for one in callbacks)
        return super().set_callbacks(*adapted)


def _is_keras(callback: Any) -> bool:
    # Whoever has a Keras callback has imported Keras.
    return "keras" in sys.modules and isinstance(callback, keras.callbacks.Callback)


class KerasCalls:
    """Calls of Keras callbacks, as Keras' own ``fit`` makes them at epochs.

    Parameters
    ----------
    callbacks : list of keras.callbacks.Callback
        Whom to call.

    watched : TrainingModel
        The model that they see.

    n_epochs : int
        Most epochs.
    """

    def __init__(self, callbacks: list, watched: TrainingModel, n_epochs: int) -> None:
        self._watched, model = watched, watched.model
        # What `compile` would set. Callbacks read both.
        model.stop_training, model.optimizer = False, None
        self._calls = keras.callbacks.CallbackList(
            callbacks, model=model, epochs=n_epochs, verbose=0, steps=None
        )
        self._logs: dict[str, float] = {}
        self._n_epochs = n_epochs
        self._calls.on_train_begin()
        self._calls.on_epoch_begin(0)

    def on_epoch(self, report: Any, weights: dict) -> bool:
        """Tell of an epoch; return whether a callback asks to stop."""
        self._watched.assign(weights)
        self._logs = {"loss": report.loss}
        if report.validation_loss is not None:
            self._logs["val_loss"] = float(report.validation_loss)
        self._calls.on_epoch_end(report.epoch - 1, self._logs)
        stops = bool(self._watched.model.stop_training)
        if not stops and report.epoch < self._n_epochs:
            self._calls.on_epoch_begin(report.epoch)
        return stops

    def end(self) -> None:
        """Tell that training has ended."""
        self._calls.on_train_end(self._logs)


class EpochListener:
    """Tell callbacks of each epoch, and training whether they ask to stop.

    Parameters
    ----------
    estimator : estimator
        The estimator being fitted.

    X, y : array-like
        What ``fit`` was called with.

    epochs_per_phase : sequence of int
        Most epochs of each phase.

    attributes : callable
        Returns, for a report, the attributes of an estimator fitted so far.

    watched : callable or None
        Returns the model that Keras callbacks see. None where nothing trains: then they
        are not called.

    weights : callable
        Returns, for a report, the weights of that model.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        epochs_per_phase: Sequence[int] = (),
        attributes: Callable[[Any], dict[str, Any]] = lambda report: {},
        watched: Callable[[], TrainingModel] | None = None,
        weights: Callable[[Any], dict] = lambda report: report.weights(),
    ) -> None:
        self._estimator = estimator
        self._task = {"estimator": estimator, "X": X, "y": y}
        self._attributes = attributes
        self._n_epochs = sum(epochs_per_phase)
        self._watched, self._weights = watched, weights
        self._line: ProgressLine | None = None
        if estimator.verbose:
            start_name = name_of_start(estimator.get_params(deep=False))
            self._line = ProgressLine(epochs_per_phase, start_name)
        self._keras: KerasCalls | None = None

    def __enter__(self) -> EpochListener:
        self._context = self._estimator._init_callback_context(
            max_subtasks=self._n_epochs
        )
        if self._context is not None:
            self._context.call_on_fit_task_begin(**self._task)
        callbacks = [
            one.callback
            for one in getattr(self._estimator, "_skl_callbacks", ())
            if isinstance(one, KerasCallback) and one.callback is not None
        ]
        if callbacks and self._watched is not None:
            self._keras = KerasCalls(callbacks, self._watched(), self._n_epochs)
        return self

    def __exit__(self, failure, *_: object) -> None:
        if self._line is not None:
            self._line.end()
        if self._keras is not None and failure is None:
            self._keras.end()
        if self._context is not None and failure is None:
            self._context.call_on_fit_task_end(**self._task)

    def __call__(self, report) -> bool:
        """Report an epoch; return whether a callback asks to stop."""
        if self._line is not None:
            self._line.show(report)
        stops = False
        if self._keras is not None:
            stops = self._keras.on_epoch(report, self._weights(report))
        if self._context is None:
            return stops
        epoch = self._context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(**self._task)
        asked = epoch.call_on_fit_task_end(
            **self._task,
            reconstruction_attributes=lambda: self._attributes(report),
        )
        return asked or stops
