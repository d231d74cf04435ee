"""Backends agree with JAX, and every backend loads what another one has fitted.

Each backend runs in processes of its own. One fits and stores, another one loads what
a process on another backend has stored.

Backends round differently. At PCA some gradients consist of rounding errors only, and
Adam turns these into steps of full length. So networks that start at PCA are trained by
gradient descent with momentum, whose steps are as short as the gradients. Noise differs
between backends. So where an objective draws noise, it gets the same constants on every
backend.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import run

BACKENDS = [name for name in ("jax", "tensorflow", "torch") if find_spec(name)]
OTHERS = [name for name in BACKENDS if name != "jax"]
pytestmark = pytest.mark.skipif(not OTHERS, reason="needs a second backend")

# A pickle names `custom` by its module, the script. So all scripts define it.
COMMON = """
import os, pickle, sys, warnings
import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from skae import *
from skae import _keras as keras

X, y = load_digits(return_X_y=True)
X, y = X[:600], y[:600]
TRAINED_ALIKE = ["dense", "convolutional", "custom", "labels", "variational"]

def custom(n_features, n_components):
    rows = keras.Input((n_features,))
    images = keras.layers.Reshape((8, 8, 1))(rows)
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="tanh")(images)
    codes = keras.layers.Dense(n_components)(keras.layers.Flatten()(hidden))
    return keras.Model(rows, codes)
"""

FIT = """
from skae._backends import backend
from skae._backends._base import KerasEngine

# Short steps are wanted here.
warnings.filterwarnings("ignore", "learning_rate=.* is small for SGD")

def draw(self, noise, kind, shape, stream=0):
    half = (np.arange(shape[-1]) % 2).astype("float32")
    return keras.ops.broadcast_to(keras.ops.convert_to_tensor(half), shape)

backend()
for kind in KerasEngine.__subclasses__():
    kind.draw = draw

shared = dict(
    n_components=4, hidden_layer_sizes=(16,), activation="tanh", max_iter=8,
    early_stopping=False, random_state=0,
)
steps = {
    rate: keras.optimizers.SGD(rate, momentum=0.9) for rate in (0.02, 0.005, 0.001)
}

def autoencoder(**more):
    return AutoencoderTransformer(**{**shared, **more})

models = {
    "dense": autoencoder(
        skip_connections=None, learning_rate=1e-3, activation="gelu", whiten=True
    ),
    "convolutional": autoencoder(
        image_shape=(8, 8), filters=4, optimizer=steps[0.02]
    ),
    "custom": autoencoder(encoder=custom, optimizer=steps[0.001]),
    "labels": autoencoder(
        optimizer=steps[0.02], target_weight=0.5, corruption="gaussian"
    ),
    "variational": VariationalAutoencoderTransformer(
        **{**shared, "optimizer": steps[0.005]}
    ),
    "incremental": autoencoder(dropout=0.1).partial_fit(X),
    "pca": autoencoder(hidden_layer_sizes=(), whiten=True).fit(X),
}
found = {}
for name in TRAINED_ALIKE:
    model = models[name].fit(X, y)
    found[name + " losses"] = model.loss_curve_
    found[name + " kind"] = model.selected_model_

# A worker process imports everything anew.
alone = AutoencoderTransformer(hidden_layer_sizes=4, max_iter=1, skip_connections=None)
Parallel(n_jobs=2)([delayed(alone.fit)(X[:40])])
assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ

# Keras imports TensorFlow, which prints, when it saves a model.
print("so far", file=sys.stderr, flush=True)
for name, model in models.items():
    codes = model.transform(X)
    found[name + " codes"] = codes
    found[name + " rows"] = model.inverse_transform(codes)
    found[name + " score"] = model.score(X)
for name in ("dense", "convolutional", "variational", "pca"):
    models[name].encoder_.save(f"{FOLDER}/{name}_encoder.keras")
    models[name].decoder_.save(f"{FOLDER}/{name}_decoder.keras")
with open(f"{FOLDER}/models.pickle", "wb") as file:
    pickle.dump(models, file)
np.savez(f"{FOLDER}/found.npz", X=X, **found)
"""

LOAD_WITHOUT_SKAE = """
import sys
sys.modules["skae"] = None
import keras
import numpy as np

