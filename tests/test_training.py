"""The schedule, the split and the progress of training, and their parameters."""

import io
import re
import sys
import tracemalloc

import numpy as np
import pytest
from conftest import small_network
from sklearn.decomposition import PCA

from skae._data import Split, shared_capacity
from skae._training import (
    Comparison,
    EpochReport,
    ProgressLine,
    Schedule,
    TrainingData,
    TrainingResult,
    ending,
)
from skae._training._progress import Progress

SCHEDULE = Schedule(
    max_iter=3,
    learning_rate=1e-2,
    decays=True,
    tol=0.0,
    n_iter_no_change=3,
)


def test_the_learning_rate_falls_along_half_a_cosine():
    schedule = Schedule(10, 0.5, True, 0.0, 1)
    rates = np.concatenate([schedule.rates(epoch, 4) for epoch in range(10)])
    np.testing.assert_allclose(rates[[0, 20]], [0.5, 0.25], rtol=1e-6)
    assert (np.diff(rates) < 0).all()
    assert rates[-1] < 1e-3
    constant = Schedule(10, 0.5, False, 0.0, 1)
    np.testing.assert_array_equal(constant.rates(7, 3), [0.5] * 3)


@pytest.mark.parametrize(("n_rows", "held_out"), [(1000, 100), (1001, 101)])
def test_one_part_of_many_rows_is_held_out(n_rows, held_out):
    split = Split.draw(np.arange(n_rows), 0.1, np.random.RandomState(0))
    assert (split.n_models, split.holds_out) == (1, True)
    assert len(split.held_out[0]) == held_out
    assert not np.intersect1d(split.train[0], split.held_out[0]).size
    np.testing.assert_array_equal(split.all_rows, np.arange(n_rows))


@pytest.mark.parametrize("n_rows", [10, 57, 990])
def test_each_of_few_rows_is_held_out_once(n_rows):
    split = Split.draw(np.arange(n_rows), 0.1, np.random.RandomState(0))
    assert (split.n_models, split.holds_out) == (6, True)
    held_out = np.concatenate(split.held_out)
    np.testing.assert_array_equal(np.sort(held_out), np.arange(n_rows))
    for train, held_out in zip(split.train, split.held_out, strict=True):
        assert not np.intersect1d(train, held_out).size
        assert len(train) + len(held_out) == n_rows
    assert len(split.held_out[-1]) == 0
    np.testing.assert_array_equal(split.all_rows, np.arange(n_rows))


@pytest.mark.parametrize(("n_rows", "fraction"), [(9, 0.1), (1, 0.5)])
def test_no_row_is_held_out_if_there_are_too_few(n_rows, fraction):
    split = Split.draw(np.arange(n_rows), fraction, np.random.RandomState(0))
    assert (split.n_models, split.holds_out) == (1, False)
    np.testing.assert_array_equal(split.all_rows, np.arange(n_rows))


def test_progress_keeps_the_best_and_stops_without_improvement():
    schedule = Schedule(10, 0.1, False, tol=0.1, n_iter_no_change=2)
    progress = Progress.at("start", 1.0).in_phase(schedule)
    progress = progress.after("better", 0.8, 0.8, schedule)
    assert (progress.best, progress.stopped_by) == ("better", None)
    progress = progress.after("slightly better", 0.79, 0.79, schedule)
    assert (progress.best, progress.stopped_by) == ("slightly better", None)
    progress = progress.after("worse", 0.9, 0.9, schedule)
    assert (progress.best, progress.stopped_by) == ("slightly better", "no_change")
    assert progress.best_loss == 0.79


def test_a_phase_continues_while_its_own_losses_improve():
    schedule = Schedule(10, 0.1, False, tol=0.1, n_iter_no_change=2)
    progress = Progress.at("start", 1.0).in_phase(schedule)
    progress = progress.after("worse than the start", 1.2, 1.2, schedule)
    progress = progress.after("worse still", 1.3, 1.3, schedule)
    assert (progress.best, progress.best_loss) == ("start", 1.0)
    progress = progress.in_phase(schedule)
    assert progress.trained == "worse than the start"
    for loss in (3.0, 2.5, 2.0, 1.5, 0.9):
        progress = progress.after(loss, loss, loss, schedule)
        assert progress.stopped_by is None
    assert (progress.best, progress.best_loss) == (0.9, 0.9)


@pytest.mark.parametrize("losses", [(np.nan, 0.5), (0.5, np.inf)])
def test_training_stops_if_a_loss_is_not_finite(losses):
    start = Progress.at("start", 1.0).in_phase(SCHEDULE)
    progress = start.after("lost", *losses, SCHEDULE)
    assert (progress.best, progress.stopped_by) == ("start", "divergence")


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
    warm = small_network(max_iter=5, early_stopping=False, warm_start=True)
    before = 1 - warm.fit(digits).score(digits)
    assert warm.fit(digits).start_loss_ == pytest.approx(before, rel=1e-4)


