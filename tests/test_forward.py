"""Inference by NumPy, and PCA in place of a network beyond the training data.

NumPy has to give the results of the Keras models.
"""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import dense_spec, small_network
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae import _keras as keras
from skae._data import Scaling
from skae._inference import (
    PRECISE_ROWS,
    Box,
    CodeTransform,
    NetworkModel,
    NumpyInference,
    keras_decoder,
    keras_encoder,
)
from skae._linear import LinearModel
from skae._networks import (
    ConvolutionalLayers,
    CustomLayers,
    DenseLayers,
    build_networks,
)

N_FEATURES, N_COMPONENTS = 12, 3


def random_model(mean=0.5, *, bounded=True, sizes=(9,), activation="relu", **layers):
    """Return a model with random weights, and rows for it."""
    rng = np.random.default_rng(0)
    spec = dense_spec(N_FEATURES, N_COMPONENTS, sizes, activation, **layers)
    networks = build_networks(spec)
    weights = {
        side: (
            [
                rng.normal(scale=0.4, size=variable.shape).astype(np.float32)
                for variable in getattr(networks, side).trainable_variables
            ],
            [],
        )
        for side in ("encoder", "decoder")
    }
    scale, mean = (1.0, 0.0) if spec.uses_raw_inputs else (0.3, mean)
    scaling = Scaling(np.full(N_FEATURES, mean), scale)
    rows = scaling.mean + scale * rng.normal(size=(700, N_FEATURES))
    matrix = np.linalg.qr(rng.normal(size=(N_COMPONENTS, N_COMPONENTS)))[0]
    offset = rng.normal(size=N_COMPONENTS)
    arrays = offset, scale * matrix, matrix.T / scale
    transform = CodeTransform(*(array.astype(np.float32) for array in arrays))
    boxes = [Box.without_bounds(size) for size in (N_FEATURES, N_COMPONENTS)]
    linear = None
    if bounded:
        ones = np.ones(N_FEATURES, np.float32)
        boxes = [Box(-ones[:size], ones[:size]) for size in (N_FEATURES, N_COMPONENTS)]
        axes = np.linalg.qr(rng.normal(size=(N_FEATURES, N_COMPONENTS)))[0].T
        spread = np.ones(N_COMPONENTS)
        linear = LinearModel("PCA", scaling, axes, spread, spread / 4, 0.0, 700)
    return NetworkModel(spec, scaling, weights, transform, *boxes, linear=linear), rows


def keras_results(model, rows):
    """Return the codes and reconstructions that the Keras models compute."""
    codes = keras_encoder(model)(rows.astype(np.float32))
    both = codes, keras_decoder(model)(codes)
    return [keras.ops.convert_to_numpy(part) for part in both]


def assert_equals_keras(model, rows):
    """Compare codes and reconstructions with those of the Keras models."""
    assert isinstance(model._inference(len(rows)), NumpyInference)
    # float32 loses precision where rows are far from the origin.
    atol = 2e-5 + 1e-6 * np.abs(rows).max()
    codes, decoded = keras_results(model, rows)
    np.testing.assert_allclose(model.encode(rows), codes, atol=atol)
    np.testing.assert_allclose(model.decode(codes), decoded, atol=atol)


SKIP_CONNECTIONS = {
    "linear": {},
    "dense": {"see_inputs": True},
    "none": {"linear_path": False},
}


@pytest.mark.parametrize("skip_connections", SKIP_CONNECTIONS)
@pytest.mark.parametrize("sizes", [(), (9, 7, 5)])
@pytest.mark.parametrize("mean", [0.5, 30.0], ids=["near", "far"])
def test_dense_layers_equal_keras(mean, sizes, skip_connections):
    model, rows = random_model(mean, sizes=sizes, **SKIP_CONNECTIONS[skip_connections])
    assert model.scaling.is_mild == (mean < 1)
    assert_equals_keras(model, rows)
    assert_equals_keras(model, rows.astype(np.float32))
    assert_equals_keras(model, rows[:PRECISE_ROWS])


