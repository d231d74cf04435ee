"""What a step of training is measured by, and what that is for."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer
from skae._networks import Units, build_networks
from skae._objective import Objective, Strengths
from skae._scaling import Scaling
from skae._spec import NetworkSpec
from skae._training import training_program
from skae._training._feed import Resident
from skae._training._optimizer import OptimizerSpec


def relative_error(model, X, train):
    """Return the squared error of a model's reconstructions relative to PCA's."""
    pca = PCA(model.n_components_).fit(train)
    errors = [
        np.square(X - codec.inverse_transform(codec.transform(X))).sum()
        for codec in (model, pca)
    ]
    return errors[0] / errors[1]


@pytest.mark.parametrize("n_components", [4, 8])
def test_a_feature_that_dominates_hides_nothing(n_components):
    # PCA leaves a ten-thousandth of the variance, or a millionth.
    X = load_breast_cancer().data
    train, test = train_test_split(X, random_state=0)
    model = AutoencoderTransformer(n_components, random_state=0).fit(train)
    assert relative_error(model, test, train) < 0.6


UNITS = Units(0.1, np.float32([1, 2, 0.5, 8]), np.float32([4, 1]), np.float32(0.25))
RATE = np.float32(2**-10)


def first_step(identifier, units=None, alpha=0.0):
    """Return a program, its weights, and how far the first batch moves them."""
    spec = NetworkSpec(4, 2, (6, 5), "tanh", 0.0, "linear")
    program = training_program(
        spec,
        Objective.of("mean_squared_error", None),
        OptimizerSpec.of(identifier)[0],
    )
    rng = np.random.default_rng(0)
    encoder, decoder = (
        [np.float32(rng.normal(size=v.shape)) for v in model.trainable_variables]
        for model in (program.networks.encoder, program.networks.decoder)
    )
    rows = np.float32(rng.normal(size=(32, 4)))
    feed = Resident.of(rows, Scaling(np.zeros(4), 1.0), 32, program.place)
    (block,) = feed.in_order(np.arange(32))
    strengths = Strengths(
        *np.float32([alpha, 0, 0]), np.zeros(4, np.float32), 1.0, 0.0, 0.0
    )
    if units is not None:
        strengths = strengths._replace(
            left=units.left, units=program.weight_units(units)
        )
    state = program.initial_state({"encoder": (encoder, []), "decoder": (decoder, [])})
    (after, _), _ = program.train(state, block, RATE[None], np.uint32(0), strengths)
    after = [*after["encoder"][0], *after["decoder"][0]]
    weights = encoder + decoder
    steps = [new - old for new, old in zip(after, weights, strict=True)]
    return program, weights, steps


def test_gradient_descent_in_units_is_by_their_squares():
    # With w = u v the gradient for v is u times that for w, and a step of v moves w by
    # u times its length. The penalty shrinks v as it does w.
    alpha = 0.5
    program, weights, steps = first_step("sgd", UNITS, alpha)
    _, _, plain = first_step("sgd")
    for weight, found, step, unit, shrinks in zip(
        weights,
        steps,
        plain,
        program.weight_units(UNITS),
        program.networks.penalised,
        strict=True,
    ):
        expected = unit**2 * step / UNITS.left**2 - RATE * alpha * shrinks * weight
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-6)


def test_first_step_of_adam_is_as_long_as_the_unit():
    program, _, steps = first_step("adam", UNITS)
    for found, unit in zip(steps, program.weight_units(UNITS), strict=True):
        expected = np.broadcast_to(RATE * unit, found.shape)
        np.testing.assert_allclose(np.abs(found), expected, rtol=1e-2)


@pytest.mark.parametrize("skip_connections", ["linear", "dense"])
def test_rescaled_inputs_and_outputs_are_what_units_undo(skip_connections):
    # Twice the input with half the weights, and twice the output with twice the
    # weights: the network in units of the weights is the same.
    spec = NetworkSpec(4, 2, (6, 5), "relu", 0.0, skip_connections)
    networks = build_networks(spec)
    rows, codes = np.float32([1, 2, 0.5, 8]), np.float32([4, 1])
    rng = np.random.default_rng(0)
    drawn = [
        [np.float32(rng.normal(size=v.shape)) for v in model.trainable_variables]
        for model in (networks.encoder, networks.decoder)
    ]
    in_units = [
        [weight * unit for weight, unit in zip(*pair, strict=True)]
        for pair in zip(
            drawn, networks.weight_units(Units(0.1, rows, codes, 0.25)), strict=True
        )
    ]
    X, Z = np.float32(rng.normal(size=(5, 4))), np.float32(rng.normal(size=(5, 2)))
    plain = networks.encode((drawn[0], []), X)[0], networks.decode((drawn[1], []), Z)[0]
    measured = (
        networks.encode((in_units[0], []), X * rows)[0],
        networks.decode((in_units[1], []), Z * codes)[0],
    )
    for one, other in zip(plain, measured, strict=True):
        np.testing.assert_allclose(one, np.asarray(other) / 0.25, rtol=1e-5, atol=1e-5)


def test_deviations_are_those_of_probabilistic_pca():
    # Powers of two already: nothing is rounded.
    units = Units.of(np.eye(3)[:2], np.array([15.9375, 3.9375]), 0.0625)
    np.testing.assert_array_equal(units.rows, [4, 2, 0.25])
    np.testing.assert_array_equal(units.codes, [4, 2])
    assert units.left == 0.25


@pytest.mark.parametrize("n_components", [2, 4])
def test_what_rounding_hides_is_left_to_pca(n_components):
    # Identifiers in the millions beside a curve: float32 knows PCA's own reconstruction
    # worse than PCA does, and a network is soon better than that.
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 130, 2000)
    identifiers = 1e4 * groups + rng.uniform(0, 30, 2000)
    phases = 3 * rng.normal(size=(2000, 1)) + np.linspace(0, 3, 20)
    small = 100 * np.sin(phases) + 10 * rng.normal(size=(2000, 20))
    X = np.c_[100 * identifiers, identifiers, small]
    model = AutoencoderTransformer(n_components, random_state=0).fit(X[:1500])
    assert relative_error(model, X[1500:], X[:1500]) < 1 + 1e-6
