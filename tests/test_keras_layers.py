"""The Keras models that a spec describes agree with NumPy and with Keras' layers."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import dense_spec, small_network

from skae import AutoencoderTransformer
from skae._backends import backend
from skae._networks import (
    ConvolutionalLayers,
    CustomLayers,
    DenseLayers,
    NetworkSpec,
    build_networks,
    convolutions,
)

rng = np.random.default_rng(0)


def drawn_weights(model, seed=1):
    """Return a value for each trainable variable."""
    rng = np.random.default_rng(seed)
    return [
        np.float32(0.3 * rng.normal(size=variable.shape))
        for variable in model.trainable_variables
    ]


def outputs(networks, rows, codes):
    """Return what both networks make of their inputs, with drawn weights."""
    return output(networks.encoder, rows), output(networks.decoder, codes)


def output(model, values):
    """Return what a model makes of its inputs, with drawn weights."""
    weights = drawn_weights(model)

    def compute(values):
        return model.stateless_call(weights, [], values)[0]

    # Compiled as a whole, this is faster than operation by operation.
    return np.asarray(backend().compiled(compute)(np.float32(values)))


class Layers:
    """Dense layers in NumPy, found by the names of the layers of a Keras model."""

    def __init__(self, model):
        self.values = {
            tuple(variable.path.split("/")[-2:]): value
            for variable, value in zip(
                model.trainable_variables, drawn_weights(model), strict=True
            )
        }

    def __call__(self, name, inputs):
        kernel, bias = self.values[name, "kernel"], self.values.get((name, "bias"), 0)
        return inputs @ kernel + bias


@pytest.mark.parametrize("see_inputs", [False, True])
@pytest.mark.parametrize("linear_path", [False, True])
def test_dense_networks_compute_what_numpy_computes(see_inputs, linear_path):
    spec = dense_spec(
        5, 2, (6, 7, 4), "tanh", see_inputs=see_inputs, linear_path=linear_path
    )
    networks = build_networks(spec)
    rows, codes = rng.normal(size=(9, 5)), rng.normal(size=(9, 2))
    found = outputs(networks, rows, codes)
    for model, inputs, output in zip(
        (networks.encoder, networks.decoder), (rows, codes), found, strict=True
    ):
        layer = Layers(model)
        hidden = np.tanh(layer("hidden_0", inputs))
        for depth in (1, 2):
            if see_inputs:
                hidden = np.hstack([hidden, inputs])
            hidden = np.tanh(layer(f"hidden_{depth}", hidden))
        expected = layer("correction" if linear_path else "output", hidden)
        if linear_path:
            expected = expected + layer("linear", inputs)
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
    widths = [networks.encoder.get_layer(f"hidden_{n}").units for n in range(3)]
    mirrored = [networks.decoder.get_layer(f"hidden_{n}").units for n in range(3)]
    assert widths == mirrored[::-1] == [6, 7, 4]


def test_a_variational_network_with_labels_computes_what_numpy_computes():
    spec = dense_spec(
        5, 2, (6,), likelihood="gaussian", n_targets=3, target_kind="numbers"
    )
    networks = build_networks(spec)
    rows, codes = rng.normal(size=(9, 5)), rng.normal(size=(9, 2))
    posterior, decoded = outputs(networks, rows, codes)
    layer = Layers(networks.encoder)
    hidden = np.maximum(layer("hidden_0", rows), 0)
    mean = layer("linear", rows) + layer("correction", hidden)
    expected = np.hstack([mean, layer("log_variance", hidden)])
    np.testing.assert_allclose(posterior, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(networks.codes(posterior), posterior[:, :2])
    layer = Layers(networks.decoder)
    mean = layer("linear", codes)
    mean += layer("correction", np.maximum(layer("hidden_0", codes), 0))
    expected = [mean, layer("log_variance", codes), layer("head", codes)]
    np.testing.assert_allclose(decoded, np.hstack(expected), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(networks.rows(decoded), decoded[:, :5])


def image_spec(shape, n_components=3, sizes=(7,), linear_path=True, **windows):
    """Return the spec of a network for images."""
    layers = ConvolutionalLayers(
        shape, convolutions(shape, **{"filters": 4, **windows}), DenseLayers(sizes)
    )
    return NetworkSpec(
        int(np.prod(shape)),
        n_components,
        layers,
        layers,
        linear_path=linear_path,
        image_shape=shape,
    )


def image_inputs(spec):
    """Return rows and codes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, spec.n_features)), rng.normal(size=(6, 3))


