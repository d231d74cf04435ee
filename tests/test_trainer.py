"""Training: epochs and phases, the models of folds, early stopping, mini-batches.

Most tests train by an engine in plain NumPy, so they are the same on every backend.
"""

import threading
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import small_network
from sklearn.decomposition import PCA

from skae._backends import Engine, HyperParameters, State, backend
from skae._data import (
    Batch,
    InMemoryLoader,
    Scaling,
    Split,
    StreamingLoader,
    shared_capacity,
)
from skae._training import (
    Phase,
    Schedule,
    TrainingData,
    compare_with_baseline,
    thread_map,
    train,
)

FEATURES = np.random.default_rng(0).normal(size=(1200, 4))
KERNEL = np.random.default_rng(1).normal(size=(4, 4))
TARGETS = FEATURES @ KERNEL + 0.1 * np.random.default_rng(2).normal(size=(1200, 4))


class LinearEngine(Engine):
    """One linear layer without bias, squared error, gradient descent."""

    def place(self, rows):
        return rows

    def init(self, weights):
        return State(weights, 0)

    def for_encoder(self):
        return self

    def train(self, state, block, rates, seed, hyper):
        (kernel,), _ = state.weights["encoder"]
        total = 0.0
        batches = np.split(block.order.ravel()[: block.n_rows], self._ends(block))
        for numbers, rate in zip(batches, rates, strict=False):
            batch = block.rows.map(lambda part, numbers=numbers: part[numbers])
            error = batch.input @ kernel - batch.target
            gradient = 2 * batch.input.T @ error / error.size + hyper.alpha * kernel
            kernel = kernel - rate * gradient
            total += np.square(error).mean(axis=1).sum()
        return self._state(kernel, state.optimizer + len(batches)), total

    def row_losses(self, weights, block, hyper):
        (kernel,), _ = weights["encoder"]
        rows = block.rows.map(lambda part: part[block.order])
        return np.square(rows.input @ kernel - rows.target).mean(axis=-1)

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
    loader = InMemoryLoader.of(rows, unscaled, 32, ENGINE.place)
    if streamed:
        loader = StreamingLoader(rows, unscaled, 32, 5, ENGINE.place)
    split = Split.draw(np.arange(n_rows), fraction, np.random.RandomState(0))
    hyper = HyperParameters((), alpha=alpha)
    return TrainingData(loader, split, hyper, 32, len(split.train[-1]))


def trained(data, start=START, max_iter=60, rate=0.5, n_threads=1, **listener):
    schedule = Schedule(max_iter, rate, True, 0.0, max_iter)
    rng = np.random.RandomState(0)
    return train(
        ENGINE, start, [Phase(data, schedule)], rng, n_threads=n_threads, **listener
    )


def compared(data, start, result):
    """Compare what training found with the start."""
    problem = SimpleNamespace(engine=ENGINE, is_likelihood=False)
    trainer = SimpleNamespace(
        phases=[Phase(data, None)],
        problem=problem,
        start=SimpleNamespace(problem=problem, weights=start),
    )
    return compare_with_baseline(trainer, result)


@pytest.mark.jax
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
    assert result.history.best_loss == pytest.approx(result.validation_losses.mean())
    found = compared(data, START, result)
    assert found.is_better
    assert found.after == pytest.approx(result.history.best_loss)
    assert found.rows == "held-out rows"


@pytest.mark.jax
@pytest.mark.parametrize("n_threads", [1, 4])
def test_few_rows_train_one_model_for_each_fold(n_threads):
    data = training_data(n_rows=150)
    result = trained(data, n_threads=n_threads)
    expected = np.linalg.lstsq(FEATURES[:150], TARGETS[:150], rcond=None)[0]
    np.testing.assert_allclose(result.weights["encoder"][0][0], expected, atol=0.03)
    assert len(result.validation_losses) == 150
    # Every row is predicted by a model that has not trained on it.
    residuals = TARGETS[:150] - FEATURES[:150] @ expected
    assert result.history.best_loss > np.square(residuals).mean()


@pytest.mark.jax
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


@pytest.mark.jax
def test_an_optimal_start_is_kept():
    data = training_data()
    best = np.linalg.lstsq(FEATURES, TARGETS, rcond=None)[0]
    start = LinearEngine._state(best, 0).weights
    assert not compared(data, start, trained(data, start, max_iter=5)).is_better


@pytest.mark.jax
def test_alpha_is_passed_to_the_engine():
    plain, shrunk = (trained(training_data(alpha=alpha)) for alpha in (0.0, 1.0))
    lengths = [
        np.linalg.norm(result.weights["encoder"][0][0]) for result in (plain, shrunk)
    ]
    assert lengths[1] < 0.7 * lengths[0]


