"""Networks of the user's: existing weights, frozen layers, batch statistics."""

import numpy as np
import pytest
from conftest import dense_spec, small_network
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae._data import Scaling
from skae._inference import NetworkModel, keras_encoder
from skae._networks import (
    CustomLayers,
    WeightScales,
    build_networks,
    initial_weights,
)


def existing(n_inputs, n_outputs, *more):
    """Return a model with weights of its own."""
    import keras

    drawn = keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((n_inputs,)),
            keras.layers.Dense(16, "relu", kernel_initializer=drawn(1)),
            *more,
            keras.layers.Dense(n_outputs, kernel_initializer=drawn(2)),
        ]
    )


def assert_keras_models_agree(fitted, X):
    import keras

    codes = fitted.transform(X)
    for model, inputs, expected in (
        (fitted.encoder_, X, codes),
        (fitted.decoder_, codes, fitted.inverse_transform(codes)),
    ):
        found = keras.ops.convert_to_numpy(model(np.float32(inputs[:50])))
        np.testing.assert_allclose(found, expected[:50], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_models_that_exist_already_are_copied(digits):
    import keras

    encoder = existing(64, 3, keras.layers.BatchNormalization())
    decoder = existing(3, 64)
    before = encoder.get_weights() + decoder.get_weights()
    first = small_network(
        encoder=lambda n_features, n_components: encoder,
        decoder=lambda n_features, n_components: decoder,
        max_iter=8,
    ).fit(digits)
    assert first.selected_model_ == "network"
    assert_keras_models_agree(first, digits)
    models = first.encoder_, first.decoder_
    # Two estimators share neither the user's models nor their copies.
    second = clone(first).fit(digits)
    np.testing.assert_array_equal(second.transform(digits), first.transform(digits))
    of_first, of_second = (
        {id(variable) for model in pair for variable in model.variables}
        for pair in (models, (second.encoder_, second.decoder_))
    )
    users = {id(variable) for variable in encoder.variables + decoder.variables}
    assert not of_first & of_second | of_first & users | of_second & users
    after = encoder.get_weights() + decoder.get_weights()
    for was, now in zip(before, after, strict=True):
        np.testing.assert_array_equal(now, was)


def regularised(n_features, n_components):
    import keras

    codes = keras.Input((n_components,))
    hidden = keras.layers.Dense(16, "silu", kernel_regularizer="l2")(codes)
    return keras.Model(codes, keras.layers.Dense(n_features)(hidden))


@pytest.mark.slow
def test_a_custom_decoder_trains_reproducibly(digits):
    fitted = small_network(decoder=regularised, skip_connections=None).fit(digits)
    assert fitted.score(digits) > PCA(3).fit(digits).explained_variance_ratio_.sum()
    again = clone(fitted).fit(digits)
    np.testing.assert_array_equal(again.transform(digits), fitted.transform(digits))
    assert_keras_models_agree(fitted, digits)


def adapted_normalization(keras):
    layer = keras.layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(2, 3, size=(50, 64)))
    return layer


def low_rank(keras):
    layer = keras.layers.Dense(8, "relu")
    layer.build((None, 8))
    layer.enable_lora(2)
    return layer


@pytest.mark.slow
def test_layers_that_do_not_train_stay_as_they_are(digits):
    import keras

    model = keras.Sequential(
        [
            keras.Input((64,)),
            adapted_normalization(keras),
            keras.layers.Dense(8, "relu", trainable=False),
            low_rank(keras),
            keras.layers.Dense(3),
        ]
    )
    fixed = [variable.numpy() for variable in model.non_trainable_variables]
    fitted = small_network(encoder=lambda n_features, n_components: model).fit(digits)
    assert fitted.selected_model_ == "network"
    _, kept = fitted._model.weights["encoder"]
    before, after = (
        [array for array in arrays if array.dtype.kind == "f"]
        for arrays in (fixed, kept)
    )
    # Mean and variance, a frozen kernel and bias, and the kernel beside which low-rank
    # factors train.
    assert len(before) == 5
    for was, now in zip(before, after, strict=True):
        np.testing.assert_array_equal(now, was)
    assert_keras_models_agree(fitted, digits)


