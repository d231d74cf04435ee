"""Networks of the user's: existing weights, frozen layers, batch statistics."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.base import clone

from skae._networks import CustomLayers, DenseLayers, NetworkSpec, build_networks


def existing(n_inputs, n_outputs, normalises=True):
    import keras

    drawn = keras.initializers.GlorotUniform
    layers = [
        keras.Input((n_inputs,)),
        keras.layers.Dense(32, "relu", kernel_initializer=drawn(1)),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(n_outputs, kernel_initializer=drawn(2)),
    ]
    if not normalises:
        del layers[2]
    return keras.Sequential(layers)


def test_a_model_that_exists_already_is_copied(digits):
    encoder, decoder = existing(64, 3), existing(3, 64)
    before = encoder.get_weights() + decoder.get_weights()
    first = small_network(
        encoder=lambda n_features, n_components: encoder,
        decoder=lambda n_features, n_components: decoder,
        max_iter=8,
    ).fit(digits)
    assert first.selected_model_ == "network"
    models = first.encoder_, first.decoder_
    # Two estimators share neither the user's model nor its copies.
    second = clone(first).set_params(random_state=1, max_iter=2).fit(digits)
    _ = second.encoder_, second.decoder_
    codes = first.transform(digits)
    for found, expected in (
        (models[0].predict(digits, verbose=0), codes),
        (models[1].predict(codes, verbose=0), first.inverse_transform(codes)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    after = encoder.get_weights() + decoder.get_weights()
    for was, now in zip(before, after, strict=True):
        np.testing.assert_array_equal(now, was)


def test_training_starts_at_the_weights_of_an_existing_model(digits):
    import keras

    # Without a linear path, a rate this small leaves the model as it was.
    encoder = existing(64, 3, normalises=False)
    fitted = small_network(
        encoder=lambda n_features, n_components: encoder,
        skip_connections=None,
        learning_rate=1e-12,
        max_iter=1,
        alpha=0.0,
    ).fit(digits)
    scaled = (digits - digits.mean(axis=0)) / np.sqrt(digits.var(axis=0).mean())
    expected = keras.ops.convert_to_numpy(encoder(scaled.astype(np.float32)))
    codes = fitted.transform(digits)
    # Codes have units of the data, and are only sorted.
    for code in codes.T:
        correlations = [abs(np.corrcoef(code, one)[0, 1]) for one in expected.T]
        assert max(correlations) > 1 - 1e-6


def test_a_model_that_keras_cannot_copy_says_so(digits):
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
    fitted = small_network(
        encoder=lambda n_features, n_components: encoder,
        skip_connections=None,
        max_iter=2,
    ).fit(digits)
    with pytest.raises(ValueError, match="returns the same model at every call"):
        _ = fitted.encoder_


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


@pytest.mark.parametrize("layers", [frozen, adapted, low_rank])
def test_layers_that_do_not_train_stay_as_they_are(layers, digits):
    import keras

    model = keras.Sequential([keras.Input((64,)), *layers(keras)])
    fixed = [variable.numpy() for variable in model.non_trainable_variables]
    fitted = small_network(
        encoder=lambda n_features, n_components: model, max_iter=6
    ).fit(digits)
    assert fitted.selected_model_ == "network"
    _, kept = fitted._codec.weights["encoder"]
    floats = [array for array in kept if array.dtype.kind == "f"]
    for was, now in zip(
        [array for array in fixed if array.dtype.kind == "f"], floats, strict=True
    ):
        np.testing.assert_array_equal(now, was)
    np.testing.assert_allclose(
        fitted.encoder_.predict(digits, verbose=0),
        fitted.transform(digits),
        rtol=1e-3,
        atol=1e-3,
    )