def test_epochs_are_counted_by_phase(digits):
    few = digits[:100]
    assert small_network(max_iter=6).fit(few).n_iter_per_phase_ == [4, 2]
    stopped = small_network(max_iter=90, n_iter_no_change=1, tol=0.1).fit(few)
    assert stopped.n_iter_per_phase_[0] < 60
    assert len(stopped.n_iter_per_phase_) == 2
    assert sum(stopped.n_iter_per_phase_) == stopped.n_iter_
    assert small_network(max_iter=2, early_stopping=False).fit(
        few
    ).n_iter_per_phase_ == [2]
    pca = small_network(hidden_layer_sizes=()).fit(few)
    assert (pca.n_iter_per_phase_, pca.start_loss_) == ([1], pca.best_loss_)


def test_the_loss_is_the_unexplained_share_of_the_variance(digits):
    fitted = small_network(early_stopping=False, max_iter=60).fit(digits)
    assert fitted.loss_curve_[-1] == pytest.approx(1 - fitted.score(digits), rel=0.05)


def test_verbose_prints_each_iteration_and_the_kept_model(digits, capsys):
    small_network(max_iter=2, verbose=True).fit(digits)
    lines = capsys.readouterr().out.splitlines()
    starts = [line.split(",")[0] for line in lines[:-1]]
    assert starts == ["Iteration 1", "Iteration 2"]
    assert lines[-1].startswith(
        "Stopped after 2 epochs: max_iter allows no more. "
        "Kept the network: its loss on held-out rows is 0."
    )
    assert "validation loss = 0." in lines[0]
    small_network(max_iter=2).fit(digits)
    assert capsys.readouterr().out == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def screen(self):
        """Return what is to be seen on the lines of a terminal."""
        lines = []
        for line in self.getvalue().split("\n"):
            seen = ""
            for part in line.split("\r"):
                seen = part + seen[len(part) :]
            lines.append(seen.rstrip())
        return lines


class Notebook(Terminal):
    """A stream like that of a kernel of Jupyter."""

    __module__ = "ipykernel.iostream"

    def isatty(self):
        return False


@pytest.mark.parametrize("stream", [Terminal, Notebook])
def test_in_a_terminal_all_epochs_share_a_line(stream, digits, monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal := stream())
    # Usual lines fit into a usual terminal.
    monkeypatch.setenv("COLUMNS", "80")
    fitted = small_network(max_iter=6, verbose=True).fit(digits[:100])
    first, second, rest = terminal.screen()
    loss, held_out = fitted.loss_curve_[-1], fitted.validation_loss_curve_[-1]
    assert re.fullmatch(
        rf"phase 2/2, epoch 2/2, 0 s left, loss {loss:.4f}, "
        rf"held out {held_out:.4f}, PCA {fitted.start_loss_:.4f}",
        first,
    )
    assert second.startswith("Stopped after 6 epochs: ")
    assert rest == ""
    # A line that is longer than the terminal could not be overwritten.
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "20")
    small_network(max_iter=2, verbose=True).fit(digits[:100])
    assert len(terminal.screen()[0]) <= 19
    # A notebook has lines of any length.
    monkeypatch.setattr(sys, "stdout", notebook := Notebook())
    small_network(max_iter=2, verbose=True).fit(digits[:100])
    assert "PCA" in notebook.screen()[0]


def test_the_last_line_says_what_was_kept_and_why():
    lines = {
        ("max_iter", (True, 1.0, 0.5, "held-out rows")): (
            "Stopped after 2 epochs: max_iter allows no more. Kept the network: its "
            "loss on held-out rows is 0.5, that of PCA 1."
        ),
        ("no_change", (False, 1.0, 0.9, "held-out rows")): (
            "Stopped after 2 epochs: the loss no longer improved. Kept PCA: its loss "
            "on held-out rows is 1, that of the network 0.9, which is not "
            "significantly lower."
        ),
        ("callback", (False, 1.0, 1.1, "all rows")): (
            "Stopped after 2 epochs: a callback asked to stop. Kept PCA: its loss on "
            "all rows is 1, that of the network 1.1."
        ),
        ("divergence", (False, 1.0, 1.0, "all rows")): (
            "Stopped after 2 epochs: the loss stopped being finite. Kept PCA: no epoch "
            "was better."
        ),
    }
    for (stopped_by, comparison), expected in lines.items():
        result = TrainingResult(
            {}, np.zeros(1), 1.0, 0.5, [0.7, 0.6], None, [2], stopped_by
        )
        # Whatever an earlier fit was, the network is compared with PCA.
        said = ending(result, Comparison(*comparison), {"warm_start": True})
        assert said == expected