@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu", "tanh", "sigmoid", "silu", "linear", None]
)
def test_activations_equal_keras(activation):
    model, rows = random_model(0.0, activation=activation)
    assert_equals_keras(model, rows)
    # With these rows an exponential overflows.
    model, rows = random_model(0.0, bounded=False, activation=activation)
    assert_equals_keras(model, 500 * rows[:20])


@pytest.mark.parametrize(
    "parameters",
    [
        {"likelihood": "gaussian"},
        {"likelihood": "bernoulli"},
        {"output_activation": "sigmoid", "linear_path": False},
    ],
    ids=lambda parameters: next(iter(parameters.values())),
)
def test_means_of_likelihoods_and_output_activations_equal_keras(parameters):
    model, rows = random_model(bounded=False, **parameters)
    assert_equals_keras(model, rows)


def test_only_dense_networks_with_common_activations_run_in_numpy():
    assert dense_spec(4, 2, (3,)).runs_in_numpy
    for activation in ("gelu", np.tanh):
        assert not dense_spec(4, 2, (3,), activation).runs_in_numpy
    custom = dense_spec(4, 2, (3,), encoder=CustomLayers(print))
    assert not custom.runs_in_numpy
    images = ConvolutionalLayers((2, 2, 1), (), DenseLayers((3,)))
    assert not dense_spec(4, 2, (3,), encoder=images).runs_in_numpy


def test_threads_share_a_model_from_its_first_call_on():
    model, rows = random_model()
    again = pickle.loads(pickle.dumps(model))
    expected = [model.decode(model.encode(rows[[number]])) for number in range(8)]
    begin = threading.Barrier(8, timeout=30)

    def computed(number):
        begin.wait()
        return [again.decode(again.encode(rows[[number]])) for _ in range(20)]

    with ThreadPoolExecutor(8) as threads:
        for number, found in enumerate(threads.map(computed, range(8))):
            for one in found:
                np.testing.assert_array_equal(one, expected[number])


