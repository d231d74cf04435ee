"""What ``fit`` does around training: seeds, failures, and what it prints."""

import copy

import numpy as np
import pytest
from conftest import small_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae._callbacks import ending, name_of_start
from skae._training import Comparison, History, Schedule, TrainingResult
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector


@pytest.fixture
def fitted(network):
    """Return a fitted estimator that the test may change."""
    return copy.deepcopy(network)


def assert_same_objects(before, after):
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)


@pytest.mark.parametrize(
    "failure", [KeyboardInterrupt, MemoryError], ids=lambda failure: failure.__name__
)
def test_a_failure_during_training_keeps_the_previous_fit(
    failure, fitted, digits, monkeypatch
):
    before, codes = vars(fitted).copy(), fitted.transform(digits)

    def third_epoch_fails(self, epoch, n_batches):
        if epoch == 2:
            raise failure
        return np.full(n_batches, 1e-3, np.float32)

    monkeypatch.setattr(Schedule, "rates", third_epoch_fails)
    with pytest.raises(failure):
        fitted.fit(digits[::-1])
    assert_same_objects(before, vars(fitted))
    np.testing.assert_array_equal(fitted.transform(digits), codes)


def test_invalid_input_keeps_the_previous_fit(fitted):
    before = vars(fitted).copy()
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(np.full((30, 4), np.nan))
    assert_same_objects(before, vars(fitted))


def test_an_invalid_parameter_leaves_the_estimator_unfitted(digits):
    estimator = small_network(optimizer="adamm")
    with pytest.raises(ValueError, match="optimizer"):
        estimator.fit(digits)
    assert not hasattr(estimator, "n_features_in_")


LINEAR = AutoencoderTransformer(1, hidden_layer_sizes=())


@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        (LINEAR, "fit"),
        (LINEAR, "partial_fit"),
        (VariationalAutoencoderTransformer(1, hidden_layer_sizes=()), "fit"),
        (AutoencoderOutlierDetector(LINEAR), "fit"),
        (AutoencoderImputer(1, max_iter=0), "fit"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("rows", [np.ones((1, 3)), np.full((30, 5), np.inf)], ids=repr)
def test_every_estimator_keeps_the_previous_fit(estimator, method, rows, digits):
    fitted = clone(estimator).fit(digits[:50])
    if method == "partial_fit":
        fitted = clone(estimator).partial_fit(digits[:50])
    before = vars(fitted).copy()
    try:
        getattr(fitted, method)(rows)
    except ValueError:
        assert_same_objects(before, vars(fitted))
    else:
        # One row is enough for this estimator.
        assert fitted.n_features_in_ == 3


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


def codes_of(X, random_state):
    """Return codes of a fit that draws noise of all kinds."""
    return small_network(
        dropout=0.2, corruption="masking", max_iter=3, random_state=random_state
    ).fit_transform(X)


def test_the_same_seed_gives_identical_codes(digits):
    codes = codes_of(digits, 0)
    np.testing.assert_array_equal(codes_of(digits, 0), codes)
    # An instance starts like its seed, and advances with each fit.
    rng = np.random.RandomState(0)
    np.testing.assert_array_equal(codes_of(digits, rng), codes)
    assert not np.array_equal(codes_of(digits, rng), codes)


def test_different_seeds_give_different_but_correlated_codes(network, digits):
    one = network.transform(digits)
    other = small_network(random_state=1).fit_transform(digits)
    assert not np.array_equal(one, other)
    between = np.corrcoef(one.T, other.T)[:3, 3:]
    assert np.abs(between).max(axis=1).mean() > 0.7


def test_fits_without_a_seed_differ(digits):
    one, other = (
        small_network(random_state=None, max_iter=3, skip_connections=None)
        .fit(digits)
        .transform(digits)
        for _ in range(2)
    )
    assert not np.array_equal(one, other)


def test_verbose_prints_each_iteration_and_the_kept_model(digits, capsys):
    fitted = small_network(verbose=True).fit(digits)
    *lines, last = capsys.readouterr().out.splitlines()
    start = fitted.start_loss_
    curves = zip(fitted.loss_curve_, fitted.validation_loss_curve_, strict=True)
    for number, (line, (loss, held_out)) in enumerate(
        zip(lines, curves, strict=True), 1
    ):
        assert line == (
            f"Iteration {number}, loss = {loss:.6f}, held-out loss = {held_out:.6f}, "
            f"loss at the start = {start:.6f}"
        )
    assert last == (
        "Stopped after 15 epochs: max_iter allows no more. Kept the network: its loss "
        f"on held-out rows is {fitted.best_loss_:.6g}, that of PCA {start:.6g}."
    )
    small_network(max_iter=1, early_stopping=False, verbose=True).fit(digits)
    assert "held-out" not in capsys.readouterr().out
    small_network(max_iter=1).fit(digits)
    assert capsys.readouterr().out == ""


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
    history = History(1.0, 0.5, [0.7, 0.6], None, [2])
    for (stopped_by, comparison), expected in lines.items():
        result = TrainingResult({}, np.zeros(1), history, stopped_by)
        assert ending(result, Comparison(*comparison), "PCA") == expected


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        # Whatever an earlier fit was, the network is compared with PCA.
        ({"skip_connections": "linear", "warm_start": True}, "PCA"),
        ({"skip_connections": "dense", "target_weight": 0.0}, "PCA"),
        ({"skip_connections": None, "target_weight": 0.5}, "random weights"),
        (
            {"skip_connections": "linear", "target_weight": 0.5},
            "principal covariates regression",
        ),
        ({"likelihood": "gaussian"}, "probabilistic PCA"),
    ],
)
def test_the_model_at_the_start_has_a_name(parameters, name):
    assert name_of_start(parameters) == name
