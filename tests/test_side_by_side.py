"""Models that train at the same time."""

import threading

import numpy as np
import pytest
from conftest import small_network

from skae._training import _side_by_side
from skae._training._side_by_side import side_by_side


@pytest.mark.parametrize("n_threads", [2, 8])
def test_threads_change_nothing(n_threads, digits, monkeypatch):
    few = digits[::3]
    fitted = []
    for threads in (1, n_threads):
        monkeypatch.setattr(_side_by_side, "N_THREADS", threads)
        # Dropout: what is drawn must not depend on who comes first.
        estimator = small_network(max_iter=4, n_components=2, dropout=0.1)
        fitted.append(estimator.fit(few))
    one, many = fitted
    assert many.validation_loss_curve_ == one.validation_loss_curve_
    np.testing.assert_array_equal(many.transform(few), one.transform(few))


def test_calls_run_at_once(monkeypatch):
    monkeypatch.setattr(_side_by_side, "N_THREADS", 3)
    all_there = threading.Barrier(3, timeout=10)

    def call(number):
        all_there.wait()
        return number

    with side_by_side(6) as each:
        assert list(each(call, range(6))) == list(range(6))


def test_one_model_needs_no_thread():
    with side_by_side(1) as each:
        assert each is map


def test_a_failure_is_seen(monkeypatch):
    monkeypatch.setattr(_side_by_side, "N_THREADS", 2)
    with pytest.raises(ZeroDivisionError), side_by_side(2) as each:
        list(each(lambda number: 1 // number, [0, 1]))
