"""Weights are rescaled so that one step changes each by a comparable amount."""

import numpy as np
import pytest
from conftest import dense_spec
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer
from skae._data import Batch, Resident, Scaling
from skae._engines import HyperParameters, OptimizerSpec, engine, networks
from skae._networks import WeightScales, build_networks
from skae._objective import Objective
from skae._objective.reconstruction import Reconstruction


def relative_error(model, X, train):
    """Return the squared error of a model's reconstructions relative to PCA's."""
    pca = PCA(model.n_components_).fit(train)
    errors = [
        np.square(X - codec.inverse_transform(codec.transform(X))).sum()
        for codec in (model, pca)
    ]
    return errors[0] / errors[1]


@pytest.mark.parametrize("n_components", [4, 8])
def test_a_network_is_better_than_pca_beside_a_dominant_feature(n_components):
    # 4 components leave a ten-thousandth of the variance, 8 leave a millionth.
    X = load_breast_cancer().data
    train, test = train_test_split(X, random_state=0)
    model = AutoencoderTransformer(n_components, random_state=0).fit(train)
    assert relative_error(model, test, train) < 0.6


SCALES = WeightScales(
    0.1, np.float32([1, 2, 0.5, 8]), np.float32([4, 1]), np.float32(0.25)
)
RATE = np.float32(2**-10)
SPEC = dense_spec(4, 2, (6, 5), "tanh")


def first_step(identifier, scales=None, alpha=0.0):
    """Return the weights and their changes in the first optimizer step."""
    objective = Objective((Reconstruction.of({"loss": "mean_squared_error"}),))
    trainer = engine(SPEC, objective, OptimizerSpec.of(identifier)[0])
    rng = np.random.default_rng(0)
    models = networks(SPEC)
    encoder, decoder = (
        [np.float32(rng.normal(size=v.shape)) for v in model.trainable_variables]
        for model in (models.encoder, models.decoder)
    )
    rows = Batch(np.float32(rng.normal(size=(32, 4))))
    feed = Resident.of(rows, Scaling.none(4), 32, trainer.place)
    (block,) = feed.in_order(np.arange(32))
    hyper = HyperParameters(((),), alpha=np.float32(alpha))
    if scales is not None:
        hyper = hyper._replace(
            residual=scales.residual, weight_scales=models.weight_scales(scales)
        )
    state = trainer.init({"encoder": (encoder, []), "decoder": (decoder, [])})
    (after, _), _ = trainer.train(state, block, RATE[None], np.uint32(0), hyper)
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
        networks(SPEC).weight_scales(SCALES),
        networks(SPEC).penalised,
        strict=True,
    ):
        expected = scale**2 * step / SCALES.residual**2
        expected = expected - RATE * alpha * shrinks * weight
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-6)


def test_the_first_step_of_adam_is_proportional_to_the_scale():
    _, steps = first_step("adam", SCALES)
    for found, scale in zip(steps, networks(SPEC).weight_scales(SCALES), strict=True):
        expected = np.broadcast_to(RATE * scale, found.shape)
        np.testing.assert_allclose(np.abs(found), expected, rtol=1e-2)


@pytest.mark.parametrize("see_inputs", [False, True])
def test_weight_scales_compensate_scaled_inputs_and_outputs(see_inputs):
    # If an input is doubled and its weights are halved, the network computes the same.
    # If the weights of an output are doubled, the output is doubled.
    models = build_networks(dense_spec(4, 2, (6, 5), see_inputs=see_inputs))
    rows, codes = np.float32([1, 2, 0.5, 8]), np.float32([4, 1])
    rng = np.random.default_rng(0)
    drawn = [
        [np.float32(rng.normal(size=v.shape)) for v in model.trainable_variables]
        for model in (models.encoder, models.decoder)
    ]
    scales = iter(models.weight_scales(WeightScales(0.1, rows, codes, 0.25)))
    scaled = [[weight * next(scales) for weight in weights] for weights in drawn]
    X, Z = np.float32(rng.normal(size=(5, 4))), np.float32(rng.normal(size=(5, 2)))
    plain = models.encode((drawn[0], []), X)[0], models.decode((drawn[1], []), Z)[0]
    found = (
        models.encode((scaled[0], []), X * rows)[0],
        models.decode((scaled[1], []), Z * codes)[0],
    )
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_allclose(one, np.asarray(other) / 0.25, rtol=1e-5, atol=1e-5)


def test_deviations_equal_those_of_probabilistic_pca():
    # The deviations are powers of two, so nothing is rounded.
    scales = WeightScales.of(np.eye(3)[:2], np.array([15.9375, 3.9375]), 0.0625)
    np.testing.assert_array_equal(scales.rows, [4, 2, 0.25])
    np.testing.assert_array_equal(scales.codes, [4, 2])
    assert scales.residual == 0.25


@pytest.mark.parametrize("n_components", [2, 4])
def test_pca_is_kept_if_float32_is_too_coarse(n_components):
    # The features are identifiers in the millions and a curve. PCA's error is larger in
    # float32 than in float64. A network can be better than the first and worse than the
    # second.
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 130, 2000)
    identifiers = 1e4 * groups + rng.uniform(0, 30, 2000)
    phases = 3 * rng.normal(size=(2000, 1)) + np.linspace(0, 3, 20)
    small = 100 * np.sin(phases) + 10 * rng.normal(size=(2000, 20))
    X = np.c_[100 * identifiers, identifiers, small]
    model = AutoencoderTransformer(n_components, random_state=0).fit(X[:1500])
    assert relative_error(model, X[1500:], X[:1500]) < 1 + 1e-6