def test_constraints_of_custom_layers_hold(digits):
    def constrained(n_features, n_components):
        import keras

        rows = keras.Input((n_features,))
        codes = keras.layers.Dense(
            n_components,
            use_bias=False,
            kernel_initializer="random_uniform",
            kernel_constraint="non_neg",
        )(rows)
        return keras.Model(rows, codes)

    fitted = small_network(encoder=constrained, skip_connections=None, max_iter=2).fit(
        digits
    )
    (kernel,), _ = fitted._model.weights["encoder"]
    assert kernel.shape == (64, 3)
    assert kernel.min() == 0


def test_training_starts_at_the_weights_of_an_existing_model():
    encoder = existing(64, 3)
    layers = CustomLayers(lambda n_features, n_components: encoder)
    spec = dense_spec(64, 3, (8,), encoder=layers, linear_path=False)
    rng = np.random.RandomState(0)
    found = initial_weights(build_networks(spec), None, WeightScales(1.0), rng)
    for values, variables in zip(
        found["encoder"],
        (encoder.trainable_variables, encoder.non_trainable_variables),
        strict=True,
    ):
        for value, variable in zip(values, variables, strict=True):
            np.testing.assert_array_equal(value, variable.numpy())


def test_a_model_that_keras_cannot_copy_says_so():
    import keras

    class Encoder(keras.Model):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def call(self, rows):
            return self.layer(rows)

        def get_config(self):
            raise NotImplementedError("no configuration")

    encoder = Encoder(keras.layers.Dense(3))
    layers = CustomLayers(lambda n_features, n_components: encoder)
    spec = dense_spec(64, 3, (8,), encoder=layers, linear_path=False)
    networks, rng = build_networks(spec), np.random.RandomState(0)
    weights = initial_weights(networks, None, WeightScales(1.0), rng)
    model = NetworkModel.of_weights(spec, Scaling.none(64), weights)
    with pytest.raises(ValueError, match="returns the same model at every call"):
        keras_encoder(model)


def test_models_that_share_weights_are_refused(digits):
    import keras

    shared = keras.layers.Dense(64)

    def encoder(n_features, n_components):
        return keras.Sequential([shared, keras.layers.Dense(n_components)])

    def decoder(n_features, n_components):
        return keras.Sequential([keras.layers.Dense(n_features), shared])

    with pytest.raises(ValueError, match="callable share weights"):
        small_network(encoder=encoder, decoder=decoder).fit(digits)


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_a_model_in_place_of_a_callable_is_refused(role, digits):
    with pytest.raises(TypeError, match=f"{role} must be a callable that returns a"):
        small_network(**{role: existing(64, 64)}).fit(digits)


@pytest.mark.parametrize(
    "end",
    [
        "sigmoid",
        "a layer",
        *(pytest.param(end, marks=pytest.mark.weekly) for end in ("tanh", "relu")),
        pytest.param("softmax", marks=pytest.mark.weekly),
    ],
)
def test_a_decoder_that_cannot_return_centred_rows_is_refused(end, digits):
    import keras

    def decoder(n_features, n_components):
        more = [keras.layers.ReLU()] if end == "a layer" else []
        activation = None if end == "a layer" else end
        return keras.Sequential(
            [
                keras.Input((n_components,)),
                keras.layers.Dense(n_features, activation),
                *more,
            ]
        )

    bounded = small_network(decoder=decoder, skip_connections=None)
    with pytest.raises(ValueError, match=r"'decoder' .* ends with .* Leave out"):
        bounded.fit(digits)
    # Beside the linear path it can, and rows that are not centred may lie in its range.
    small_network(decoder=decoder, max_iter=1).fit(digits)
    bounded.set_params(output_activation="relu", max_iter=1).fit(digits)


def test_a_decoder_that_ends_in_a_layer_without_bounds_is_accepted(digits):
    import keras

    def decoder(n_features, n_components):
        return keras.Sequential(
            [
                keras.Input((n_components,)),
                keras.layers.Dense(n_features, "tanh"),
                keras.layers.Rescaling(100.0),
            ]
        )

    fitted = small_network(decoder=decoder, skip_connections=None, max_iter=1)
    assert fitted.fit(digits).selected_model_ == "network"
