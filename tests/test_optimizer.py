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


@pytest.mark.filterwarnings("ignore:learning_rate=0.001 is small")
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


def excluded(optimizer, **which):
    optimizer.exclude_from_weight_decay(**which)
    return optimizer


def test_biases_can_be_excluded_from_weight_decay():
    # Without a gradient, a step of SGD at rate 1 leaves (1 - weight_decay) w.
    variables = [
        keras.Variable(np.zeros((3, 4)), name="kernel"),
        keras.Variable(np.zeros(4), name="bias"),
    ]
    sgd = excluded(keras.optimizers.SGD(1.0, weight_decay=0.25), var_names=["bias"])
    spec, _ = OptimizerSpec.of(sgd)
    optimizer = PackedOptimizer(spec, variables, [True, False], may_pack=True)
    weights = [np.full(v.shape, 2.0, np.float32) for v in variables]
    stepped, _ = optimizer.step(
        optimizer.initial_state,
        optimizer.pack([np.zeros_like(weight) for weight in weights]),
        optimizer.pack(weights),
        0.0,
        1.0,
        np.float32(0),
    )
    means = [np.asarray(array).mean() for array in optimizer.unpack(stepped)]
    np.testing.assert_allclose(means, [1.5, 2.0])
    # Neither a shared program nor the estimator forgets it.
    other, _ = OptimizerSpec.of(keras.optimizers.SGD(1.0, weight_decay=0.25))
    assert spec != other
    assert spec.with_constant_rate() != other.with_constant_rate()


def test_an_average_replaces_the_weights_after_so_many_steps():
    # After two steps of SGD at rate 1 with gradients of 1 the weights are -1 and -2.
    # With a momentum of 0.5 their average is -1.5.
    variables = [keras.Variable(np.zeros(3))]
    spec, _ = OptimizerSpec.of(
        keras.optimizers.SGD(
            1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
        )
    )
    optimizer = PackedOptimizer(spec, variables, [False], may_pack=True)
    state, weights = optimizer.initial_state, [np.zeros(3, np.float32)]
    for expected in (-1.0, -1.5):
        ones = [np.ones(3, np.float32)]
        weights, state = optimizer.step(state, ones, weights, 0.0, 1.0, np.float32(0))
        np.testing.assert_allclose(weights[0], expected)


def rate():
    return 0.01


# Keras warns that functions without a name are not safe.
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lambda o: o.Adam(use_ema=True), "use_ema=True .* ema_overwrite_frequency"),
        (lambda o: o.Adam(loss_scale_factor=8.0), r"loss_scale_factor=8\.0"),
        (lambda o: o.LossScaleOptimizer(o.Adam()), "LossScaleOptimizer .* inner"),
        (lambda o: o.Adam(lambda: 0.01), "learning rate must be|learning_rate of"),
        (lambda o: o.Adam(rate), "learning_rate of the optimizer must be a number"),
        (lambda o: o.Ftrl(0.1), "optimizer=Ftrl is not supported"),
        (lambda o: "ftrl", "optimizer=Ftrl is not supported"),
        (
            lambda o: excluded(
                o.AdamW(), var_list=[keras.Variable(np.zeros(2), name="own")]
            ),
            r"var_list=\.\.\.\) .* Give var_names",
        ),
    ],
)
def test_settings_that_training_cannot_honour_are_refused(optimizer, message, digits):
    with pytest.raises(ValueError, match=message):
        small_network(optimizer=optimizer(keras.optimizers)).fit(digits)
    if hasattr(keras.optimizers, "ScheduleFreeAdamW"):
        with pytest.raises(ValueError, match="ScheduleFreeAdamW is not supported"):
            small_network(optimizer="schedulefreeadamw").fit(digits)


def test_a_schedule_of_the_users_needs_to_be_registered(digits):
    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.01

        def get_config(self):
            return {}

    with pytest.raises(ValueError, match="register_keras_serializable"):
        small_network(optimizer=keras.optimizers.Adam(Schedule())).fit(digits)


@pytest.mark.parametrize("name", ["sgd", "adagrad", "adadelta", "adafactor"])
def test_optimizers_given_by_name_have_a_rate_that_leaves_pca(name, digits):
    # PCA explains 0.403.
    assert small_network(optimizer=name).fit(digits).score(digits) > 0.44


@pytest.mark.parametrize(
    "parameters",
    [
        dict(optimizer="sgd", learning_rate=0.002),
        dict(optimizer=keras.optimizers.SGD()),
        dict(optimizer="adagrad", learning_rate=0.006),
    ],
)
def test_a_rate_with_which_training_ends_as_pca_warns(parameters, digits):
    with pytest.warns(UserWarning, match="is small for .* rates of about"):
        small_network(max_iter=1, **parameters).fit(digits)


def test_adafactor_trains_weights_without_a_gradient(digits):
    # The factor after the user's layers starts at zero, and so do their gradients.
    def encoder(n_features, n_components):
        return keras.Sequential(
            [keras.layers.Dense(16, "relu"), keras.layers.Dense(n_components)]
        )

    fitted = small_network(encoder=encoder, optimizer="adafactor", max_iter=5)
    assert np.isfinite(fitted.fit(digits).loss_curve_).all()
    assert fitted.n_iter_ == 5