def test_the_time_left_does_not_count_the_first_epoch(monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "200")
    times = iter([100.0, 102.0, 104.0])
    line = ProgressLine([10, 5], "PCA", clock=lambda: next(times))
    lines = []
    # The first phase stops early.
    for epoch, counts in enumerate([[1], [2], [2, 1]], 1):
        report = (epoch, 0.5, None, None, 1.0, 0.5, [], None, counts)
        line.show(EpochReport(*report))
        lines.append(terminal.screen()[-1])
    line.end()
    assert lines == [
        "phase 1/2, epoch 1/10, loss 0.5000, PCA 1.0000",
        "phase 1/2, epoch 2/10, 26 s left, loss 0.5000, PCA 1.0000",
        "phase 2/2, epoch 1/5, 8 s left, loss 0.5000, PCA 1.0000",
    ]
    assert terminal.getvalue().endswith("\n")


def test_after_a_failure_the_next_output_begins_on_a_new_line(digits, monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.setattr(ProgressLine, "show", failing_show)
    with pytest.raises(KeyboardInterrupt):
        small_network(max_iter=2, verbose=True).fit(digits[:100])
    assert terminal.getvalue().endswith("\n")


def failing_show(self, report, show=ProgressLine.show):
    show(self, report)
    raise KeyboardInterrupt


def test_warm_start_continues_training(digits):
    parameters = dict(max_iter=8, n_components=2)
    cold = small_network(**parameters).fit(digits)
    warm = small_network(**parameters, warm_start=True).fit(digits)
    np.testing.assert_array_equal(cold.transform(digits), warm.transform(digits))
    first = warm.score(digits)
    warm.fit(digits)
    assert warm.loss_curve_[0] < cold.loss_curve_[-1] * 1.05
    assert warm.score(digits) > first
    # These weights do not fit another network. So it starts anew.
    warm.set_params(hidden_layer_sizes=(16,)).fit(digits)
    fresh = small_network(**parameters, hidden_layer_sizes=(16,)).fit(digits)
    np.testing.assert_array_equal(warm.transform(digits), fresh.transform(digits))


@pytest.mark.parametrize(
    "optimizer",
    ["sgd", "rmsprop", "adamw", "nadam", "lion", "adafactor", "muon", "Adamax"],
)
def test_any_keras_optimizer_lowers_the_loss(optimizer, digits):
    import keras

    try:
        keras.optimizers.get(optimizer)
    except ValueError:
        pytest.skip(f"Keras {keras.__version__} does not have {optimizer}")
    fitted = small_network(optimizer=optimizer).fit(digits)
    assert min(fitted.loss_curve_) < fitted.loss_curve_[0]


def test_optimizer_instances_keep_their_rate_and_state(digits):
    import keras

    adam = keras.optimizers.Adam(5e-3)
    fitted = small_network(optimizer=adam).fit(digits)
    assert int(adam.iterations.value) == 0
    assert not adam.built
    np.testing.assert_array_equal(
        fitted.transform(digits),
        small_network(optimizer=keras.optimizers.Adam(5e-3))
        .fit(digits)
        .transform(digits),
    )
    still = small_network(optimizer=keras.optimizers.Adam(1e-12), max_iter=3)
    curve = still.fit(digits).loss_curve_
    np.testing.assert_allclose(curve, curve[0], rtol=1e-3)
    # The parameter learning_rate overrides the rate of the instance.
    moved = still.set_params(learning_rate=5e-3).fit(digits).loss_curve_
    assert moved[-1] < 0.95 * moved[0]


def test_the_schedule_of_an_optimizer_is_used(digits):
    import keras

    frozen = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.0, 0.0])
    fitted = small_network(optimizer=keras.optimizers.Adam(frozen), max_iter=3)
    curve = fitted.fit(digits).loss_curve_
    np.testing.assert_allclose(curve, curve[0], rtol=1e-3)


@pytest.mark.parametrize("batch_size", [10**6, 10**12])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_batch_is_not_larger_than_the_data(method, batch_size, digits, monkeypatch):
    X, used, peaks = digits[:57, 20:26], [], []
    make = TrainingData.of

    def recorded(*args):
        data = make(*args)
        used.append((data.batch_size, data.feed.rows.input.shape))
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
    expected, found = fitted(capacity), fitted(batch_size)
    assert used[-1] == used[0] == (capacity, (capacity, 6))
    assert peaks[-1] < 2 * peaks[-2]
    np.testing.assert_array_equal(found.transform(X), expected.transform(X))
    assert found.loss_curve_ == expected.loss_curve_
    assert np.isfinite(found.loss_curve_).all()


@pytest.mark.parametrize("batch_size", [1, 7, 56])
def test_a_batch_size_up_to_the_number_of_rows_is_kept(batch_size, digits, monkeypatch):
    used, make = [], TrainingData.of

    def recorded(*args):
        used.append(make(*args))
        return used[-1]

    monkeypatch.setattr(TrainingData, "of", recorded)
    small_network(max_iter=1, batch_size=batch_size).partial_fit(digits[:57])
    assert used[0].batch_size == batch_size
    assert used[0].n_batches == -(-57 // batch_size)
