"""The engine protocol, tested with an engine in plain NumPy."""

import subprocess
import sys

import numpy as np
import pytest

from skae._data import Batch, Resident, Scaling, Split, Streamed
from skae._engines import Engine, HyperParameters, State
from skae._training import Phase, Schedule, TrainingData, compared, train

FEATURES = np.random.default_rng(0).normal(size=(1200, 4))
KERNEL = np.random.default_rng(1).normal(size=(4, 4))
TARGETS = FEATURES @ KERNEL + 0.1 * np.random.default_rng(2).normal(size=(1200, 4))


class LinearEngine(Engine):
    """One linear layer without bias, squared error, gradient descent."""

    def place(self, rows):
        return rows

    def init(self, weights):
        return State(weights, 0)

    def train(self, state, block, rates, seed, hyper):
        (kernel,), _ = state.weights["encoder"]
        total = 0.0
        batches = np.split(block.order.ravel()[: block.n_rows], self._ends(block))
        for numbers, rate in zip(batches, rates, strict=False):
            batch = block.rows.map(lambda part, numbers=numbers: part[numbers])
            error = batch.input @ kernel - batch.wanted
            gradient = 2 * batch.input.T @ error / error.size + hyper.alpha * kernel
            kernel = kernel - rate * gradient
            total += np.square(error).mean(axis=1).sum()
        return self._state(kernel, state.optimizer + len(batches)), total

    def row_losses(self, weights, block, hyper):
        (kernel,), _ = weights["encoder"]
        rows = block.rows.map(lambda part: part[block.order])
        return np.square(rows.input @ kernel - rows.wanted).mean(axis=-1)

    def fetch(self, arrays):
        return arrays

    @staticmethod
    def _state(kernel, n_steps):
        return State({"encoder": ([kernel], []), "decoder": ([], [])}, n_steps)

    @staticmethod
    def _ends(block):
        return range(block.order.shape[1], block.n_rows, block.order.shape[1])


ENGINE = LinearEngine()
START = LinearEngine._state(np.zeros((4, 4)), 0).weights


def training_data(n_rows=1200, streamed=False, fraction=0.1, alpha=0.0):
    rows = Batch(FEATURES[:n_rows], TARGETS[:n_rows])
    unscaled = Scaling.none(4)
    feed = Resident.of(rows, unscaled, 32, ENGINE.place)
    if streamed:
        feed = Streamed(rows, unscaled, 32, 5, ENGINE.place)
    split = Split.draw(np.arange(n_rows), fraction, np.random.RandomState(0))
    hyper = HyperParameters((), alpha=alpha)
    return TrainingData(feed, split, hyper, 32, len(split.train[-1]))


def trained(data, max_iter=60, rate=0.5, n_threads=1, **listener):
    schedule = Schedule(max_iter, rate, True, 0.0, max_iter)
    rng = np.random.RandomState(0)
    return train(
        ENGINE, START, [Phase(data, schedule)], rng, n_threads=n_threads, **listener
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_training_converges_to_least_squares(streamed):
    data = training_data(streamed=streamed)
    result = trained(data)
    rows = data.split.train[0]
    expected = np.linalg.lstsq(FEATURES[rows], TARGETS[rows], rcond=None)[0]
    np.testing.assert_allclose(result.weights["encoder"][0][0], expected, atol=0.03)
    held_out = data.split.held_out[0]
    errors = FEATURES[held_out] @ result.weights["encoder"][0][0] - TARGETS[held_out]
    np.testing.assert_allclose(
        result.validation_losses, np.square(errors).mean(axis=1), rtol=1e-3
    )
    assert result.best_loss == pytest.approx(result.validation_losses.mean())
    found = compared(ENGINE, START, result, data, is_likelihood=False)
    assert found.is_better
    assert found.after == pytest.approx(result.best_loss)
    assert found.rows == "held-out rows"


@pytest.mark.parametrize("n_threads", [1, 4])
def test_few_rows_train_one_model_for_each_fold(n_threads):
    data = training_data(n_rows=200)
    result = trained(data, n_threads=n_threads)
    expected = np.linalg.lstsq(FEATURES[:200], TARGETS[:200], rcond=None)[0]
    np.testing.assert_allclose(result.weights["encoder"][0][0], expected, atol=0.03)
    assert len(result.validation_losses) == 200
    # Every row is predicted by a model that has not trained on it.
    residuals = TARGETS[:200] - FEATURES[:200] @ expected
    assert result.best_loss > np.square(residuals).mean()


@pytest.mark.parametrize("n_threads", [1, 4])
def test_the_kept_model_does_not_depend_on_the_others(n_threads):
    data = training_data(n_rows=200)
    result = trained(data, max_iter=3, n_threads=n_threads)
    rng, kernel = np.random.RandomState(0), np.zeros((4, 4))
    schedule = Schedule(3, 0.5, True, 0.0, 3)
    for epoch in range(3):
        for rows in data.split.train:  # the last draw is the kept model's
            rng.randint(2**32, dtype=np.uint32)
            order = np.resize(rng.permutation(rows), 200)
        rates = schedule.rates(epoch, 7)
        for numbers, rate in zip(
            np.split(order, range(32, 200, 32)), rates, strict=True
        ):
            X = FEATURES[numbers].astype(np.float32)
            error = X @ kernel - TARGETS[numbers].astype(np.float32)
            kernel = kernel - rate * 2 * X.T @ error / error.size
    assert len(data.split.train) == 6
    np.testing.assert_allclose(result.weights["encoder"][0][0], kernel, atol=1e-4)


def test_an_optimal_start_is_kept():
    data = training_data()
    best = np.linalg.lstsq(FEATURES, TARGETS, rcond=None)[0]
    start = LinearEngine._state(best, 0).weights
    schedule = Schedule(5, 0.5, True, 0.0, 5)
    rng = np.random.RandomState(0)
    result = train(ENGINE, start, [Phase(data, schedule)], rng)
    found = compared(ENGINE, start, result, data, is_likelihood=False)
    assert not found.is_better


def test_alpha_is_passed_to_the_engine():
    plain, shrunk = (trained(training_data(alpha=alpha)) for alpha in (0.0, 1.0))
    lengths = [
        np.linalg.norm(result.weights["encoder"][0][0]) for result in (plain, shrunk)
    ]
    assert lengths[1] < 0.7 * lengths[0]


def test_a_listener_can_stop_training():
    reports = []

    def listen(report):
        reports.append(report)
        return report.epoch == 3

    result = trained(training_data(), on_epoch=listen)
    assert result.stopped_by == "callback"
    assert [report.loss for report in reports] == result.loss_curve
    assert reports[-1].weights() is not START


def test_a_loss_that_is_not_finite_ends_training():
    with np.errstate(all="ignore"):
        result = trained(training_data(), rate=1e200)
    assert result.stopped_by == "divergence"
    assert result.weights is START


def test_training_imports_no_backend():
    code = (
        "import sys, skae._training; "
        "print({'jax', 'keras', 'tensorflow', 'torch'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
