"""Keras optimizers as pure functions, with weights packed into vectors or not."""

import copy
from contextlib import nullcontext

import numpy as np
import pytest
from conftest import small_network

from skae import AutoencoderTransformer
from skae import _keras as keras
from skae._backends import OptimizerChoice, OptimizerSpec
from skae._backends._optimizer import PackedOptimizer

ELEMENTWISE = ["sgd", "rmsprop", "adam", "adamw", "adamax", "nadam", "lion"]
OTHERS = ["adagrad", "adadelta", "adafactor", keras.optimizers.Adam(clipnorm=1.0)]
if hasattr(keras.optimizers, "Muon"):
    OTHERS.append("muon")
PENALISED = [True, False, True, False]


def tensors(arrays):
    return [keras.ops.convert_to_tensor(array) for array in arrays]


def arrays_of(tensors):
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


def optimizer_kind():
    """Return the class that the engine of Keras' backend uses."""
    if keras.config.backend() == "tensorflow":
        from skae._backends._tensorflow import TensorFlowOptimizer

        return TensorFlowOptimizer
    return PackedOptimizer


@pytest.fixture
def variables():
    return [
        keras.Variable(np.zeros(shape, np.float32))
        for shape in [(3, 4), (4,), (4, 2), (2,)]
    ]


def no_gradients():
    """Keep PyTorch from recording what is computed inside."""
    if keras.config.backend() != "torch":
        return nullcontext()
    import torch

    return torch.no_grad()


@pytest.mark.parametrize("identifier", ELEMENTWISE + OTHERS)
def test_steps_are_those_of_keras(identifier, variables):
    """Small networks keep their weights in two vectors. That changes no step."""
    spec, _ = OptimizerSpec.of(identifier)
    optimizer = optimizer_kind()(spec, variables, PENALISED, may_pack=True)
    rng = np.random.default_rng(0)
    shapes = [variable.shape for variable in variables]
    weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    packed = optimizer.pack(tensors(weights))
    assert len(packed) == (2 if identifier in ELEMENTWISE else 4)
    for array, expected in zip(
        arrays_of(optimizer.unpack(packed)), weights, strict=True
    ):
        np.testing.assert_array_equal(array, expected)

    expected = [keras.Variable(weight) for weight in weights]
    reference = keras.optimizers.get(identifier)
    if identifier is reference:
        reference = type(reference).from_config(reference.get_config())
    reference.build(expected)
    state, alpha = tensors(optimizer.initial_state), 0.25
    for rate in (0.1, 0.05, 0.01):
        gradients = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
        with no_gradients():
            packed, state = optimizer.step(
                state, optimizer.pack(tensors(gradients)), packed, 0.5, rate, alpha
            )
            reference.learning_rate = rate
            with_penalty = [
                gradient + penalised * alpha * weight
                for gradient, penalised, weight in zip(
                    gradients, PENALISED, arrays_of(expected), strict=True
                )
            ]
            reference.apply(tensors(with_penalty), expected)
        for found, one in zip(
            arrays_of(optimizer.unpack(packed)), arrays_of(expected), strict=True
        ):
            np.testing.assert_allclose(found, one, rtol=1e-5, atol=1e-6)


def test_the_penalty_is_half_of_alpha_times_the_squared_weights(variables):
    # A gradient step at rate 1 on alpha / 2 * w^2 gives (1 - alpha) w.
    spec, _ = OptimizerSpec.of("sgd")
    for may_pack in (True, False):
        optimizer = optimizer_kind()(spec, variables, PENALISED, may_pack)
        weights = [np.full(v.shape, 2.0, np.float32) for v in variables]
        packed = optimizer.pack(tensors(weights))
        nothing = optimizer.pack(tensors([np.zeros_like(w) for w in weights]))
        stepped, _ = optimizer.step(
            tensors(optimizer.initial_state), nothing, packed, 0.0, 1.0, 0.25
        )
        means = [array.mean() for array in arrays_of(optimizer.unpack(stepped))]
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
    optimizer = optimizer_kind()(spec, variables, [True, False], may_pack=True)
    weights = [np.full(v.shape, 2.0, np.float32) for v in variables]
    stepped, _ = optimizer.step(
        tensors(optimizer.initial_state),
        optimizer.pack(tensors([np.zeros_like(weight) for weight in weights])),
        optimizer.pack(tensors(weights)),
        0.0,
        1.0,
        np.float32(0),
    )
    means = [array.mean() for array in arrays_of(optimizer.unpack(stepped))]
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
    optimizer = optimizer_kind()(spec, variables, [False], may_pack=True)
    state, weights = (
        tensors(optimizer.initial_state),
        tensors([np.zeros(3, np.float32)]),
    )
    ones = tensors([np.ones(3, np.float32)])
    for expected in (-1.0, -1.5):
        weights, state = optimizer.step(state, ones, weights, 0.0, 1.0, np.float32(0))
        np.testing.assert_allclose(keras.ops.convert_to_numpy(weights[0]), expected)


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
        small_network(optimizer=optimizer(keras.optimizers)).fit(digits[:40])