@pytest.mark.jax
def test_a_listener_can_stop_training():
    reports = []

    def listen(report):
        reports.append(report)
        return len(report.history.loss_curve) == 3

    result = trained(training_data(), on_epoch=listen)
    assert result.stopped_by == "callback"
    curve = result.history.loss_curve
    found = [report.history.loss_curve for report in reports]
    assert found == [curve[:1], curve[:2], curve]
    assert reports[-1].weights() is not START


@pytest.mark.jax
def test_a_loss_that_is_not_finite_ends_training():
    with np.errstate(all="ignore"):
        result = trained(training_data(), rate=1e200)
    assert result.stopped_by == "divergence"
    assert result.weights is START


@pytest.mark.jax
@pytest.mark.parametrize(("n_rows", "n_held_out"), [(1000, 100), (1001, 101)])
def test_one_part_of_many_rows_is_held_out(n_rows, n_held_out):
    split = Split.draw(np.arange(n_rows), 0.1, np.random.RandomState(0))
    assert (len(split.train), split.holds_out) == (1, True)
    assert len(split.held_out[0]) == n_held_out
    assert not np.intersect1d(split.train[0], split.held_out[0]).size
    assert split.n_rows == n_rows


@pytest.mark.jax
@pytest.mark.parametrize(("n_rows", "n_folds"), [(10, 5), (57, 5), (600, 4), (990, 3)])
def test_folds_of_few_rows_are_held_out_until_they_are_enough(n_rows, n_folds):
    split = Split.draw(np.arange(n_rows), 0.1, np.random.RandomState(0))
    assert (len(split.train), split.holds_out) == (n_folds + 1, True)
    held_out = np.concatenate(split.held_out)
    assert len(np.unique(held_out)) == len(held_out)
    assert len(held_out) >= min(n_rows, 400)
    for train_rows, held_out in zip(split.train, split.held_out, strict=True):
        assert not np.intersect1d(train_rows, held_out).size
        assert len(train_rows) + len(held_out) == n_rows
    assert len(split.held_out[-1]) == 0


@pytest.mark.jax
@pytest.mark.parametrize(("n_rows", "fraction"), [(9, 0.1), (1, 0.5)])
def test_no_row_is_held_out_if_there_are_too_few(n_rows, fraction):
    split = Split.draw(np.arange(n_rows), fraction, np.random.RandomState(0))
    assert (len(split.train), split.holds_out) == (1, False)
    np.testing.assert_array_equal(np.sort(split.train[0]), np.arange(n_rows))


@pytest.mark.jax
def test_calls_run_at_the_same_time():
    all_there = threading.Barrier(3, timeout=10)

    def call(number):
        all_there.wait()
        return number

    with thread_map(6, 3) as each:
        assert list(each(call, range(6))) == list(range(6))


@pytest.mark.jax
def test_one_model_trains_without_a_thread():
    with thread_map(1, 8) as each:
        assert each is map


