"""Weights at the start, and scales by which one step changes each comparably."""

import numpy as np
import pytest
from conftest import dense_spec, images, small_network
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer
from skae._backends import HyperParameters, OptimizerSpec, engine, networks
from skae._data import Batch, InMemoryLoader, Scaling
from skae._losses import Objective
from skae._losses.reconstruction import Reconstruction
from skae._networks import (
    WeightScales,
    build_networks,
    initial_weights,
    scales_of_weights,
)
from skae._validation import validate_fit


def encoder(n_features, n_components):
    import keras

    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Dense(8, "silu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(n_components),
        ]
    )


def decoder(n_features, n_components):
    import keras

    codes = keras.Input((n_components,))
    hidden = keras.layers.Dense(8, "silu", kernel_regularizer="l2")(codes)
    return keras.Model(codes, keras.layers.Dense(n_features)(hidden))


@pytest.mark.parametrize(
    "estimator",
    [
        small_network(),
        small_network(skip_connections="dense", hidden_layer_sizes=(8, 6)),
        small_network(encoder=encoder),
        small_network(decoder=decoder),
        small_network(encoder=encoder, decoder=decoder),
        images(3, filters=4, hidden_layer_sizes=(8,)),
    ],
    ids=["dense", "see inputs", "encoder", "decoder", "encoder and decoder", "images"],
)
def test_training_starts_at_pca(estimator, digits):
    rng = np.random.RandomState(0)
    data = validate_fit(estimator, digits, None, None, None, None)
    data = estimator._fit_linear(data, rng)
    start = estimator._trainer(estimator._problem(data), data, rng).start
    networks = start.problem.networks
    rows = (digits - digits.mean(axis=0)) / np.sqrt(digits.var(axis=0).mean())
    rows = np.float32(rows[:300])
    pca = PCA(3).fit(digits)
    codes = networks.encode(start.weights["encoder"], rows)[0]
    # Further units, which other numbers of components need, are zero.
    np.testing.assert_allclose(codes[:, :3], rows @ pca.components_.T, atol=1e-4)
    np.testing.assert_array_equal(codes[:, 3:], 0)
    restored = networks.decode(start.weights["decoder"], codes)[0]
    expected = rows @ pca.components_.T @ pca.components_
    np.testing.assert_allclose(restored, expected, atol=1e-4)


def test_without_linear_path_weights_are_those_of_glorot():
    networks = build_networks(dense_spec(300, 4, (200,), linear_path=False))
    rng = np.random.RandomState(0)
    weights = initial_weights(networks, None, WeightScales(1.0), rng)
    kernel, bias, *_ = weights["encoder"][0]
    limit = np.sqrt(6 / (300 + 200))
    np.testing.assert_array_equal(bias, 0)
    assert 0.99 * limit < kernel.max() <= limit
    assert -limit <= kernel.min() < -0.99 * limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.01)


def relative_error(model, X, train):
    """Return the squared error of a model's reconstructions relative to PCA's."""
    pca = PCA(model.n_components_).fit(train)
    errors = [
        np.square(X - one.inverse_transform(one.transform(X))).sum()
        for one in (model, pca)
    ]
    return errors[0] / errors[1]


@pytest.mark.slow
def test_a_network_is_better_than_pca_beside_a_dominant_feature():
    # PCA leaves a millionth of the variance. With weights that are not rescaled, a
    # network is not better.
    train, test = train_test_split(load_breast_cancer().data, random_state=0)
    model = AutoencoderTransformer(8, hidden_layer_sizes=128, random_state=0)
    assert relative_error(model.fit(train), test, train) < 0.6


SCALES = WeightScales(
    0.1, np.float32([1, 2, 0.5, 8]), np.float32([4, 1]), np.float32(0.25)
)
RATE = np.float32(2**-10)
SPEC = dense_spec(4, 2, (6, 5), "tanh")


def first_step(identifier, scales=None, alpha=0.0):
    """Return the weights and their changes in the first optimizer step."""
    parameters = {"loss": "mean_squared_error"}
    objective = Objective.of((Reconstruction,), parameters, SPEC)
    trainer = engine(SPEC, objective, OptimizerSpec.of(identifier)[0])
    rng = np.random.default_rng(0)
    models = networks(SPEC)
    encoder, decoder = (
        [np.float32(rng.normal(size=v.shape)) for v in model.trainable_variables]
        for model in (models.encoder, models.decoder)
    )
    rows = Batch(np.float32(rng.normal(size=(32, 4))))
    loader = InMemoryLoader.of(rows, Scaling.none(4), 32, trainer.place)
    (block,) = loader.in_order(np.arange(32))
    # Scales of one change nothing.
    scales = scales or WeightScales(1.0, *map(np.float32, ([1] * 4, [1, 1], 1)))
    hyper = HyperParameters(
        ((),),
        alpha=np.float32(alpha),
        residual=np.float32(scales.residual),
        weight_scales=scales_of_weights(models, scales),
    )
    state = trainer.init({"encoder": (encoder, []), "decoder": (decoder, [])})
    (after, _), _ = trainer.train(state, block, RATE[None], np.uint32(0), hyper)
    after = trainer.fetch(after)
    after = [*after["encoder"][0], *after["decoder"][0]]
    weights = encoder + decoder
    return weights, [new - old for new, old in zip(after, weights, strict=True)]


