"""JAX: whole epochs in one program, on several devices, in full precision."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import dense_spec, on_grid, run
from test_backend_base import SCHEDULE, Adam, engine_of, training_data

from skae import AutoencoderTransformer
from skae import _keras as keras
from skae._backends import HyperParameters, _jax, engine, networks
from skae._backends._jax import has_convolutions, in_full_precision
from skae._data import Batch, InMemoryLoader, Scaling, Split
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
    [(0.5, None, 128), (0.0, normalised, 150)],
    ids=["dropout", "batch normalisation, last batch of 22 rows"],
)
def test_a_compiled_epoch_equals_keras_called_batch_by_batch(dropout, encoder, n_rows):
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
    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
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
            (value, states), gradients = step(values, states, rows[batch])
            flat = dict(zip(trainable, jax.tree.leaves(gradients), strict=True))
            adam.step(trainable, flat, rate)
            total += float(value) * len(batch)
        curve.append(total / n_rows)

    np.testing.assert_allclose(result.history.loss_curve, curve, rtol=1e-5)
    assert result.history.loss_curve == again.history.loss_curve
    assert curve[-1] == min(curve)
    for side, kept in zip(sides, states, strict=True):
        for number, value in enumerate(result.weights[side][0]):
            np.testing.assert_allclose(value, trainable[side + str(number)], atol=1e-5)
        for value, expected in zip(result.weights[side][1], kept, strict=True):
            np.testing.assert_allclose(value, expected, atol=1e-5)


def convolutional_encoder(n_features, n_components):
    rows = keras.Input((n_features,))
    images = keras.layers.Reshape((8, 8, 1))(rows)
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(images)
    codes = keras.layers.Dense(n_components)(keras.layers.Flatten()(hidden))
    return keras.Model(rows, codes)


@pytest.mark.slow
def test_a_call_for_each_batch_gives_the_result_of_a_compiled_epoch(
    digits, monkeypatch
):
    # Networks with convolutions need a call for each batch. With so few rows, six
    # models train at the same time.
    found = []
    for answer in (True, False):
        engine.cache_clear()
        monkeypatch.setattr(
            _jax, "has_convolutions", lambda networks, answer=answer: answer
        )
        fitted = AutoencoderTransformer(
            3,
            hidden_layer_sizes=(8,),
            encoder=convolutional_encoder,
            max_iter=3,
            random_state=0,
        ).fit(digits[:300])
        found.append((fitted.loss_curve_, fitted.validation_loss_curve_))
    engine.cache_clear()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


def test_convolutions_are_found_in_custom_networks():
    own = dense_spec(64, 3, (8,), encoder=CustomLayers(convolutional_encoder))
    for spec, expected in ((own, True), (dense_spec(64, 3, (8,)), False)):
        assert has_convolutions(build_networks(spec)) == expected


ON_TWO_DEVICES = """
import jax, numpy as np
from sklearn.datasets import load_digits
from skae import AutoencoderTransformer
from skae._data import Batch
from skae._backends._jax import FEWEST_ROWS, JaxEngine, over_devices

assert len(jax.devices()) == 2
found = {}
for n_rows in (2 * FEWEST_ROWS, 2 * FEWEST_ROWS + 1, 2 * FEWEST_ROWS - 2):
    rows = np.zeros((n_rows, 3), np.float32)
    shared = jax.jit(lambda rows: over_devices(Batch(rows)).input + 1)(rows)
    found[n_rows] = len(shared.devices())
assert list(found.values()) == [2, 1, 1], found

X = np.resize(load_digits().data, (4500, 64))
X += np.random.default_rng(0).normal(size=X.shape)
n_devices, evaluate = [], JaxEngine.row_losses

def look(self, weights, *arguments):
    trained = [one for one in jax.tree.leaves(weights) if isinstance(one, jax.Array)]
    n_devices.extend(len(one.devices()) for one in trained)
    return evaluate(self, weights, *arguments)

JaxEngine.row_losses = look

def losses(batch_size):
    n_devices.clear()
    model = AutoencoderTransformer(
        3, hidden_layer_sizes=(16,), max_iter=3, random_state=0, dropout=0.2,
        corruption="masking", batch_size=batch_size,
    ).fit(X)
    return max(n_devices), np.array(model.loss_curve_ + model.validation_loss_curve_)

with jax.default_device(jax.devices()[0]):
    on_one, expected = losses(2 * FEWEST_ROWS)
on_two, found = losses(2 * FEWEST_ROWS)
of_few, _ = losses(512)
assert (on_one, on_two, of_few) == (1, 2, 1)
np.testing.assert_allclose(found, expected, rtol=1e-5)
print("ok")
"""


@pytest.mark.weekly
@pytest.mark.slow
def test_large_batches_are_shared_between_two_devices_with_equal_losses(tmp_path):
    result = run(
        ON_TWO_DEVICES,
        XLA_FLAGS="--xla_force_host_platform_device_count=2 "
        + os.environ.get("XLA_FLAGS", ""),
        KERAS_HOME=str(tmp_path),
        KERAS_BACKEND="jax",
    )
    assert result.stdout == "ok\n", result.stderr


@pytest.mark.parametrize("setting", [None, "bfloat16"])
def test_matrix_products_have_full_precision_with_any_setting_of_jax(setting):
    def product(left, right):
        return left @ right

    rows = jnp.ones((3, 3), jnp.float32)
    with jax.default_matmul_precision(setting):
        assert "HIGHEST" in in_full_precision(product).lower(rows, rows).as_text()
        assert "HIGHEST" not in jax.jit(product).lower(rows, rows).as_text()
        assert jax.config.jax_default_matmul_precision == setting


def test_an_engine_evaluates_in_full_precision_and_trains_in_any():
    spec = dense_spec(4, 2, (3,))
    trainer = engine_of(spec)
    ones = WeightScales(1.0)
    weights = initial_weights(networks(spec), None, ones, np.random.RandomState(0))
    rows = Batch(np.zeros((32, 4), np.float32))
    loader = InMemoryLoader.of(rows, Scaling.none(4), 32, trainer.place)
    (block,) = loader.in_order(np.arange(32))
    hyper, rates = HyperParameters(((),)), np.ones(1, np.float32)
    batches = trainer._batches
    with jax.default_matmul_precision("bfloat16"):
        evaluated = batches.evaluate.lower(block, weights, hyper).as_text()
        state, seed = trainer.init(weights), np.uint32(0)
        trained = batches.train.lower(block, state, rates, seed, hyper).as_text()
    assert "HIGHEST" in evaluated
    assert "HIGHEST" not in trained