@pytest.mark.jax
def test_an_exception_in_a_thread_is_raised():
    with pytest.raises(ZeroDivisionError), thread_map(2, 2) as each:
        list(each(lambda number: 1 // number, [0, 1]))


def test_the_number_of_threads_does_not_change_the_result(digits, monkeypatch):
    fitted = []
    for n_threads in (1, 4):
        monkeypatch.setattr(backend(), "n_threads", n_threads)
        # With dropout, random draws must not depend on the order of the threads.
        estimator = small_network(max_iter=4, dropout=0.1)
        fitted.append(estimator.fit(digits[:300]))
    one, many = fitted
    assert many.validation_loss_curve_ == one.validation_loss_curve_
    X = digits[:300]
    np.testing.assert_array_equal(many.transform(X), one.transform(X))


def test_early_stopping_and_the_lengths_of_loss_curves(digits):
    long = small_network(max_iter=500, n_iter_no_change=2, tol=0.05).fit(digits)
    assert 2 < long.n_iter_ < 500
    assert len(long.loss_curve_) == len(long.validation_loss_curve_) == long.n_iter_
    assert long.best_loss_ == min(long.validation_loss_curve_)
    everything = small_network(early_stopping=False, max_iter=5).fit(digits)
    assert everything.n_iter_ == 5
    assert everything.validation_loss_curve_ is None
    assert everything.best_loss_ == min(everything.loss_curve_)


def test_the_start_loss_is_that_of_pca_on_the_rows_that_decide(digits):
    pca = PCA(3).fit(digits)
    everything = small_network(early_stopping=False, max_iter=1).fit(digits)
    unexplained = 1 - pca.explained_variance_ratio_.sum()
    assert everything.start_loss_ == pytest.approx(unexplained, rel=1e-5)
    # Held-out rows, given by the user.
    held_out = digits[1600:]
    fitted = small_network(max_iter=1).fit(digits[:1600], X_val=held_out)
    pca = PCA(3).fit(digits[:1600])
    error = np.square(held_out - pca.inverse_transform(pca.transform(held_out)))
    scale = digits[:1600].var(axis=0).mean()
    assert fitted.start_loss_ == pytest.approx(error.mean() / scale, rel=1e-5)
    warm = small_network(early_stopping=False, warm_start=True)
    before = 1 - warm.fit(digits).score(digits)
    assert warm.selected_model_ == "network"
    # The last training loss is the unexplained fraction of the variance, too.
    assert warm.loss_curve_[-1] == pytest.approx(before, rel=0.05)
    assert warm.fit(digits).start_loss_ == pytest.approx(before, rel=1e-4)


@pytest.mark.jax
def test_noise_is_given_up_after_a_few_epochs():
    noise = np.random.default_rng(0).normal(size=(150, 12))
    fitted = small_network(n_components=2, max_iter=60).fit(noise)
    assert fitted.selected_model_ == "linear"
    assert min(fitted.validation_loss_curve_) > fitted.start_loss_
    # No epoch of the second phase, and no waiting for n_iter_no_change.
    assert fitted.n_iter_per_phase_ == [8]


@pytest.mark.jax
def test_epochs_are_counted_by_phase(digits):
    few = digits[:300]
    assert small_network(max_iter=6).fit(few).n_iter_per_phase_ == [4, 2]
    stopped = small_network(max_iter=90, n_iter_no_change=5, tol=0.1).fit(few)
    assert stopped.n_iter_per_phase_[0] < 60
    assert len(stopped.n_iter_per_phase_) == 2
    assert sum(stopped.n_iter_per_phase_) == stopped.n_iter_
    everything = small_network(max_iter=2, early_stopping=False).fit(few)
    assert everything.n_iter_per_phase_ == [2]
    pca = small_network(hidden_layer_sizes=()).fit(few)
    assert (pca.n_iter_per_phase_, pca.start_loss_) == ([1], pca.best_loss_)


def test_warm_start_continues_training(network, digits):
    warm = small_network(warm_start=True).fit(digits)
    np.testing.assert_array_equal(network.transform(digits), warm.transform(digits))
    first = warm.score(digits)
    warm.fit(digits)
    assert warm.loss_curve_[0] < network.loss_curve_[-1] * 1.05
    assert warm.score(digits) > first
    # These weights do not fit another network. So it starts anew.
    other = dict(n_components=2, max_iter=2)
    warm.set_params(**other).fit(digits)
    fresh = small_network(**other).fit(digits)
    np.testing.assert_array_equal(warm.transform(digits), fresh.transform(digits))


@pytest.mark.jax
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_batch_is_not_larger_than_the_data(method, digits, monkeypatch):
    X, used, peaks = digits[:57, 20:26], [], []
    make = TrainingData.of

    def recorded(*args):
        data = make(*args)
        used.append((data.batch_size, data.loader.rows.input.shape))
        return data

    monkeypatch.setattr(TrainingData, "of", recorded)

    def fitted(batch_size):
        model = small_network(
            hidden_layer_sizes=(8,),
            max_iter=3,
            batch_size=batch_size,
            skip_connections=None,
        )
        tracemalloc.start()
        getattr(model, method)(X)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        return model

    capacity = shared_capacity(57)
    # The first fit compiles the program. The second one shares it.
    fitted(capacity)
    expected, found = fitted(capacity), fitted(10**12)
    assert used[-1] == used[0] == (capacity, (capacity, 6))
    assert peaks[-1] < 2 * peaks[-2]
    np.testing.assert_array_equal(found.transform(X), expected.transform(X))
    assert found.loss_curve_ == expected.loss_curve_
    assert np.isfinite(found.loss_curve_).all()


@pytest.mark.jax
@pytest.mark.parametrize("batch_size", [1, 7, 56])
def test_a_batch_size_up_to_the_number_of_rows_is_kept(batch_size, digits, monkeypatch):
    class Used(Exception):
        pass

    make = TrainingData.of

    def recorded(*args):
        raise Used(make(*args))

    monkeypatch.setattr(TrainingData, "of", recorded)
    with pytest.raises(Used) as caught:
        small_network(batch_size=batch_size).partial_fit(digits[:57])
    (data,) = caught.value.args
    assert data.batch_size == batch_size
    assert data.n_batches == -(-57 // batch_size)