@pytest.mark.skipif(
    not hasattr(keras.optimizers, "ScheduleFreeAdamW"), reason="Keras is older"
)
def test_an_optimizer_that_evaluates_other_weights_is_refused():
    with pytest.raises(ValueError, match="ScheduleFreeAdamW is not supported"):
        OptimizerSpec.of("schedulefreeadamw")


def test_a_schedule_of_the_users_needs_to_be_registered(digits):
    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.01

        def get_config(self):
            return {}

    with pytest.raises(ValueError, match="register_keras_serializable"):
        small_network(optimizer=keras.optimizers.Adam(Schedule())).fit(digits)


@pytest.mark.jax
@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "adagrad", "adadelta", "adafactor"])
def test_optimizers_given_by_name_have_a_rate_that_leaves_pca(name, digits):
    # PCA explains 0.403. The weights of hidden layers have no gradient in the first
    # step, by which Adafactor would divide.
    assert small_network(optimizer=name).fit(digits).score(digits) > 0.44


@pytest.mark.parametrize("name", ["nadam", "muon"])
def test_any_keras_optimizer_lowers_the_loss(name, digits):
    if name not in ELEMENTWISE + OTHERS:
        pytest.skip(f"Keras {keras.__version__} does not have {name}")
    curve = small_network(optimizer=name, max_iter=3).fit(digits).loss_curve_
    assert curve[-1] < curve[0]


def test_optimizer_instances_keep_their_rate_and_state(digits):
    adam = keras.optimizers.Adam(5e-3)
    fitted = small_network(optimizer=adam, max_iter=3).fit(digits)
    assert int(adam.iterations.value) == 0
    assert not adam.built
    again = small_network(optimizer=keras.optimizers.Adam(5e-3), max_iter=3)
    again.fit(digits)
    np.testing.assert_array_equal(fitted.transform(digits), again.transform(digits))
    still = small_network(optimizer=keras.optimizers.Adam(1e-12), max_iter=3)
    curve = still.fit(digits).loss_curve_
    np.testing.assert_allclose(curve, curve[0], rtol=1e-3)
    # The parameter learning_rate overrides the rate of the instance.
    moved = still.set_params(learning_rate=5e-3).fit(digits).loss_curve_
    assert moved[-1] < 0.95 * moved[0]


@pytest.mark.filterwarnings("error::DeprecationWarning")
@pytest.mark.parametrize("schedule", [False, True])
def test_a_fit_with_an_optimizer_instance_does_not_warn(schedule, digits):
    # NumPy 2 warns of what Keras' variables do to become arrays.
    rate = 1e-3
    if schedule:
        rate = keras.optimizers.schedules.ExponentialDecay(rate, 10, 0.5)
    adam = keras.optimizers.Adam(rate, beta_1=0.8)
    before = dict(vars(adam))
    fitted = small_network(optimizer=adam, max_iter=2).fit(digits)
    assert fitted.encoder_.count_params() > 0
    assert vars(adam) == before


def test_the_schedule_of_an_optimizer_is_used(digits):
    frozen = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.0, 0.0])
    fitted = small_network(optimizer=keras.optimizers.Adam(frozen), max_iter=3)
    curve = fitted.fit(digits).loss_curve_
    np.testing.assert_allclose(curve, curve[0], rtol=1e-3)


@pytest.mark.parametrize(
    "parameters",
    [
        dict(optimizer="sgd", learning_rate=0.002),
        dict(optimizer=keras.optimizers.SGD(), learning_rate="auto"),
        dict(optimizer="adagrad", learning_rate=0.006),
    ],
)
def test_a_rate_with_which_training_ends_as_pca_warns(parameters):
    with pytest.warns(UserWarning, match="is small for .* rates of about"):
        OptimizerChoice.of(parameters).warn_if_slow()


def test_a_fit_warns_of_a_small_rate(digits):
    with pytest.warns(UserWarning, match=r"learning_rate=0\.002 is small for SGD"):
        small_network(max_iter=1, optimizer="sgd", learning_rate=0.002).fit(digits)


def test_a_dict_that_describes_an_optimizer_stays_as_it_is():
    given = keras.optimizers.serialize(keras.optimizers.Nadam(0.01))
    before = copy.deepcopy(given)
    estimator = AutoencoderTransformer(1, optimizer=given, max_iter=1)
    estimator.fit(np.random.default_rng(0).normal(size=(30, 4)))
    assert given == before