def test_gradient_descent_is_scaled_by_the_squares_of_the_scales():
    # For w = s v, the gradient of v is s times that of w. A step of v changes w by s
    # times this step. The penalty shrinks v and w by the same factor.
    alpha = 0.5
    weights, steps = first_step("sgd", SCALES, alpha)
    _, plain = first_step("sgd")
    for weight, found, step, scale, shrinks in zip(
        weights,
        steps,
        plain,
        scales_of_weights(networks(SPEC), SCALES),
        networks(SPEC).penalised,
        strict=True,
    ):
        expected = scale**2 * step / SCALES.residual**2
        expected = expected - RATE * alpha * shrinks * weight
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-6)


def test_the_first_step_of_adam_is_proportional_to_the_scale():
    _, steps = first_step("adam", SCALES)
    scales = scales_of_weights(networks(SPEC), SCALES)
    for found, scale in zip(steps, scales, strict=True):
        expected = np.broadcast_to(RATE * scale, found.shape)
        np.testing.assert_allclose(np.abs(found), expected, rtol=1e-2)


@pytest.mark.parametrize("see_inputs", [False, True])
def test_weight_scales_compensate_scaled_inputs_and_outputs(see_inputs):
    # If an input is doubled and its weights are halved, the network computes the same.
    # If the weights of an output are doubled, the output is doubled.
    models = build_networks(dense_spec(4, 2, (6, 5), see_inputs=see_inputs))
    rng = np.random.default_rng(0)
    drawn = [
        [np.float32(rng.normal(size=v.shape)) for v in model.trainable_variables]
        for model in (models.encoder, models.decoder)
    ]
    scales = iter(scales_of_weights(models, SCALES))
    scaled = [[weight * next(scales) for weight in weights] for weights in drawn]
    X, Z = np.float32(rng.normal(size=(5, 4))), np.float32(rng.normal(size=(5, 2)))
    plain = models.encode((drawn[0], []), X)[0], models.decode((drawn[1], []), Z)[0]
    found = (
        models.encode((scaled[0], []), X * SCALES.rows)[0],
        models.decode((scaled[1], []), Z * SCALES.codes)[0],
    )
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_allclose(one, np.asarray(other) / 0.25, rtol=1e-5, atol=1e-5)


def test_deviations_equal_those_of_probabilistic_pca():
    # The deviations are powers of two, so nothing is rounded.
    scales = WeightScales.of(np.eye(3)[:2], np.array([15.9375, 3.9375]), 0.0625)
    np.testing.assert_array_equal(scales.rows, [4, 2, 0.25])
    np.testing.assert_array_equal(scales.codes, [4, 2])
    assert scales.residual == 0.25


def test_pca_is_kept_if_float32_is_too_coarse():
    # The features are identifiers in the millions and a curve. PCA's error is larger in
    # float32 than in float64. A network can be better than the first and worse than the
    # second.
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 130, 2000)
    identifiers = 1e4 * groups + rng.uniform(0, 30, 2000)
    phases = 3 * rng.normal(size=(2000, 1)) + np.linspace(0, 3, 20)
    small = 100 * np.sin(phases) + 10 * rng.normal(size=(2000, 20))
    X = np.c_[100 * identifiers, identifiers, small]
    model = small_network(n_components=4).fit(X[:1500])
    assert model.start_loss_ < 1e-7
    assert relative_error(model, X[1500:], X[:1500]) < 1 + 1e-6


@pytest.mark.parametrize("spread", [0, 1e-10, 1e-6], ids="spread {}".format)
@pytest.mark.parametrize("weight", [0, 0.5], ids="labels {}".format)
def test_units_do_not_matter_where_features_are_nearly_constant(spread, weight, digits):
    # Three pixels of the digits are constant. Whatever rounding leaves of such a
    # feature depends on the units.
    X, y = digits[:600].copy(), load_digits().target[:600]
    X[:, 0] = 0.1 + spread * np.random.default_rng(0).normal(size=600)
    estimator = small_network(n_components=3, max_iter=15, target_weight=weight)
    expected = clone(estimator).fit(X, y)
    assert expected.selected_model_ == "network"
    for factor, shift in ((3, 0), (1000, 0), (1 / 7, 0), (1, 7)):
        rows = factor * X + shift
        fitted = clone(estimator).fit(rows, y)
        assert fitted.selected_model_ == "network"
        codes = fitted.transform(rows) / factor
        np.testing.assert_allclose(codes, expected.transform(X), atol=1e-3)
