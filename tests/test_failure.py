"""A fit that fails, diverges or is interrupted."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning


def assert_same_objects(before, after):
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)


@pytest.fixture
def fitted(digits):
    return small_network().fit(digits)


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt, MemoryError], ids=lambda failure: failure.__name__
)
def test_a_failure_during_training_keeps_the_previous_fit(
    failure, fitted, digits, monkeypatch
):
    before, codes = vars(fitted).copy(), fitted.transform(digits)

    from skae._training import _schedule

    def third_epoch_fails(self, epoch, n_batches):
        if epoch == 2:
            raise failure
        return np.full(n_batches, 1e-3, np.float32)

    monkeypatch.setattr(_schedule.Schedule, "rates", third_epoch_fails)
    with pytest.raises(failure):
        fitted.fit(np.tile(digits, 2)[:300])
    assert_same_objects(before, vars(fitted))
    np.testing.assert_array_equal(fitted.transform(digits), codes)


def test_invalid_input_keeps_the_previous_fit(fitted, digits):
    before = vars(fitted).copy()
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(np.full((30, 4), np.nan))
    assert_same_objects(before, vars(fitted))


def test_an_invalid_parameter_leaves_the_estimator_unfitted(digits):
    estimator = small_network(optimizer="adamm")
    with pytest.raises(ValueError, match="optimizer"):
        estimator.fit(digits)
    assert not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize("skip_connections", ["linear", None])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_divergence_keeps_the_best_weights(skip_connections, early_stopping, digits):
    estimator = small_network(
        optimizer="sgd",
        learning_rate=1e12,
        skip_connections=skip_connections,
        early_stopping=early_stopping,
    )
    with pytest.warns(ConvergenceWarning, match="stopped being finite in iteration"):
        estimator.fit(digits)
    assert estimator.n_iter_ < 15
    assert np.isfinite(estimator.best_loss_)
    assert np.isfinite(estimator.reconstruct(digits)).all()
    if skip_connections == "linear":
        linear = clone(estimator).set_params(hidden_layer_sizes=())
        assert estimator.score(digits) >= linear.fit(digits).score(digits) - 1e-5
