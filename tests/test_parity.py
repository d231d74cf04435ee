"""Backends agree with JAX, and every backend loads what another one has fitted.

Each backend runs in a process of its own. Backends round differently. At PCA some
gradients consist of rounding errors only, and Adam turns these into steps of full
length. So networks that start at PCA are trained by gradient descent with momentum,
whose steps are as short as the gradients. Noise differs between backends. So where an
objective draws noise, it gets the same constants on every backend.
"""

import json
import os
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import run

BACKENDS = [name for name in ("jax", "tensorflow", "torch") if find_spec(name)]
OTHERS = [name for name in BACKENDS if name != "jax"]

ESTIMATORS = """
import warnings
import numpy as np
from sklearn.datasets import load_digits
from skae import *
from skae import _keras as keras
from skae._engines import backend

# Short steps are wanted here.
warnings.filterwarnings("ignore", "learning_rate=.* is small for SGD")

def draw(self, noise, kind, shape, stream=0):
    half = (np.arange(shape[-1]) % 2).astype("float32")
    return keras.ops.broadcast_to(keras.ops.convert_to_tensor(half), shape)

def convolutional(n_features, n_components):
    rows = keras.Input((n_features,))
    images = keras.layers.Reshape((8, 8, 1))(rows)
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="tanh")(images)
    codes = keras.layers.Dense(n_components)(keras.layers.Flatten()(hidden))
    return keras.Model(rows, codes)

X, y = load_digits(return_X_y=True)
kept = dict(hidden_layer_sizes=(32,), activation="tanh", max_iter=20, random_state=0)
dense = lambda **more: AutoencoderTransformer(4, **{**kept, **more})
momentum, slow = (keras.optimizers.SGD(rate, momentum=0.9) for rate in (0.02, 0.005))
models = {
    "dense": dense(optimizer=momentum),
    "dense, Adam": dense(skip_connections=None, learning_rate=1e-3),
    "convolutional": ConvolutionalAutoencoderTransformer(
        4, filters=4, image_shape=(8, 8), **kept
    ).set_params(optimizer=momentum),
    "custom": dense(
        encoder=convolutional, optimizer=keras.optimizers.SGD(0.001, momentum=0.9)
    ),
    "labelled": dense(optimizer=momentum, target_weight=0.5),
    "corrupted": dense(optimizer=momentum, corruption="gaussian"),
    "variational": VariationalAutoencoderTransformer(4, **kept).set_params(
        optimizer=slow
    ),
}
"""

FIT = (
    ESTIMATORS
    + """
from skae._engines._keras_engine import KerasEngine
backend()
for kind in KerasEngine.__subclasses__():
    kind.draw = draw
found = {}
for name, model in models.items():
    model.set_params(early_stopping=False).fit(X, y)
    found[name] = model.transform(X)
    found[name + " losses"] = model.loss_curve_
    found[name + " kind"] = model.selected_model_
np.savez(PATH, **found)
"""
)


def results(name, folder):
    path = folder / f"{name}.npz"
    code = f"PATH = {str(path)!r}\n" + FIT
    done = run(code, KERAS_BACKEND=name, KERAS_HOME=str(folder), timeout=600)
    assert path.exists(), done.stderr
    with np.load(path) as found:
        return dict(found)


@pytest.fixture(scope="module")
def of_jax(tmp_path_factory):
    return results("jax", tmp_path_factory.mktemp("jax"))


@pytest.fixture(scope="module", params=OTHERS)
def of_another(request, tmp_path_factory):
    return results(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize(
    "estimator",
    [
        "dense",
        "dense, Adam",
        "convolutional",
        "custom",
        "labelled",
        "corrupted",
        "variational",
    ],
)
def test_codes_and_losses_agree_with_jax(estimator, of_jax, of_another):
    assert of_another[f"{estimator} kind"] == of_jax[f"{estimator} kind"] == "network"
    losses, expected = of_another[f"{estimator} losses"], of_jax[f"{estimator} losses"]
    np.testing.assert_allclose(losses[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
    difference = np.linalg.norm(of_another[estimator] - of_jax[estimator])
    assert difference < 1e-3 * np.linalg.norm(of_jax[estimator])


PICKLED = """
import pickle
import numpy as np
from sklearn.datasets import load_digits
from skae import *
X = load_digits().data[:400]
small = dict(hidden_layer_sizes=(16,), max_iter=3, random_state=0)
few = dict(small, early_stopping=False, skip_connections=None)
"""

DUMP = (
    PICKLED
    + """
models = [
    AutoencoderTransformer(3, **few),
    AutoencoderTransformer(3, activation="gelu", **few),
    ConvolutionalAutoencoderTransformer(3, filters=4, **small),
    VariationalAutoencoderTransformer(3, **small),
    AutoencoderTransformer(3, dropout=0.1, **small).partial_fit(X),
]
for model in models[:-1]:
    model.fit(X)
codes = [model.transform(X) for model in models]
rows = [model.inverse_transform(code) for model, code in zip(models, codes)]
scores = [model.score(X) for model in models]
pickle.dump((models, codes, rows, scores), open(PATH, "wb"))
"""
)

LOAD = (
    PICKLED
    + """
for path in PATHS:
    models, codes, rows, scores = pickle.load(open(path, "rb"))
    for model, code, row, score in zip(models, codes, rows, scores):
        np.testing.assert_allclose(model.transform(X), code, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(
            model.inverse_transform(code), row, rtol=1e-5, atol=1e-4
        )
        np.testing.assert_allclose(model.score(X), score, rtol=1e-3)
        exported = model.encoder_.predict(X, verbose=0)
        np.testing.assert_allclose(exported, code, rtol=1e-4, atol=1e-3)
    # A state of training moves as well.
    assert np.isfinite(models[-1].partial_fit(X).transform(X)).all()
    print("loaded")
"""
)


@pytest.fixture(scope="module")
def pickles(tmp_path_factory):
    """Return the path of the models that each backend has fitted."""
    folder = tmp_path_factory.mktemp("pickles")
    paths = {name: str(folder / name) for name in BACKENDS}
    for name, path in paths.items():
        code = f"PATH = {path!r}\n" + DUMP
        done = run(code, KERAS_BACKEND=name, KERAS_HOME=str(folder), timeout=600)
        assert os.path.exists(path), done.stderr
    return paths


@pytest.mark.parametrize("reader", BACKENDS)
def test_every_backend_loads_the_models_of_all(reader, pickles, tmp_path):
    code = f"PATHS = {json.dumps(list(pickles.values()))}\n" + LOAD
    done = run(code, KERAS_BACKEND=reader, KERAS_HOME=str(tmp_path), timeout=600)
    assert done.stdout.split() == ["loaded"] * len(BACKENDS), done.stderr
