"""Keras optimizers as pure functions, with weights packed into vectors or not."""

import numpy as np
import pytest
from conftest import small_network

from skae import _keras as keras
from skae._engines import OptimizerSpec, _packed_optimizer, engine
from skae._engines._packed_optimizer import PackedOptimizer

ELEMENTWISE = ["sgd", "rmsprop", "adam", "adamw", "adamax", "nadam", "lion"]
OTHERS = ["adafactor", keras.optimizers.Adam(clipnorm=1.0)]


def tensors(arrays):
    return [keras.ops.convert_to_tensor(array) for array in arrays]


@pytest.fixture
def variables():
    return [keras.Variable(np.zeros(shape)) for shape in [(3, 4), (4,), (4, 2), (2,)]]


@pytest.mark.parametrize("identifier", ELEMENTWISE + OTHERS)
def test_unpacking_returns_the_packed_weights(identifier, variables):
    spec, _ = OptimizerSpec.of(identifier)
    optimizer = PackedOptimizer(
        spec, variables, [True, False, True, False], may_pack=True
    )
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=v.shape).astype(np.float32) for v in variables]
    packed = optimizer.pack(tensors(arrays))
    assert len(packed) == (2 if identifier in ELEMENTWISE else 4)
    for array, expected in zip(optimizer.unpack(packed), arrays, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(array), expected)


@pytest.mark.parametrize("identifier", [*ELEMENTWISE, *OTHERS])
def test_packing_does_not_change_training(identifier, digits, monkeypatch):
    curves = []
    for most_packed in (0, 10**9):
        monkeypatch.setattr(_packed_optimizer, "MOST_PACKED", most_packed)
        engine.cache_clear()
        estimator = small_network(
            max_iter=3, optimizer=identifier, learning_rate=1e-3, alpha=1e-2
        )
        curves.append(estimator.fit(digits).loss_curve_)
    engine.cache_clear()
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-5)


def test_the_penalty_is_half_of_alpha_times_the_squared_weights(variables):
    # A gradient step at rate 1 on alpha / 2 * w^2 gives (1 - alpha) w.
    spec, _ = OptimizerSpec.of("sgd")
    for may_pack in (True, False):
        optimizer = PackedOptimizer(
            spec, variables, [True, False, True, False], may_pack
        )
        weights = [np.full(v.shape, 2.0, np.float32) for v in variables]
        packed = optimizer.pack(tensors(weights))
        nothing = optimizer.pack(tensors([np.zeros_like(w) for w in weights]))
        stepped, _ = optimizer.step(
            tensors(optimizer.initial_state), nothing, packed, 0.0, 1.0, 0.25
        )
        means = [
            keras.ops.convert_to_numpy(array).mean()
            for array in optimizer.unpack(stepped)
        ]
        np.testing.assert_allclose(means, [1.5, 2.0, 1.5, 2.0])
