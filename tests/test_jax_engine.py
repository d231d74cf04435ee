"""The JAX engine gives the results of Keras, called batch by batch."""

import jax
import numpy as np
import pytest
from conftest import dense_spec
from test_keras_engine import SCHEDULE, Adam, engine_of, training_data

from skae import AutoencoderTransformer
from skae import _keras as keras
from skae._data import Split, on_grid
from skae._engines import engine, networks
from skae._engines.jax import _engine
from skae._networks import (
    CustomLayers,
    WeightScales,
    build_networks,
    initial_weights,
)
from skae._training import Phase, train

pytestmark = pytest.mark.jax


def normalised(*, n_features, n_components):
    """Return an encoder with batch normalisation."""
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            # The gradient of a bias would consist of rounding errors only. Adam would
            # turn these into steps.
            keras.layers.Dense(10, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("tanh"),
            keras.layers.Dense(n_components),
        ]
    )


@pytest.mark.parametrize(
    ("dropout", "encoder", "n_rows"),
    [(0.5, None, 128), (0.0, normalised, 120), (0.0, normalised, 150)],
    ids=[
        "dropout",
        "batch normalisation",
        "batch normalisation, last batch of 22 rows",
    ],
)
def test_the_fused_loop_equals_keras_called_batch_by_batch(dropout, encoder, n_rows):
    # The rows are not digits. If a pixel is blank in a whole batch, its gradient has
    # rounding errors only.
    rows = on_grid(np.random.default_rng(0).normal(size=(n_rows, 64)))
    own = {} if encoder is None else {"encoder": CustomLayers(encoder)}
    spec = dense_spec(64, 5, (12,), "tanh", linear_path=False, dropout=dropout, **own)
    trainer, models = engine_of(spec), networks(spec)
    start = initial_weights(models, None, WeightScales(1.0), np.random.RandomState(0))
    split = Split([np.arange(n_rows)], [np.arange(0)], np.arange(n_rows), n_rows)
    phases = [Phase(training_data(trainer, rows, split, 32, 0.0), SCHEDULE)]
    result = train(trainer, start, phases, np.random.RandomState(2))
    again = train(trainer, start, phases, np.random.RandomState(2))

    def loss(trainable, states, batch):
        codes, kept = models.encoder.stateless_call(
            trainable[0], states[0], batch, training=True
        )
        outputs, kept_too = models.decoder.stateless_call(
            trainable[1], states[1], codes, training=True
        )
        return ((outputs - batch) ** 2).mean(), (kept, kept_too)

    rng, adam, curve = np.random.RandomState(2), Adam(), []
    sides = ("encoder", "decoder")
    trainable = {
        side + str(number): value
        for side in sides
        for number, value in enumerate(start[side][0])
    }
    states = [start[side][1] for side in sides]
    for epoch in range(3):
        rng.randint(2**32, dtype=np.uint32)
        order = rng.permutation(n_rows)
        batches = np.split(order, range(32, n_rows, 32))
        total = 0.0
        for batch, rate in zip(
            batches, SCHEDULE.rates(epoch, len(batches)), strict=True
        ):
            values = [
                [trainable[name] for name in trainable if name.startswith(side)]
                for side in sides
            ]
            (value, states), gradients = jax.value_and_grad(loss, has_aux=True)(
                values, states, rows[batch]
            )
            flat = dict(zip(trainable, jax.tree.leaves(gradients), strict=True))
            adam.step(trainable, flat, rate)
            total += float(value) * len(batch)
        curve.append(total / n_rows)

    np.testing.assert_allclose(result.loss_curve, curve, rtol=1e-5)
    assert result.loss_curve == again.loss_curve
    assert curve[-1] == min(curve)
    for side, kept in zip(sides, states, strict=True):
        for number, value in enumerate(result.weights[side][0]):
            np.testing.assert_allclose(value, trainable[side + str(number)], atol=1e-5)
        for value, expected in zip(result.weights[side][1], kept, strict=True):
            np.testing.assert_allclose(value, expected, atol=1e-5)


def convolutional_encoder(n_features, n_components):
    import keras

    rows = keras.Input((n_features,))
    images = keras.layers.Reshape((8, 8, 1))(rows)
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(images)
    codes = keras.layers.Dense(n_components)(keras.layers.Flatten()(hidden))
    return keras.Model(rows, codes)


@pytest.mark.parametrize("n_samples", [1100, 300])
def test_a_call_for_each_batch_gives_the_result_of_the_fused_loop(
    n_samples, digits, monkeypatch
):
    # Networks with convolutions need a call for each batch. With 1100 rows one model
    # trains, with 300 rows six models train.
    found = []
    for answer in (True, False):
        engine.cache_clear()
        monkeypatch.setattr(
            _engine, "has_convolutions", lambda networks, answer=answer: answer
        )
        fitted = AutoencoderTransformer(
            3, encoder=convolutional_encoder, max_iter=3, random_state=0
        ).fit(digits[:n_samples])
        found.append((fitted.loss_curve_, fitted.validation_loss_curve_))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_convolutions_are_found_in_custom_networks():
    own = dense_spec(64, 3, (8,), encoder=CustomLayers(convolutional_encoder))
    for spec, expected in ((own, True), (dense_spec(64, 3, (8,)), False)):
        assert _engine.has_convolutions(build_networks(spec)) == expected
