"""Keras callbacks are told of every epoch."""

import pickle

import numpy as np
import pytest
from conftest import small_network
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae import _keras as keras


def custom(n_features, n_components):
    return keras.Sequential(
        [
            keras.layers.Dense(16, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(n_components),
        ]
    )


SMALL = dict(n_components=2, max_iter=2, random_state=0)
ESTIMATORS = {
    "dense": AutoencoderTransformer(hidden_layer_sizes=(8,), **SMALL),
    "labels": AutoencoderTransformer(
        hidden_layer_sizes=(8,), target_weight=0.5, **SMALL
    ),
    "custom": AutoencoderTransformer(encoder=custom, hidden_layer_sizes=(8,), **SMALL),
    "convolutional": ConvolutionalAutoencoderTransformer(
        filters=4, hidden_layer_sizes=(8,), **SMALL
    ),
    "gaussian": VariationalAutoencoderTransformer(hidden_layer_sizes=(8,), **SMALL),
    "bernoulli": VariationalAutoencoderTransformer(
        hidden_layer_sizes=(8,), likelihood="bernoulli", **SMALL
    ),
}


def watching(X):
    """Return a callback that records the model's reconstructions."""

    class Watching(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.rows = []

        def on_train_begin(self, logs=None):
            self.rows.append(self.model.predict(X, verbose=0))

        def on_epoch_end(self, epoch, logs=None):
            self.rows.append(self.model.predict(X, verbose=0))

    return Watching()


def assert_close(found, expected, X):
    assert np.abs(found - expected).max() < 1e-3 * np.abs(X).max()


def watched_and_expected(estimator, X, y=None):
    """Return what the Keras model reconstructs, and what an estimator in mid-fit does.

    The latter is computed without that model.
    """
    callback, expected = watching(X), []
    fitted_so_far = estimator._fitted_attributes

    def record(model, *rest):
        expected.append(model.codec.decode(model.codec.encode(X)))
        return fitted_so_far(model, *rest)

    class Reading:
        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None): ...

    estimator._fitted_attributes = record
    estimator.set_callbacks(callback, Reading()).fit(X, y)
    return callback.rows, expected


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_model_has_the_weights_after_each_epoch(name, digits):
    pytest.importorskip("sklearn.callback")
    X, y = digits / 16, np.arange(len(digits)) % 2
    estimator = clone(ESTIMATORS[name])
    rows, expected = watched_and_expected(estimator, X, y)
    assert len(rows) == 1 + estimator.n_iter_ == 3
    for found, wanted in zip(rows[1:], expected, strict=False):
        assert_close(found, wanted, X)
    assert np.abs(rows[1] - rows[2]).max() > 1e-2
    # Training starts at the linear model.
    if name in ("dense", "custom", "convolutional"):
        pca = PCA(2).fit(X)
        assert_close(rows[0], pca.inverse_transform(pca.transform(X)), X)


def test_rows_that_train_in_other_coordinates_are_seen_as_features():
    pytest.importorskip("sklearn.callback")
    X = np.random.default_rng(0).normal(size=(150, 600))
    estimator = AutoencoderTransformer(2, hidden_layer_sizes=(8,), max_iter=2)
    rows, expected = watched_and_expected(estimator.set_params(random_state=0), X)
    for found, wanted in zip(rows[1:], expected, strict=False):
        assert_close(found, wanted, X)


def test_calls_and_losses_are_those_of_keras(digits):
    calls = []
    history = keras.callbacks.History()
    listener = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: calls.append("train begins"),
        on_epoch_begin=lambda epoch, logs: calls.append(f"{epoch} begins"),
        on_epoch_end=lambda epoch, logs: calls.append(f"{epoch} ends"),
        on_train_end=lambda logs: calls.append("train ends"),
    )
    plain = small_network(max_iter=3).fit(digits)
    fitted = small_network(max_iter=3).set_callbacks(history, listener).fit(digits)
    epochs = [f"{n} {what}" for n in range(3) for what in ("begins", "ends")]
    assert calls == ["train begins", *epochs, "train ends"]
    assert history.history == {
        "loss": fitted.loss_curve_,
        "val_loss": fitted.validation_loss_curve_,
    }
    # They change nothing.
    np.testing.assert_array_equal(fitted.transform(digits), plain.transform(digits))


def test_without_held_out_rows_there_is_no_validation_loss(digits):
    history = keras.callbacks.History()
    small_network(max_iter=2, early_stopping=False).set_callbacks(history).fit(digits)
    assert list(history.history) == ["loss"]


def test_early_stopping_stops(digits):
    # No loss improves by so much.
    stopping = keras.callbacks.EarlyStopping(patience=2, min_delta=10.0)
    fitted = small_network(max_iter=10).set_callbacks(stopping).fit(digits)
    assert fitted.n_iter_ == 3
    assert stopping.stopped_epoch == 2


def test_checkpoints_are_models(digits, tmp_path):
    path = tmp_path / "{epoch}.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(path)
    fitted = small_network(max_iter=2).set_callbacks(checkpoint).fit(digits)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1.keras", "2.keras"]
    model = keras.models.load_model(tmp_path / "2.keras")
    assert_close(model.predict(digits, verbose=0), fitted.reconstruct(digits), digits)


def test_tensorboard_writes_the_losses(digits, tmp_path):
    for needed in ("tensorflow", "tensorboard"):
        pytest.importorskip(needed, reason="TensorBoard writes with TensorFlow")
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
    small_network(max_iter=2).set_callbacks(board).fit(digits)
    folders = {file.parent.name for file in tmp_path.rglob("events.out.*")}
    assert folders == {"train", "validation"}


def test_clones_share_callbacks_and_fitted_pickles_have_none(digits):
    pytest.importorskip("sklearn.callback")
    history = keras.callbacks.History()
    fitted = clone(small_network(max_iter=2).set_callbacks(history)).fit(digits)
    assert len(history.history["loss"]) == 2
    text = pickle.dumps(fitted)
    assert b"keras.src" not in text
    loaded = pickle.loads(text)
    np.testing.assert_array_equal(loaded.transform(digits), fitted.transform(digits))
    loaded.fit(digits)


def test_where_nothing_trains_nothing_is_called(digits):
    history = keras.callbacks.History()
    AutoencoderTransformer(2, hidden_layer_sizes=()).set_callbacks(history).fit(digits)
    assert not hasattr(history, "epoch")


@pytest.mark.parametrize(
    "name",
    ["LearningRateScheduler", "ReduceLROnPlateau", "BackupAndRestore"],
)
def test_callbacks_that_would_change_training_are_refused(name, tmp_path):
    argument = {"LearningRateScheduler": lambda epoch: 0.1}.get(name, str(tmp_path))
    callback = getattr(keras.callbacks, name)(argument)
    with pytest.raises(ValueError, match=f"{name} is not supported"):
        small_network().set_callbacks(callback)
    with pytest.raises(TypeError, match="callbacks must be instances"):
        small_network().set_callbacks(print)
