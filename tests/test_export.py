"""The Keras models of a fitted estimator, as a Keras user handles them."""

import numpy as np
import pytest
from conftest import run, small_network

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)


@pytest.fixture(scope="module")
def fitted(digits):
    return small_network(whiten=True).fit(digits)


def test_only_the_network_of_a_model_trains(fitted, digits):
    import keras

    rows = keras.Input((64,))
    whole = keras.Model(rows, fitted.decoder_(fitted.encoder_(rows)))
    constants = [variable.numpy() for variable in whole.non_trainable_variables]
    network = fitted._codec.weights
    assert len(whole.trainable_variables) == sum(
        len(network[side][0]) for side in ("encoder", "decoder")
    )
    whole.compile("adam", "mse")
    whole.fit(digits[:256], digits[:256], verbose=0)
    for was, variable in zip(constants, whole.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), was)
    fitted._forget_keras_models()


@pytest.mark.parametrize("kind", ["network", "pca", "variational"])
def test_encoder_and_decoder_save_into_one_file(kind, fitted, digits, tmp_path):
    import keras

    estimator = {
        "network": fitted,
        "pca": AutoencoderTransformer(3, hidden_layer_sizes=()),
        "variational": VariationalAutoencoderTransformer(
            3,
            likelihood="bernoulli",
            hidden_layer_sizes=(16,),
            max_iter=2,
            random_state=0,
        ),
    }[kind]
    X = digits / 16
    if kind != "network":
        estimator.fit(X)
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


WITHOUT_SKAE = """
import sys
sys.modules["skae"] = None
import keras, numpy as np
rows, names = np.load({rows!r}), {names!r}
for name in names:
    models = {{
        side: keras.models.load_model({folder!r} + f"/{{name}}_{{side}}.keras",
                                      safe_mode=True)
        for side in ("encoder", "decoder")
    }}
    codes = models["encoder"](rows)
    restored = models["decoder"](codes)
    found = keras.ops.convert_to_numpy(codes), keras.ops.convert_to_numpy(restored)
    np.savez({folder!r} + f"/{{name}}.npz", *found)
"""


@pytest.fixture(scope="module")
def keras_files(digits, tmp_path_factory):
    """Return a folder with Keras files, and estimators by the files' names."""
    folder = tmp_path_factory.mktemp("files")
    X = digits / 16
    short = dict(
        early_stopping=False, hidden_layer_sizes=(8,), max_iter=1, random_state=0
    )
    estimators = {
        "dense": AutoencoderTransformer(3, skip_connections="dense", **short),
        "pca": AutoencoderTransformer(3, hidden_layer_sizes=(), whiten=True),
        "convolutional": ConvolutionalAutoencoderTransformer(3, filters=4, **short),
        "variational": VariationalAutoencoderTransformer(3, **short),
    }
    np.save(folder / "rows.npy", X[:50].astype(np.float32))
    for name, estimator in estimators.items():
        estimator.fit(X)
        estimator.encoder_.save(folder / f"{name}_encoder.keras")
        estimator.decoder_.save(folder / f"{name}_decoder.keras")
    return folder, estimators


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_a_process_without_skae_loads_keras_files_in_safe_mode(
    backend, keras_files, tmp_path
):
    pytest.importorskip(backend)
    folder, estimators = keras_files
    rows = folder / "rows.npy"
    code = WITHOUT_SKAE.format(
        rows=str(rows), folder=str(folder), names=list(estimators)
    )
    result = run(code, KERAS_BACKEND=backend, KERAS_HOME=str(tmp_path))
    assert result.returncode == 0, result.stderr
    X = np.load(rows)
    for name, estimator in estimators.items():
        with np.load(folder / f"{name}.npz") as found:
            codes, restored = found["arr_0"], found["arr_1"]
        np.testing.assert_allclose(codes, estimator.transform(X), atol=1e-5)
        np.testing.assert_allclose(restored, estimator.reconstruct(X), atol=1e-5)