@pytest.mark.parametrize(
    ("shape", "linear_path"),
    [
        ((8, 8, 1), False),
        ((5, 12, 1), True),
        ((4, 5, 3), True),
        ((1, 60, 1), True),
        ((1, 1, 60), True),
    ],
)
def test_networks_that_train_equal_those_of_keras_layers(shape, linear_path):
    spec = image_spec(shape, linear_path=linear_path)
    ours, theirs = (build_networks(spec, standard=standard) for standard in (0, 1))
    kinds = {type(layer).__name__ for layer in theirs.encoder.layers}
    modules = {type(layer).__module__ for layer in theirs.encoder.layers}
    assert "Conv2D" in kinds
    assert {module.partition(".")[0] for module in modules} == {"keras"}
    inputs = image_inputs(spec)
    for found, expected in zip(
        outputs(ours, *inputs), outputs(theirs, *inputs), strict=True
    ):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_channels_of_an_image_are_last_and_windows_share_a_kernel():
    # The windows of these convolutions do not overlap.
    shape, rows = (8, 8, 3), rng.normal(size=(5, 192))
    spec = image_spec(shape, linear_path=False, sizes=(), kernel_size=4, strides=4)
    networks = build_networks(spec)
    codes, _ = outputs(networks, rows, rng.normal(size=(5, 3)))
    kernel, bias, *last = drawn_weights(networks.encoder)
    assert kernel.shape == (4, 4, 3, 4)
    windows = rows.reshape(5, 2, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5)
    cells = windows.reshape(5, 2, 2, 48) @ kernel.reshape(48, 4) + bias
    expected = np.maximum(cells, 0).reshape(5, 16) @ last[0] + last[1]
    np.testing.assert_allclose(codes, expected, rtol=1e-4, atol=1e-4)


def test_the_global_image_data_format_changes_nothing():
    import keras

    spec = image_spec((8, 8, 1), kernel_size=3, strides=2)
    inputs = image_inputs(spec)
    expected = outputs(build_networks(spec), *inputs)
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        for standard in (False, True):
            found = outputs(build_networks(spec, standard=standard), *inputs)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, atol=2e-5)
    finally:
        keras.config.set_image_data_format(before)


def plain(keras):
    return [keras.layers.Dense(8, "relu"), keras.layers.Dense(3)]


def frozen(keras):
    return [keras.layers.Dense(8, "relu", trainable=False), keras.layers.Dense(3)]


def adapted(keras):
    normalization = keras.layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(2, 3, size=(50, 64)))
    return [normalization, *plain(keras)]


def low_rank(keras):
    layer = keras.layers.Dense(8, "relu")
    layer.build((None, 64))
    layer.enable_lora(2)
    return [layer, keras.layers.Dense(3)]


def noisy(keras):
    return [keras.layers.GaussianNoise(0.1), keras.layers.Dropout(0.1), *plain(keras)]


def normalised(keras):
    return [keras.layers.BatchNormalization(), *plain(keras)]


def nested(keras):
    return [keras.Sequential(normalised(keras))]


def frozen_statistics(keras):
    return [keras.layers.BatchNormalization(trainable=False), *plain(keras)]


