"""Wide rows train in coordinates of the space that they span."""

import numpy as np
import pytest
from conftest import dense_spec

from skae import AutoencoderTransformer
from skae._data import Batch, Scaling
from skae._linear import PrincipalAxes
from skae._model import NetworkCodec
from skae._networks import build_networks
from skae._objective.reconstruction import Reconstruction
from skae._training import TrainingConfig, TrainingSpace

N_ROWS, N_FEATURES, N_COMPONENTS = 40, 600, 3


@pytest.fixture(scope="module")
def wide():
    """Return 40 rows of 600 features, far from the origin."""
    rng = np.random.default_rng(0)
    return 5 + 3 * rng.normal(size=(N_ROWS, N_FEATURES))


def configuration(spec, loss="mean_squared_error"):
    """Return the configuration of an autoencoder that minimises a loss."""
    return TrainingConfig.of({"loss": loss}, (Reconstruction,), spec)


def space_of(X, spec):
    """Return the coordinates of some rows."""
    rng = np.random.RandomState(0)
    return TrainingSpace.of(configuration(spec), X, Scaling.fit(X), rng)


def random_weights(spec):
    """Return weights of a network, all of them drawn."""
    networks, rng = build_networks(spec), np.random.default_rng(1)
    return {
        side: (
            [
                0.2 * rng.normal(size=variable.shape).astype(np.float32)
                for variable in getattr(networks, side).trainable_variables
            ],
            [],
        )
        for side in ("encoder", "decoder")
    }


@pytest.mark.parametrize("see_inputs", [False, True])
@pytest.mark.parametrize("linear_path", [False, True])
def test_a_network_does_the_same_in_features_as_in_coordinates(
    wide, see_inputs, linear_path
):
    spec = dense_spec(
        N_FEATURES,
        N_COMPONENTS,
        (9, 5),
        see_inputs=see_inputs,
        linear_path=linear_path,
    )
    space = space_of(wide, spec)
    inside = space.config(configuration(spec)).spec
    weights = random_weights(inside)
    coordinates = space.rows(Batch(wide)).input
    small = NetworkCodec.plain(inside, space.units(), weights)
    large = NetworkCodec.plain(spec, space.scaling, space.to_features(weights, spec))
    codes = large.encode(wide)
    np.testing.assert_allclose(codes, small.encode(coordinates), rtol=1e-4, atol=1e-4)
    restored = small.decode(codes) @ space.axes + wide.mean(axis=0)
    np.testing.assert_allclose(large.decode(codes), restored, rtol=1e-4, atol=1e-4)


def test_weights_return_from_features_to_coordinates(wide):
    spec = dense_spec(N_FEATURES, N_COMPONENTS, (9,), see_inputs=True)
    space = space_of(wide, spec)
    weights = random_weights(space.config(configuration(spec)).spec)
    back = space.to_coordinates(space.to_features(weights, spec), spec)
    for side in ("encoder", "decoder"):
        for before, after in zip(weights[side][0], back[side][0], strict=True):
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_coordinates_keep_distances_and_principal_components(wide):
    space = space_of(wide, dense_spec(N_FEATURES, N_COMPONENTS, (9,)))
    coordinates = space.rows(Batch(wide)).input
    centred = wide - wide.mean(axis=0)
    np.testing.assert_allclose(coordinates @ coordinates.T, centred @ centred.T)
    assert space.units().scale == pytest.approx(coordinates.std(), rel=1e-6)
    rng = np.random.RandomState(0)
    axes = PrincipalAxes.fit(wide, space.scaling, N_COMPONENTS, rng)
    inside = PrincipalAxes.fit(coordinates, space.units(), N_COMPONENTS, rng)
    components = space.principal_axes(axes).components
    np.testing.assert_allclose(np.abs(components), np.abs(inside.components))


def test_coordinates_are_not_along_principal_axes(wide):
    stretched = wide * np.geomspace(1, 1e-3, N_FEATURES)
    space = space_of(stretched, dense_spec(N_FEATURES, N_COMPONENTS, (9,)))
    deviations = space.rows(Batch(stretched)).input.std(axis=0)
    assert deviations.max() < 3 * deviations.min()


@pytest.mark.parametrize(
    ("n_rows", "n_features", "loss", "is_used"),
    [
        (40, 600, "mean_squared_error", True),
        (40, 600, "mean_absolute_error", False),
        (400, 600, "mean_squared_error", False),
        (40, 100, "mean_squared_error", False),
    ],
)
def test_only_wide_rows_and_the_squared_error_have_coordinates(
    n_rows, n_features, loss, is_used
):
    X = np.random.default_rng(0).normal(size=(n_rows, n_features))
    config = configuration(dense_spec(n_features, N_COMPONENTS, (9,)), loss)
    rng = np.random.RandomState(0)
    space = TrainingSpace.of(config, X, Scaling.fit(X), rng)
    assert (space.axes is not None) == is_used


def curved(n_rows):
    """Return rows of 800 features near a surface of one dimension."""
    rng = np.random.default_rng(2)
    t = rng.uniform(-1, 1, size=(n_rows, 1))
    points = np.hstack([t, np.sin(4 * t), np.cos(4 * t), t**2])
    system = np.linalg.qr(np.random.default_rng(3).normal(size=(800, 4)))[0]
    return points @ system.T + 1e-3 * rng.normal(size=(n_rows, 800))


def test_wide_rows_are_reconstructed_better_than_by_pca():
    X, new = np.split(curved(300), [200])
    fitted = AutoencoderTransformer(
        1, hidden_layer_sizes=(32,), max_iter=120, random_state=0
    ).fit(X)
    assert fitted.selected_model_ == "network"
    pca = AutoencoderTransformer(1, hidden_layer_sizes=()).fit(X)
    assert 1 - fitted.score(new) < 0.8 * (1 - pca.score(new))
    assert fitted.components_.shape == (1, 800)
    codes = fitted.encoder_.predict(new, verbose=0)
    np.testing.assert_allclose(codes, fitted.transform(new), rtol=1e-3, atol=1e-4)


def test_wide_training_continues_where_it_ended():
    X = curved(200)
    first = AutoencoderTransformer(
        1, hidden_layer_sizes=(32,), warm_start=True, random_state=0
    )
    losses = [first.fit(X).best_loss_ for _ in range(2)]
    fresh = AutoencoderTransformer(
        1, hidden_layer_sizes=(32,), max_iter=1, random_state=0
    ).fit(X)
    assert losses[1] <= losses[0] < fresh.best_loss_
