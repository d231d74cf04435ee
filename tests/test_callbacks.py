"""Estimators support scikit-learn's callbacks, and say what they kept."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skae import VariationalAutoencoderTransformer

try:
    from sklearn import callback
except ImportError:
    callback = None

needs_callbacks = pytest.mark.skipif(
    callback is None, reason="callbacks came with scikit-learn 1.9"
)

SMALL = dict(max_iter=2, random_state=0)


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


@needs_callbacks
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


ESTIMATORS = {
    "plain": small_network(**SMALL),
    "all rows train": small_network(early_stopping=False, **SMALL),
    "labels": small_network(target_weight=0.5, **SMALL),
    "variational": VariationalAutoencoderTransformer(
        3, hidden_layer_sizes=(32,), **SMALL
    ),
}


@needs_callbacks
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_estimator_in_mid_fit_has_every_fitted_attribute(kind, digits):
    estimator = clone(ESTIMATORS[kind])
    seen = []

    class Attributes(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if fitted_estimator is not None:
                seen.append(vars(fitted_estimator))

    y = np.arange(len(digits)) % 2
    if not getattr(estimator, "target_weight", 0):
        # What an earlier fit left is not part of the model.
        estimator.n_samples_seen_ = 3
    estimator.set_callbacks(Attributes()).fit(digits, y)
    names = {name for name in vars(estimator) if name.endswith("_")}
    for epoch, attributes in enumerate(seen, 1):
        found = {name for name in attributes if name.endswith("_")}
        assert found == names
        assert attributes["n_iter_"] == epoch
        assert attributes["loss_curve_"] == estimator.loss_curve_[:epoch]
        curve = estimator.validation_loss_curve_
        assert attributes["validation_loss_curve_"] == (curve and curve[:epoch])
        monitored = (curve or estimator.loss_curve_)[:epoch]
        assert attributes["best_loss_"] <= min(monitored)
    assert len(seen) == 2
    assert seen[-1]["best_loss_"] == estimator.best_loss_


@needs_callbacks
def test_callbacks_can_stop_training(digits):
    recorder = Recorder(stop_after=2)
    assert small_network().set_callbacks(recorder).fit(digits).n_iter_ == 2


@needs_callbacks
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


@needs_callbacks
@pytest.mark.parametrize("kind", ["plain", "variational"])
def test_scoring_monitor_records_the_scores_of_epochs(kind, digits):
    monitor = callback.ScoringMonitor(
        scoring={"ours": lambda estimator, X, y: estimator.score(X)}
    )
    fitted = clone(ESTIMATORS[kind]).set_callbacks(monitor)
    fitted.fit(digits, digits[:, 0])
    log = [entry["ours"] for entry in monitor.get_logs().data if "ours" in entry]
    assert len(log) >= 2
    assert log[1] == pytest.approx(fitted.score(digits), rel=1e-5)


@needs_callbacks
def test_progress_bar_on_a_grid_search_shows_every_level(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    epochs = []

    class Levels(Recorder):
        max_propagation_depth = None

        def on_fit_task_end(self, estimator, context, **kwargs):
            if context.task_name == "epoch":
                epochs.append(names_of_levels(context))

    def names_of_levels(context):
        path = callback_path(context)
        return [(one.estimator_name, one.task_name) for one in path]

    def callback_path(context):
        return [] if context is None else [*callback_path(context.parent), context]

    X = np.random.default_rng(0).normal(size=(40, 4))
    autoencoder = small_network(hidden_layer_sizes=(4,), max_iter=2)
    autoencoder.set_params(early_stopping=False)
    grid = {"autoencodertransformer__alpha": [0.0, 0.1]}
    pipeline = make_pipeline(autoencoder, LogisticRegression())
    search = GridSearchCV(pipeline, grid, cv=2, refit=False)
    bars = callback.ProgressBar(max_propagation_depth=None)
    search.set_callbacks(bars, Levels()).fit(X, X[:, 0] > 0)

    own = "AutoencoderTransformer"
    step = "fit-transform-autoencodertransformer"
    assert len(epochs) == 2 * 2 * 2
    assert epochs[0][:2] == [("GridSearchCV", "fit"), ("GridSearchCV", "search")]
    assert epochs[0][-2:] == [(own, "fit"), (own, "epoch")]
    lines = capsys.readouterr().out.splitlines()
    for line, times in {
        "GridSearchCV - search": 1,
        "GridSearchCV - candidate-split-evaluation | Pipeline - fit": 4,
        f"Pipeline - {step} | {own} - fit": 4,
    }.items():
        found = [one for one in lines if one.strip().startswith(line)]
        assert len(found) == times
        assert all("100%" in one for one in found)


def test_verbose_says_that_pca_was_kept(digits, capsys):
    noise = np.random.default_rng(0).normal(size=(150, 12))
    small_network(verbose=True, n_components=2).fit(noise)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("only training rows gained. Kept PCA: no epoch was better.")
    small_network(verbose=True, **SMALL).fit(digits[:9])
    said = "Kept PCA: 9 rows are too few to compare a network with it.\n"
    assert capsys.readouterr().out == said
    small_network(verbose=True, n_components=3).fit(digits[:20, 18:21])
    said = "Kept PCA: it leaves nothing but rounding errors.\n"
    assert capsys.readouterr().out == said
    small_network(hidden_layer_sizes=(), verbose=True).fit(digits)
    assert capsys.readouterr().out == "Kept PCA: it is the optimum.\n"