@pytest.fixture(scope="module")
def parabola():
    """Return rows near a parabola, and noise in a further direction."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(-1, 1, size=1000)
    X = np.column_stack([3 * angle, angle**2, rng.normal(size=1000)])
    return X + rng.normal(scale=0.02, size=X.shape)


@pytest.fixture(scope="module")
def network(parabola):
    """Return an estimator that was fitted to the parabola and kept its network."""
    fitted = AutoencoderTransformer(
        2, hidden_layer_sizes=(32,), max_iter=30, random_state=0
    )
    fitted.fit(parabola)
    assert fitted.selected_model_ == "network"
    assert fitted.score(parabola) > PCA(2).fit(parabola).explained_variance_ratio_.sum()
    return fitted


@pytest.mark.parametrize("factor", [100, 1e4, 1e25])
def test_pca_reconstructs_rows_far_from_the_training_data(factor, network, parabola):
    pca = PCA(2).fit(parabola)
    far = pca.inverse_transform(pca.transform(parabola[:50]) * factor)
    outside = np.linalg.norm(far, axis=1) > 10 * np.linalg.norm(parabola, axis=1).max()
    assert outside.sum() > 25
    # The far rows lie on the principal axes, so PCA reconstructs them exactly.
    np.testing.assert_allclose(
        network.reconstruct(far)[outside], far[outside], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(("factor", "limit"), [(1.2, 10), (1.5, 15), (2, 8), (3, 1.1)])
def test_the_error_of_rows_beyond_the_bounds_is_limited(
    factor, limit, network, parabola
):
    # The training rows follow a parabola, these rows do not. Without bounds the
    # network continues the parabola.
    rows = parabola[:200].copy()
    rows[:, 0] = factor * parabola[:, 0].max()
    pca = PCA(2).fit(parabola)
    linear = pca.inverse_transform(pca.transform(rows))
    errors = [
        np.square(rows - other).sum() for other in (network.reconstruct(rows), linear)
    ]
    assert errors[0] < limit * errors[1]


def test_reconstructions_are_continuous_across_the_bounds(network, parabola):
    row = parabola[np.abs(parabola).max(axis=1).argmax()]
    path = np.linspace(1, 30, 2000)[:, None] * row
    steps = np.linalg.norm(np.diff(network.reconstruct(path), axis=0), axis=1)
    # There is no jump: the reconstructions move about as much as the rows.
    assert steps.max() < 1.5 * np.linalg.norm(path[1] - path[0])


def test_pca_decodes_codes_far_from_the_training_codes(network, parabola):
    far = network.transform(parabola[:1]) * 1e4
    further = 3 * far
    step = network.inverse_transform(further) - network.inverse_transform(far)
    # PCA's decoder preserves distances and stays in the plane of its axes.
    length = np.linalg.norm(further - far)
    np.testing.assert_allclose(np.linalg.norm(step), length, rtol=1e-3)
    axes = PCA(2).fit(parabola).components_
    np.testing.assert_allclose(step @ axes.T @ axes, step, atol=1e-3 * length)


def test_the_network_alone_encodes_rows_inside_the_bounds(network, parabola):
    # Keras computes the network, without what surrounds it.
    alone = network.encoder_.get_layer("encoder_network")
    scale = np.sqrt(parabola.var(axis=0).mean())
    scaled = (parabola - parabola.mean(axis=0)) / scale
    codes = keras.ops.convert_to_numpy(alone(scaled.astype(np.float32)))
    transform = network._model.transform
    expected = (codes - transform.offset) @ transform.matrix
    np.testing.assert_allclose(network.transform(parabola), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [0.5, 1, 100])
def test_keras_models_have_the_same_bounds(factor, network, parabola):
    rows = (parabola[:50] * factor).astype(np.float32)
    codes = network.transform(rows)
    encoded = keras.ops.convert_to_numpy(network.encoder_(rows))
    decoded = keras.ops.convert_to_numpy(network.decoder_(codes))
    atol = 1e-5 * np.abs(rows).max()
    np.testing.assert_allclose(encoded, codes, atol=atol)
    np.testing.assert_allclose(decoded, network.inverse_transform(codes), atol=atol)


def test_a_box_is_the_range_of_its_rows():
    rows = np.random.default_rng(0).normal(size=(10, 3))
    box = Box.of(rows[:4]).merged(Box.of(rows[4:]))
    np.testing.assert_array_equal(box.low, rows.min(axis=0))
    np.testing.assert_array_equal(box.high, rows.max(axis=0))
    room = 0.1 * (box.high - box.low)
    widened, mean = box.widened(2.0, rows.mean(axis=0)), rows.mean(axis=0)
    np.testing.assert_allclose(widened.low, (box.low - room - mean) / 2, rtol=1e-6)
    np.testing.assert_allclose(widened.high, (box.high + room - mean) / 2, rtol=1e-6)
    assert widened.is_bounded
    everything = Box.without_bounds(3)
    assert np.isinf(everything).all()
    assert not everything.is_bounded


@pytest.mark.parametrize("skip_connections", ["linear", None])
@pytest.mark.parametrize("activation", ["tanh", "relu6"], ids=["numpy", "compiled"])
def test_invalid_values_raise_even_if_a_layer_saturates(
    activation, skip_connections, digits
):
    # Without a linear path there are no bounds, and relu6 maps infinity to 6.
    saturated = small_network(
        skip_connections=skip_connections,
        activation=activation,
        max_iter=10,
        early_stopping=False,
    ).fit(digits)
    assert saturated.selected_model_ == "network"
    # Few rows and many rows are computed in different ways.
    for n_rows in (5, 200):
        rows = digits[:n_rows].copy()
        for value in (np.inf, -np.inf, 1e39):
            rows[3, 1] = value
            with pytest.raises(ValueError, match="Input X contains"):
                saturated.transform(rows)
        rows[3, 1] = np.nan
        if skip_connections is None:
            with pytest.raises(ValueError, match="Input X contains"):
                saturated.transform(rows)
        else:
            # PCA fills in missing values.
            assert np.isfinite(saturated.reconstruct(rows)).all()
            assert np.isfinite(saturated.transform(rows)).all()
