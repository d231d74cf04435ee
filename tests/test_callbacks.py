"""Estimators support scikit-learn's callbacks."""

import numpy as np
import pytest
from conftest import small_network

callback = pytest.importorskip(
    "sklearn.callback", reason="callbacks came with scikit-learn 1.9"
)


class Recorder:
    """Record all calls, and stop training after a given number of epochs."""

    def __init__(self, stop_after=None):
        self.calls, self.scores, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(f"{context.task_name} begins")

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.calls.append(f"{context.task_name} ends")
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X))
        return len(self.scores) == self.stop_after


def test_callbacks_see_every_epoch(digits):
    recorder = Recorder()
    fitted = small_network(max_iter=3).set_callbacks(recorder).fit(digits)
    assert recorder.calls == [
        "setup",
        "fit begins",
        *["epoch begins", "epoch ends"] * 3,
        "fit ends",
        "teardown",
    ]
    assert recorder.scores == sorted(recorder.scores)
    assert recorder.scores[-1] == pytest.approx(fitted.score(digits), abs=1e-5)
    plain = small_network(max_iter=3).fit(digits)
    np.testing.assert_array_equal(fitted.transform(digits), plain.transform(digits))


def test_callbacks_can_stop_training(digits):
    recorder = Recorder(stop_after=2)
    assert small_network().set_callbacks(recorder).fit(digits).n_iter_ == 2


def test_callbacks_are_torn_down_after_a_failure(digits):
    class Failing(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("callback failed")

    failing = Failing()
    estimator = small_network().set_callbacks(failing)
    before = vars(estimator).copy()
    with pytest.raises(RuntimeError, match="callback failed"):
        estimator.fit(digits)
    assert failing.calls == ["setup", "fit begins", "epoch begins", "teardown"]
    assert vars(estimator) == before


def test_scoring_monitor_records_the_scores_of_epochs(digits):
    monitor = callback.ScoringMonitor(
        scoring={"explained": lambda estimator, X, y: estimator.score(X)}
    )
    fitted = small_network(max_iter=2).set_callbacks(monitor)
    fitted.fit(digits, digits[:, 0])
    log = [
        entry["explained"] for entry in monitor.get_logs().data if "explained" in entry
    ]
    assert len(log) >= 2
    assert log[1] == pytest.approx(fitted.score(digits), abs=1e-5)
