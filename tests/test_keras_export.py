"""The Keras models of a fitted estimator, as a Keras user handles them."""

import numpy as np
import pytest
from conftest import small_network

from skae import (
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae import _keras as keras
from skae._inference import keras_decoder, keras_encoder


@pytest.fixture(scope="module")
def fitted(digits):
    """Return a fitted estimator that kept its network and whitens codes."""
    whitened = small_network(whiten=True).fit(digits)
    assert whitened.selected_model_ == "network"
    return whitened


def test_only_the_network_of_a_model_trains(fitted, digits):
    # New models, because this changes their weights.
    encoder, decoder = keras_encoder(fitted._model), keras_decoder(fitted._model)
    rows = keras.Input((64,))
    whole = keras.Model(rows, decoder(encoder(rows)))
    constants = [variable.numpy() for variable in whole.non_trainable_variables]
    network = fitted._model.weights
    assert len(whole.trainable_variables) == sum(
        len(network[side][0]) for side in ("encoder", "decoder")
    )
    whole.compile("sgd", "mse")
    before = whole.evaluate(digits[:256], digits[:256], verbose=0)
    whole.train_on_batch(digits[:256], digits[:256])
    assert whole.evaluate(digits[:256], digits[:256], verbose=0) != before
    for was, variable in zip(constants, whole.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), was)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["network", "pca", "variational"])
def test_encoder_and_decoder_save_into_one_file(kind, fitted, digits, tmp_path):
    if kind == "network":
        estimator, X = fitted, digits
    elif kind == "pca":
        X = digits
        estimator = AutoencoderTransformer(3, hidden_layer_sizes=()).fit(X)
    else:
        X = digits[:200] / 16
        estimator = VariationalAutoencoderTransformer(
            3,
            likelihood="bernoulli",
            hidden_layer_sizes=(16,),
            max_iter=1,
            early_stopping=False,
            random_state=0,
        ).fit(X)
    encoder, decoder = estimator.encoder_, estimator.decoder_
    both = keras.Model([encoder.input, decoder.input], [encoder.output, decoder.output])
    both.save(tmp_path / "both.keras")
    codes = estimator.transform(X)
    found = keras.models.load_model(tmp_path / "both.keras").predict(
        [X, codes], verbose=0
    )
    for part, expected in zip(
        found, (codes, estimator.inverse_transform(codes)), strict=True
    ):
        np.testing.assert_allclose(part, expected, rtol=1e-3, atol=1e-3)


def test_a_summary_has_one_line_for_each_part(fitted):
    assert [layer.name for layer in fitted.encoder_.layers] == [
        "rows",
        "encoder_scaling",
        "encoder_bounds",
        "encoder_network",
        "encoder_blend",
        "encoder_canonical",
    ]
    assert [layer.name for layer in fitted.decoder_.layers] == [
        "codes",
        "decoder_canonical",
        "decoder_bounds",
        "decoder_network",
        "decoder_blend",
        "decoder_scaling",
    ]