@pytest.mark.parametrize(
    ("layers", "mixes_rows"),
    [
        (plain, False),
        (frozen, False),
        (adapted, False),
        (low_rank, False),
        (noisy, False),
        (frozen_statistics, False),
        (normalised, True),
        (nested, True),
    ],
)
def test_only_batch_statistics_mix_rows(layers, mixes_rows):
    import keras

    def encoder(n_features, n_components):
        return keras.Sequential([keras.Input((n_features,)), *layers(keras)])

    spec = NetworkSpec(64, 3, CustomLayers(encoder), DenseLayers((8,)))
    assert build_networks(spec).mixes_rows == mixes_rows


def test_without_skip_connections_there_may_be_more_components_than_features(curve):
    fitted = AutoencoderTransformer(
        7, hidden_layer_sizes=(), skip_connections=None, max_iter=1, random_state=0
    ).fit(curve)
    assert fitted.transform(curve).shape == (len(curve), 7)
    assert fitted.encoder_.output_shape == (None, 7)


def test_an_activation_may_be_a_name_or_a_function(digits):
    import keras

    fitted = small_network(
        activation=keras.ops.tanh, skip_connections=None, max_iter=3
    ).fit(digits)
    model = fitted._model
    assert not model.spec.runs_in_numpy
    # NumPy computes the activation that has a name.
    layers = DenseLayers((32,), "tanh")
    by_name = replace(model, spec=replace(model.spec, encoder=layers, decoder=layers))
    assert by_name.spec.runs_in_numpy
    np.testing.assert_allclose(
        fitted.transform(digits), by_name.encode(digits), rtol=1e-5, atol=2e-5
    )


def test_a_network_with_output_activation_trains_on_unscaled_data(digits):
    X = digits / 16
    fitted = small_network(
        output_activation="sigmoid", skip_connections=None, max_iter=30
    ).fit(X)
    rows = fitted.reconstruct(X)
    assert rows.min() >= 0
    assert rows.max() <= 1
    error = np.square(X - rows).mean()
    assert error < 0.95 * X.var(axis=0).mean()
    assert error == pytest.approx(fitted.loss_curve_[-1], rel=0.2)
    np.testing.assert_allclose(
        fitted.decoder_.predict(fitted.transform(X), verbose=0), rows, atol=1e-4
    )
    np.testing.assert_allclose(fitted.mean_, X.mean(axis=0))


def test_an_invalid_output_activation_raises(digits):
    with pytest.raises(ValueError, match="needs skip_connections=None"):
        small_network(output_activation="sigmoid").fit(digits)
    with pytest.raises(ValueError, match="instance of a Keras activation"):
        small_network(output_activation="sigmoidal", skip_connections=None).fit(digits)


@pytest.mark.parametrize(
    "parameters",
    [{"max_iter": 10}, {"hidden_layer_sizes": (), "whiten": True}],
    ids=["network", "pca"],
)
def test_keras_models_agree_with_the_estimator_far_from_the_origin(parameters, digits):
    X = 255 * digits + 1000
    fitted = small_network(**parameters)
    codes = fitted.fit_transform(X)
    assert (fitted.selected_model_ == "network") == ("max_iter" in parameters)
    restored = fitted.inverse_transform(codes)
    np.testing.assert_allclose(
        fitted.encoder_.predict(X, verbose=0),
        codes,
        rtol=1e-3,
        atol=1e-3 * np.abs(codes).max(),
    )
    found = fitted.decoder_.predict(codes, verbose=0)
    np.testing.assert_allclose(found, restored, rtol=1e-4, atol=1e-2)


def test_keras_models_are_built_once_for_each_fit(digits):
    fitted = AutoencoderTransformer(3, hidden_layer_sizes=()).fit(digits)
    before = fitted.encoder_
    assert fitted.encoder_ is before
    fitted.set_params(n_components=2).fit(digits)
    assert fitted.encoder_ is not before
    assert fitted.encoder_.output_shape == (None, 2)
