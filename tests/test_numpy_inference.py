"""NumPy inference gives the results of the Keras models."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import dense_spec

from skae._data import Scaling
from skae._model import Bounds, Box, CodeTransform, NetworkCodec
from skae._model._numpy_inference import PRECISE_ROWS, NumpyInference
from skae._networks import (
    ConvolutionalLayers,
    CustomLayers,
    DenseLayers,
    _convolutional_numpy,
    convolutions,
)

N_FEATURES, N_COMPONENTS = 12, 3


def random_codec(rng, mean, bounded=True, **parameters):
    """Return a codec with random weights, and rows for it."""
    from skae._networks import build_networks

    parameters = {"sizes": (9,), "activation": "relu", **parameters}
    spec = dense_spec(N_FEATURES, N_COMPONENTS, **parameters)
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
    scale = 1.0 if spec.keeps_units else 0.3
    scaling = Scaling(np.full(N_FEATURES, 0.0 if spec.keeps_units else mean), scale)
    rows = scaling.mean + scale * rng.normal(size=(700, N_FEATURES))
    matrix = np.linalg.qr(rng.normal(size=(N_COMPONENTS, N_COMPONENTS)))[0]
    offset = rng.normal(size=N_COMPONENTS)
    arrays = offset, scale * matrix, matrix.T / scale
    transform = CodeTransform(*(array.astype(np.float32) for array in arrays))
    bounds = Bounds.none(N_COMPONENTS, N_FEATURES)
    if bounded:
        axes = np.linalg.qr(rng.normal(size=(N_FEATURES, N_COMPONENTS)))[0].T
        box = Box(*(sign * np.ones(N_FEATURES, np.float32) for sign in (-1, 1)))
        codes = Box(box.low[:N_COMPONENTS], box.high[:N_COMPONENTS])
        bounds = Bounds(box, codes, axes.astype(np.float32))
    return NetworkCodec(spec, scaling, weights, transform, bounds), rows


def assert_equals_keras(codec, rows):
    assert isinstance(codec._inference(len(rows)), NumpyInference)
    codes = codec.encode(rows)
    expected = np.asarray(codec.keras_encoder()(rows.astype(np.float32)))
    # float32 loses precision where rows are far from the origin.
    atol = 2e-5 + 1e-6 * np.abs(rows).max()
    np.testing.assert_allclose(codes, expected, atol=atol)
    decoded = codec.decode(codes)
    expected = np.asarray(codec.keras_decoder()(codes.astype(np.float32)))
    np.testing.assert_allclose(decoded, expected, atol=atol)


SKIP_CONNECTIONS = {
    "linear": {},
    "dense": {"see_inputs": True},
    "none": {"linear_path": False},
}


@pytest.mark.parametrize("skip_connections", SKIP_CONNECTIONS)
@pytest.mark.parametrize("sizes", [(), (9,), (9, 7), (9, 7, 5)])
@pytest.mark.parametrize("mean", [0.5, 30.0], ids=["near", "far"])
def test_dense_layers_equal_keras(mean, skip_connections, sizes):
    codec, rows = random_codec(
        np.random.default_rng(0),
        mean,
        sizes=sizes,
        **SKIP_CONNECTIONS[skip_connections],
    )
    assert codec.scaling.is_mild == (mean < 1)
    assert_equals_keras(codec, rows)
    assert_equals_keras(codec, rows.astype(np.float32))
    assert_equals_keras(codec, rows[:PRECISE_ROWS])


@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu", "tanh", "sigmoid", "silu", "linear", None]
)
def test_activations_equal_keras(activation):
    rng = np.random.default_rng(0)
    codec, rows = random_codec(rng, 0.0, activation=activation)
    assert_equals_keras(codec, rows)
    # With these rows an exponential overflows.
    codec, rows = random_codec(rng, 0.0, bounded=False, activation=activation)
    assert_equals_keras(codec, 500 * rows[:20])


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_means_of_likelihoods_equal_keras(likelihood):
    rng = np.random.default_rng(0)
    codec, rows = random_codec(rng, 0.5, bounded=False, likelihood=likelihood)
    assert_equals_keras(codec, rows)


def test_output_activation_equals_keras():
    codec, rows = random_codec(
        np.random.default_rng(0),
        0.5,
        bounded=False,
        linear_path=False,
        output_activation="sigmoid",
    )
    assert_equals_keras(codec, rows)


def image_layers(shape, kernel_size, strides, sizes=(7,), activation="silu"):
    """Return two convolutional layers, so that the second has several channels."""
    found = convolutions(shape, [3, 2], kernel_size, strides)
    return ConvolutionalLayers(shape, found, DenseLayers(sizes, activation))


@pytest.mark.parametrize(
    ("shape", "kernel_size", "strides", "linear_path"),
    [
        ((12, 1, 1), None, None, True),
        ((4, 3, 1), [2, 2], [2, 2], False),
        ((4, 3, 1), [3, 2], [2, 1], True),
        ((1, 6, 2), 1, 1, False),
        ((6, 2, 1), [2, 1], [1, 1], False),
        ((2, 2, 3), [2, 1], [1, 1], True),
    ],
)
def test_few_images_equal_keras(shape, kernel_size, strides, linear_path):
    layers = image_layers(shape, kernel_size, strides)
    codec, rows = random_codec(
        np.random.default_rng(0),
        0.5,
        encoder=layers,
        decoder=layers,
        linear_path=linear_path,
    )
    # The last row is far outside the bounds.
    assert_equals_keras(codec, np.concatenate([rows[:20], 1e3 * rows[20:21]]))


def test_images_of_a_variational_autoencoder_equal_keras():
    layers = image_layers((4, 3, 1), [3, 2], [2, 1])
    rng = np.random.default_rng(0)
    codec, rows = random_codec(
        rng, 0.5, False, encoder=layers, decoder=layers, likelihood="gaussian"
    )
    assert_equals_keras(codec, rows[:PRECISE_ROWS])


def test_few_and_many_images_agree():
    layers = image_layers((4, 3, 1), [3, 2], [2, 1])
    codec, rows = random_codec(
        np.random.default_rng(0), 0.5, encoder=layers, decoder=layers
    )
    few = slice(PRECISE_ROWS)
    np.testing.assert_allclose(codec.encode(rows[few]), codec.encode(rows)[few], 1e-3)


def test_images_are_computed_in_parts(monkeypatch):
    """The windows of all images at once might not fit into memory."""
    layers = image_layers((4, 3, 1), [3, 2], [2, 1])
    codec, rows = random_codec(
        np.random.default_rng(0), 0.5, encoder=layers, decoder=layers
    )
    together = codec.encode(rows[:50])
    monkeypatch.setattr(_convolutional_numpy, "_VALUES", 100)
    apart = codec.encode(rows[:50])
    np.testing.assert_allclose(apart, together, atol=1e-12)


def test_only_dense_networks_with_common_activations_run_in_numpy():
    assert dense_spec(4, 2, (3,)).has_numpy_forward
    for activation in ("gelu", np.tanh):
        assert not dense_spec(4, 2, (3,), activation).has_numpy_forward_of_few
    custom = dense_spec(4, 2, (3,), encoder=CustomLayers(print))
    assert not custom.has_numpy_forward_of_few
    images = ConvolutionalLayers((2, 2, 1), (), DenseLayers((3,)))
    assert not dense_spec(4, 2, (3,), encoder=images).has_numpy_forward


@pytest.mark.parametrize("kind", ["dense", "images"])
def test_threads_share_a_codec_from_its_first_call_on(kind):
    layers = {}
    if kind == "images":
        one = image_layers((4, 3, 1), [3, 2], [2, 1])
        layers = {"encoder": one, "decoder": one}
    codec, rows = random_codec(np.random.default_rng(0), 0.5, **layers)
    again = pickle.loads(pickle.dumps(codec))
    expected = [codec.decode(codec.encode(rows[[number]])) for number in range(8)]
    begin = threading.Barrier(8, timeout=30)

    def computed(number):
        begin.wait()
        return [again.decode(again.encode(rows[[number]])) for _ in range(20)]

    with ThreadPoolExecutor(8) as threads:
        for number, found in enumerate(threads.map(computed, range(8))):
            for one in found:
                np.testing.assert_array_equal(one, expected[number])