found = np.load(f"{FOLDER}/found.npz")
for name in ("dense", "convolutional", "variational", "pca"):
    encoder, decoder = (
        keras.models.load_model(f"{FOLDER}/{name}_{side}.keras", safe_mode=True)
        for side in ("encoder", "decoder")
    )
    codes = encoder(found["X"].astype("float32"))
    rows = keras.ops.convert_to_numpy(decoder(codes))
    codes = keras.ops.convert_to_numpy(codes)
    np.testing.assert_allclose(codes, found[name + " codes"], 1e-4, 1e-4)
    np.testing.assert_allclose(rows, found[name + " rows"], 1e-4, 1e-4)
print("loaded Keras files")
del sys.modules["skae"]
"""

LOAD = """
found = np.load(f"{FOLDER}/found.npz")
with open(f"{FOLDER}/models.pickle", "rb") as file:
    models = pickle.load(file)
for name, model in models.items():
    codes, rows = found[name + " codes"], found[name + " rows"]
    np.testing.assert_allclose(model.transform(X), codes, 1e-4, 1e-4)
    np.testing.assert_allclose(model.inverse_transform(codes), rows, 1e-4, 1e-4)
    np.testing.assert_allclose(model.score(X), found[name + " score"], 1e-3)
    exported = keras.ops.convert_to_numpy(model.encoder_(X.astype("float32")))
    np.testing.assert_allclose(exported, codes, 1e-3, 1e-3)
# A state of training moves as well.
more = models["incremental"].partial_fit(X)
assert np.isfinite(more.transform(X)).all()
print("loaded pickles")
"""


def on_each_backend(code_of):
    """Run code on all backends at the same time, and return the processes."""

    def on(name):
        code, home = code_of(name)
        return run(code, 600, KERAS_BACKEND=name, KERAS_HOME=str(home))

    with ThreadPoolExecutor(len(BACKENDS)) as threads:
        return dict(zip(BACKENDS, threads.map(on, BACKENDS), strict=True))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return the folder of what each backend has fitted and stored."""
    found = {name: tmp_path_factory.mktemp(name) for name in BACKENDS}

    def fitting(name):
        return f"FOLDER = {str(found[name])!r}\n" + COMMON + FIT, found[name]

    for name, done in on_each_backend(fitting).items():
        assert done.returncode == 0, f"{name}: {done.stderr}"
        (found[name] / "printed.txt").write_text(done.stdout + done.stderr)
    return found


@pytest.fixture(scope="module")
def processes_that_load(folders, tmp_path_factory):
    """Return, for each backend, the process that loads what the next one has stored."""
    home = tmp_path_factory.mktemp("home")

    def loading(name):
        other = BACKENDS[(BACKENDS.index(name) + 1) % len(BACKENDS)]
        folder = f"FOLDER = {str(folders[other])!r}\n"
        return folder + LOAD_WITHOUT_SKAE + COMMON + LOAD, home

    return on_each_backend(loading)


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS)
def test_codes_and_losses_agree_with_jax(backend, folders):
    found, expected = (
        np.load(folders[name] / "found.npz") for name in (backend, "jax")
    )
    for name in ("dense", "convolutional", "custom", "labels", "variational"):
        assert found[f"{name} kind"] == expected[f"{name} kind"] == "network"
        losses, of_jax = found[f"{name} losses"], expected[f"{name} losses"]
        np.testing.assert_allclose(losses[0], of_jax[0], rtol=1e-5)
        np.testing.assert_allclose(losses, of_jax, rtol=1e-3)
        codes, of_jax = found[f"{name} codes"], expected[f"{name} codes"]
        assert np.linalg.norm(codes - of_jax) < 1e-3 * np.linalg.norm(of_jax)


# TensorFlow writes these before it reads the level of its log.
EARLY_NOTE = re.compile("oneDNN custom operations|before absl::InitializeLog")


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_printed(backend, folders):
    # What libraries in C++ write is here, too, also that of worker processes.
    printed = (folders[backend] / "printed.txt").read_text()
    lines = printed.partition("so far\n")[0].splitlines()
    if backend == "tensorflow":
        lines = [line for line in lines if not EARLY_NOTE.search(line)]
    assert lines == []


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_loads_the_models_of_another(backend, processes_that_load):
    done = processes_that_load[backend]
    expected = ["loaded Keras files", "loaded pickles"]
    assert done.stdout.splitlines() == expected, done.stderr
