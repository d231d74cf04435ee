"""Learning rates, and when training stops."""

import numpy as np
import pytest

from skae._training import Progress, Schedule

PATIENT = Schedule(10, 0.1, False, tol=0.1, n_iter_no_change=2)


def test_the_learning_rate_falls_along_half_a_cosine():
    schedule = Schedule(10, 0.5, True, 0.0, 1)
    rates = np.concatenate([schedule.rates(epoch, 4) for epoch in range(10)])
    np.testing.assert_allclose(rates[[0, 20]], [0.5, 0.25], rtol=1e-6)
    assert (np.diff(rates) < 0).all()
    assert rates[-1] < 1e-3
    constant = Schedule(10, 0.5, False, 0.0, 1)
    np.testing.assert_array_equal(constant.rates(7, 3), [0.5] * 3)


@pytest.mark.parametrize("max_iter", [1, 2, 3, 60])
@pytest.mark.parametrize("decays", [True, False])
def test_a_third_of_the_epochs_trains_the_encoder_alone(decays, max_iter):
    whole, encoder = Schedule(max_iter, 0.5, decays, 0.1, 4).in_two_phases()
    assert encoder.max_iter == max_iter // 3
    assert whole == Schedule(max_iter - max_iter // 3, 0.5, decays, 0.1, 4)
    assert encoder.learning_rate == (1.0 if decays else 0.5)


def test_progress_keeps_the_best_and_stops_without_improvement():
    progress = Progress("start", 1.0, "start").in_phase(PATIENT)
    progress = progress.after("better", 0.8, 0.8, PATIENT)
    assert (progress.best, progress.stopped_by) == ("better", None)
    progress = progress.after("slightly better", 0.79, 0.79, PATIENT)
    assert (progress.best, progress.stopped_by) == ("slightly better", None)
    progress = progress.after("worse", 0.9, 0.9, PATIENT)
    assert (progress.best, progress.stopped_by) == ("slightly better", "no_change")
    assert progress.best_loss == 0.79


def test_a_phase_continues_while_its_own_losses_improve():
    progress = Progress("start", 1.0, "start").in_phase(PATIENT)
    progress = progress.after("worse than the start", 1.2, 1.2, PATIENT)
    progress = progress.after("worse still", 1.3, 1.3, PATIENT)
    assert (progress.best, progress.best_loss) == ("start", 1.0)
    progress = progress.in_phase(PATIENT)
    assert progress.trained == "worse than the start"
    for loss in (3.0, 2.5, 2.0, 1.5, 0.9):
        progress = progress.after(loss, loss, loss, PATIENT)
        assert progress.stopped_by is None
    assert (progress.best, progress.best_loss) == (0.9, 0.9)


@pytest.mark.parametrize("losses", [(np.nan, 0.5), (0.5, np.inf)])
def test_training_stops_if_a_loss_is_not_finite(losses):
    start = Progress("start", 1.0, "start").in_phase(PATIENT)
    progress = start.after("lost", *losses, PATIENT)
    assert (progress.best, progress.stopped_by) == ("start", "divergence")


def after_epochs(losses, held_out, start_loss=1.0, n_iter_no_change=20):
    schedule = Schedule(60, 0.1, False, 0.0, n_iter_no_change)
    progress = Progress("start", start_loss, "start").in_phase(schedule)
    for loss, monitored in zip(losses, held_out, strict=True):
        progress = progress.after("trained", loss, monitored, schedule)
        if progress.stopped_by is not None:
            break
    return progress.n_epochs, progress.stopped_by


def test_training_is_given_up_where_only_training_rows_gain():
    falling = 1 - 0.05 * np.arange(1, 16)
    # After eight epochs training rows gain 0.4. Held-out rows may lose as much.
    assert after_epochs(falling, 1 + 1.1 * (1 - falling)) == (8, "no_gain")
    assert after_epochs(falling, 1 + 0.9 * (1 - falling)) == (15, None)
    # Losses in other units, and below zero.
    moved = falling - 7
    assert after_epochs(moved, np.full(15, -5.0), start_loss=-6.0) == (8, "no_gain")
    # Nothing is given up that has been better than the start, or learns slowly.
    held_out = np.full(15, 1.5)
    held_out[3] = 0.99
    assert after_epochs(falling, held_out) == (15, None)
    assert after_epochs(2 - falling, np.full(15, 1.5)) == (15, None)
    # Patience comes from the same parameter.
    assert after_epochs(falling, np.full(15, 2), n_iter_no_change=5)[0] == 2


def test_without_held_out_rows_nothing_is_given_up():
    for loss in (0.5, 1.5):
        losses = np.full(15, loss)
        assert after_epochs(losses, losses) == (15, None)
