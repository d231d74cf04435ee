"""Custom networks, skip connections, and the Keras models of a fit."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer


def encoder(n_features, n_components):
    import keras

    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Dense(32, "silu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(n_components),
        ]
    )


def decoder(n_features, n_components):
    import keras

    codes = keras.Input((n_components,))
    hidden = keras.layers.Dense(32, "silu", kernel_regularizer="l2")(codes)
    return keras.Model(codes, keras.layers.Dense(n_features)(hidden))


CUSTOM = [
    dict(encoder=encoder),
    dict(decoder=decoder),
    dict(encoder=encoder, decoder=decoder),
]


@pytest.mark.parametrize("networks", CUSTOM, ids=lambda networks: "+".join(networks))
@pytest.mark.parametrize("skip_connections", ["linear", None])
def test_custom_networks_train_reproducibly_and_agree_with_keras(
    networks, skip_connections, digits
):
    fitted = small_network(
        max_iter=40, skip_connections=skip_connections, **networks
    ).fit(digits)
    pca = PCA(3).fit(digits).explained_variance_ratio_.sum()
    assert fitted.score(digits) > pca
    np.testing.assert_array_equal(
        fitted.transform(digits), clone(fitted).fit(digits).transform(digits)
    )
    np.testing.assert_allclose(
        fitted.encoder_.predict(digits, verbose=0),
        fitted.transform(digits),
        rtol=1e-3,
        atol=1e-3,
    )


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

    fitted = AutoencoderTransformer(
        3, encoder=constrained, skip_connections=None, max_iter=3, random_state=0
    ).fit(digits)
    (kernel,), _ = fitted._codec.weights["encoder"]
    assert kernel.shape == (64, 3)
    assert kernel.min() == 0


@pytest.mark.parametrize(
    ("skip_connections", "networks"),
    [("dense", {}), *(("linear", networks) for networks in [{}, *CUSTOM])],
)
def test_training_starts_at_pca(skip_connections, networks, digits):
    # At this learning rate the weights do not change. So the loss is that of the
    # initial weights.
    fitted = small_network(
        skip_connections=skip_connections,
        early_stopping=False,
        learning_rate=1e-30,
        max_iter=1,
        **networks,
    ).fit(digits)
    pca = PCA(3).fit(digits).explained_variance_ratio_.sum()
    assert fitted.loss_curve_[0] == pytest.approx(1 - pca, rel=1e-4)


def test_dense_skip_connections_pass_the_input_to_every_hidden_layer(digits):
    fitted = small_network(
        skip_connections="dense", hidden_layer_sizes=(32, 16), max_iter=30
    ).fit(digits)
    kernels = {
        variable.path.split("/")[-2]: tuple(variable.shape)
        for variable in fitted.encoder_.weights
        if variable.path.endswith("kernel")
    }
    assert kernels["hidden_0"] == (64, 32)
    assert kernels["hidden_1"] == (32 + 64, 16)
    assert fitted.score(digits) > PCA(3).fit(digits).explained_variance_ratio_.sum()


def test_without_skip_connections_there_may_be_more_components_than_features(curve):
    fitted = small_network(n_components=7, skip_connections=None).fit(curve)
    assert fitted.transform(curve).shape == (len(curve), 7)
    assert fitted.encoder_.output_shape == (None, 7)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (32,)], ids=["pca", "network"])
def test_keras_models_agree_with_the_estimator(
    hidden_layer_sizes, whiten, digits, tmp_path
):
    import keras

    fitted = small_network(hidden_layer_sizes=hidden_layer_sizes, whiten=whiten)
    X = 255 * digits + 1000
    codes = fitted.fit(X).transform(X)
    tolerance = dict(rtol=1e-3, atol=1e-3 * np.abs(codes).max())
    np.testing.assert_allclose(
        fitted.encoder_.predict(X, verbose=0), codes, **tolerance
    )
    np.testing.assert_allclose(
        fitted.decoder_.predict(codes, verbose=0),
        fitted.inverse_transform(codes),
        rtol=1e-4,
        atol=1e-2,
    )
    assert fitted.encoder_ is fitted.encoder_
    for model in (fitted.encoder_, fitted.decoder_):
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        inputs = X if model is fitted.encoder_ else codes
        np.testing.assert_array_equal(
            loaded.predict(inputs[:9], verbose=0), model.predict(inputs[:9], verbose=0)
        )


def test_keras_models_follow_the_latest_fit(digits):
    fitted = small_network(max_iter=2).fit(digits)
    before = fitted.encoder_
    fitted.set_params(n_components=2).fit(digits)
    assert fitted.encoder_ is not before
    assert fitted.encoder_.output_shape == (None, 2)


def test_an_activation_may_be_a_name_or_a_function(digits):
    import keras

    by_name = small_network(activation="tanh").fit(digits).transform(digits)
    by_function = small_network(activation=keras.ops.tanh).fit(digits)
    # NumPy computes the first, a compiled program the second.
    np.testing.assert_allclose(
        by_function.transform(digits), by_name, rtol=1e-5, atol=2e-5
    )
    assert isinstance(by_function, AutoencoderTransformer)


def test_a_network_with_output_activation_trains_on_unscaled_data(digits):
    X = digits / 16
    fitted = small_network(
        output_activation="sigmoid", skip_connections=None, max_iter=60
    ).fit(X)
    rows = fitted.reconstruct(X)
    assert rows.min() >= 0
    assert rows.max() <= 1
    assert np.square(X - rows).mean() == pytest.approx(fitted.loss_curve_[-1], rel=0.2)
    np.testing.assert_allclose(
        fitted.decoder_.predict(fitted.transform(X), verbose=0), rows, atol=1e-4
    )
    np.testing.assert_allclose(fitted.mean_, X.mean(axis=0))


def test_an_invalid_output_activation_raises(digits):
    with pytest.raises(ValueError, match="needs skip_connections=None"):
        small_network(output_activation="sigmoid").fit(digits)
    with pytest.raises(ValueError, match="instance of a Keras activation"):
        small_network(output_activation="sigmoidal", skip_connections=None).fit(digits)
