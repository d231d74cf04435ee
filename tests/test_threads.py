"""Several models train at the same time, in threads."""

import threading

import numpy as np
import pytest
from conftest import small_network

from skae._engines import backend
from skae._training._threads import thread_map


@pytest.mark.parametrize("n_threads", [2, 8])
def test_the_number_of_threads_does_not_change_the_result(
    n_threads, digits, monkeypatch
):
    few = digits[::3]
    fitted = []
    for threads in (1, n_threads):
        monkeypatch.setattr(backend(), "n_threads", threads)
        # With dropout, random draws must not depend on the order of the threads.
        estimator = small_network(max_iter=4, n_components=2, dropout=0.1)
        fitted.append(estimator.fit(few))
    one, many = fitted
    assert many.validation_loss_curve_ == one.validation_loss_curve_
    np.testing.assert_array_equal(many.transform(few), one.transform(few))


def test_calls_run_at_the_same_time():
    all_there = threading.Barrier(3, timeout=10)

    def call(number):
        all_there.wait()
        return number

    with thread_map(6, 3) as each:
        assert list(each(call, range(6))) == list(range(6))


def test_one_model_trains_without_a_thread():
    with thread_map(1, 8) as each:
        assert each is map


def test_an_exception_in_a_thread_is_raised():
    with pytest.raises(ZeroDivisionError), thread_map(2, 2) as each:
        list(each(lambda number: 1 // number, [0, 1]))
