"""Wide rows train in coordinates of the space that they span."""

import numpy as np
import pytest
from conftest import dense_spec
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae._data import Batch, Scaling
from skae._inference import NetworkModel
from skae._linear import fit_pca
from skae._losses.reconstruction import Reconstruction
from skae._networks import build_networks
from skae._training import Problem, RowSpace

N_ROWS, N_FEATURES, N_COMPONENTS = 40, 600, 3


@pytest.fixture(scope="module")
def wide():
    """Return 40 rows of 600 features, far from the origin."""
    rng = np.random.default_rng(0)
    return 5 + 3 * rng.normal(size=(N_ROWS, N_FEATURES))


def problem_of(X, spec, loss="mean_squared_error"):
    """Return the problem of an autoencoder that minimises a loss."""
    rng = np.random.RandomState(0)
    linear = fit_pca(X, Scaling.fit(X), N_COMPONENTS, rng)
    return Problem.of({"loss": loss}, (Reconstruction,), spec, linear)


def space_of(X, spec, **parameters):
    """Return the coordinates of some rows."""
    rng = np.random.RandomState(0)
    return RowSpace.of(problem_of(X, spec, **parameters), X, rng)


def inside(X, spec):
    """Return the spec of the network that sees coordinates."""
    return problem_of(X, spec).with_features(len(X)).spec


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
    space, narrow = space_of(wide, spec), inside(wide, spec)
    weights = random_weights(narrow)
    coordinates = space.rows(Batch(wide)).input
    small = NetworkModel.of_weights(narrow, space.scaling, weights)
    large = NetworkModel.of_weights(spec, Scaling.fit(wide), space.to_features(weights))
    codes = large.encode(wide)
    np.testing.assert_allclose(codes, small.encode(coordinates), rtol=1e-4, atol=1e-4)
    restored = small.decode(codes) @ space.axes + wide.mean(axis=0)
    np.testing.assert_allclose(large.decode(codes), restored, rtol=1e-4, atol=1e-4)


def test_weights_return_from_features_to_coordinates(wide):
    spec = dense_spec(N_FEATURES, N_COMPONENTS, (9,), see_inputs=True)
    space = space_of(wide, spec)
    weights = random_weights(inside(wide, spec))
    back = space.to_coordinates(space.to_features(weights))
    for side in ("encoder", "decoder"):
        for before, after in zip(weights[side][0], back[side][0], strict=True):
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_coordinates_keep_distances_and_principal_components(wide):
    spec = dense_spec(N_FEATURES, N_COMPONENTS, (9,))
    space = space_of(wide, spec)
    coordinates = space.rows(Batch(wide)).input
    centred = wide - wide.mean(axis=0)
    np.testing.assert_allclose(coordinates @ coordinates.T, centred @ centred.T)
    assert space.scaling.scale == pytest.approx(coordinates.std(), rel=1e-6)
    # The linear path holds PCA of the coordinates.
    weights = problem_of(wide, spec).linear.weights(Scaling.fit(wide), None)
    found = space.linear_weights(weights)
    components = PCA(N_COMPONENTS).fit(coordinates).components_
    for kernel, expected in (
        (found.encoder[0], components.T),
        (found.decoder[0], components),
    ):
        np.testing.assert_allclose(np.abs(kernel), np.abs(expected), atol=1e-9)
    for _, bias in (found.encoder, found.decoder):
        np.testing.assert_array_equal(bias, 0)


def test_coordinates_are_not_along_pca(wide):
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
    spec = dense_spec(n_features, N_COMPONENTS, (9,))
    assert (space_of(X, spec, loss=loss) is not None) == is_used


@pytest.mark.slow
def test_wide_rows_train_better_than_pca_and_training_continues():
    """The rows are near a surface of one dimension in 800 features."""
    rng = np.random.default_rng(2)
    t = rng.uniform(-1, 1, size=(260, 1))
    points = np.hstack([t, np.sin(4 * t), np.cos(4 * t), t**2])
    system = np.linalg.qr(np.random.default_rng(3).normal(size=(800, 4)))[0]
    rows = points @ system.T + 1e-3 * rng.normal(size=(260, 800))
    X, X_val, new = np.split(rows, [160, 210])
    fitted = AutoencoderTransformer(
        1, hidden_layer_sizes=(32,), max_iter=120, warm_start=True, random_state=0
    ).fit(X, X_val=X_val)
    pca = PCA(1).fit(X)
    error, of_pca = (
        np.square(new - one.inverse_transform(one.transform(new))).sum()
        for one in (fitted, pca)
    )
    assert error < 0.8 * of_pca
    assert fitted.components_.shape == (1, 800)
    codes = fitted.encoder_.predict(new, verbose=0)
    np.testing.assert_allclose(codes, fitted.transform(new), rtol=1e-3, atol=1e-4)
    # The weights, which see features, train on as weights that see coordinates.
    reached = fitted.best_loss_
    fitted.fit(X, X_val=X_val)
    assert fitted.start_loss_ == pytest.approx(reached, rel=1e-4)
    assert fitted.best_loss_ < 0.9 * reached


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        pytest.param({"skip_connections": "dense"}, marks=pytest.mark.weekly),
        pytest.param({"skip_connections": None}, marks=pytest.mark.weekly),
        {"target_weight": 0.5},
        pytest.param({"whiten": True, "alpha": 1e-3}, marks=pytest.mark.weekly),
        {"image_shape": (8, 8), "filters": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_components", [pytest.param(1, marks=pytest.mark.weekly), 5])
def test_spare_units_of_the_code_change_nothing(
    parameters, n_components, digits, monkeypatch
):
    X, y = digits[:300], np.arange(300) % 3
    network = AutoencoderTransformer(
        n_components,
        hidden_layer_sizes=(16,),
        max_iter=3,
        optimizer="sgd",
        random_state=0,
        early_stopping=False,
    ).set_params(**parameters)
    found = clone(network).fit(X, y)
    monkeypatch.setattr("skae._training._projection._WIDEST_CODE", 0)
    expected = clone(network).fit(X, y)
    assert found.selected_model_ == expected.selected_model_
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-5)
    codes = expected.transform(X)
    scale = np.abs(codes).max()
    np.testing.assert_allclose(found.transform(X), codes, atol=1e-4 * scale)
    assert found.encoder_.output_shape == (None, n_components)


def test_training_goes_on_from_weights_without_spare_units(digits, monkeypatch):
    X = digits[:300]
    network = AutoencoderTransformer(
        3, hidden_layer_sizes=(16,), max_iter=3, random_state=0, warm_start=True
    ).fit(X)
    start = clone(network).fit(X).fit(X).start_loss_
    monkeypatch.setattr("skae._training._projection._WIDEST_CODE", 0)
    assert network.fit(X).start_loss_ == pytest.approx(start, rel=1e-4)
