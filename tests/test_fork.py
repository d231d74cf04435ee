"""A process that was forked after Keras had started cannot use compiled code."""

import os
import pickle

import pytest
from conftest import LAYOUT_0, loaded, run

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this operating system does not fork"
)

CHILDREN = """
import multiprocessing, sys, warnings
import numpy as np
from skae import *

# JAX warns of forks in general.
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(60, 16))
small = dict(n_components=2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)
plain = dict(small, skip_connections=None)

def custom(n_features, n_components):
    import keras
    layers = [keras.Input((n_features,)), keras.layers.Dense(n_components)]
    return keras.Sequential(layers)

pca = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
dense = AutoencoderTransformer(**plain).fit(X)
compiled = AutoencoderTransformer(**plain, activation="gelu").fit(X)
own = AutoencoderTransformer(**plain, encoder=custom).fit(X)
batches = AutoencoderTransformer(**small).partial_fit(X)
variational = VariationalAutoencoderTransformer(**small).fit(X)
images = ConvolutionalAutoencoderTransformer(
    2, filters=2, hidden_layer_sizes=(), max_iter=1, skip_connections=None
).fit(X)
codes = {
    model: model.transform(X) for model in (pca, dense, images, compiled, own)
}

def same(model):
    np.testing.assert_array_equal(model.transform(X), codes[model])
    assert np.isfinite(model.reconstruct(X)).all()

actions = {
    "pca transforms": lambda: same(pca),
    "pca fits": lambda: pca.fit(X),
    "dense transforms": lambda: same(dense),
    "dense scores": lambda: dense.score(X),
    "images transform": lambda: same(images),
    "dense samples": lambda: dense.sample(3),
    "dense fits": lambda: dense.fit(X),
    "dense exports": lambda: dense.encoder_,
    "compiled transforms": lambda: same(compiled),
    "own transforms": lambda: same(own),
    "variational scores": lambda: variational.score(X),
    "batches continue": lambda: batches.partial_fit(X),
    "new network fits": lambda: AutoencoderTransformer(
        2, hidden_layer_sizes=(9,), max_iter=2
    ).fit(X),
    "new images fit": lambda: ConvolutionalAutoencoderTransformer(
        2, filters=4, hidden_layer_sizes=(8,), max_iter=2
    ).fit(X),
}

def child(name):
    try:
        actions[name]()
        outcome = "works"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    print(f"{name} = {outcome}", flush=True)

for name in actions:
    process = multiprocessing.get_context("fork").Process(target=child, args=(name,))
    process.start()
    process.join(timeout=10)
    if process.is_alive():
        print(f"{name} = hangs", flush=True)
        process.kill()
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Return what forked processes came to, by name."""
    result = run(CHILDREN, KERAS_HOME=str(tmp_path_factory.mktemp("keras")))
    assert result.returncode == 0, result.stderr
    return dict(line.split(" = ") for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    "name",
    [
        "pca transforms",
        "pca fits",
        "dense transforms",
        "dense scores",
        "dense samples",
        "images transform",
    ],
)
def test_numpy_works_in_a_forked_process(name, outcomes):
    assert outcomes[name] == "works"


@pytest.mark.parametrize(
    "name",
    [
        "dense fits",
        "dense exports",
        "compiled transforms",
        "own transforms",
        "variational scores",
        "batches continue",
        "new network fits",
        "new images fit",
    ],
)
def test_compiled_code_raises_in_a_forked_process(name, outcomes):
    assert outcomes[name].startswith("RuntimeError: Keras was started before this")
    assert "spawn" in outcomes[name]
    assert "loky" in outcomes[name]


SEARCH = """
import warnings
import numpy as np
from joblib import parallel_backend
from sklearn.model_selection import cross_val_score
from skae import AutoencoderTransformer

warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(60, 6))
model = AutoencoderTransformer(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)

def scores(n_jobs):
    with parallel_backend("multiprocessing"):
        return cross_val_score(model, X, cv=2, n_jobs=n_jobs, error_score="raise")

in_workers = scores(2)
print(np.array_equal(in_workers, scores(1)))
try:
    scores(2)
except RuntimeError as error:
    print(error)
"""


def test_a_search_in_forked_workers_works_only_before_keras_starts(tmp_path):
    result = run(SEARCH, KERAS_HOME=str(tmp_path))
    first, second = result.stdout.splitlines()
    assert first == "True", result.stderr
    assert "Keras was started before this process was forked" in second


PREFORK = """
import multiprocessing, pickle, sys
import numpy as np

if __name__ == "__main__":
    with open({path!r}, "rb") as file:
        parts = pickle.load(file)
    for part in parts:
        part["estimator"] = pickle.loads(part["stored"])
    def transformed(number):
        part = parts[number]
        found = getattr(part["estimator"], part["method"])(part["rows"])
        assert not {{"keras", "jax", "tensorflow", "torch"}} & sys.modules.keys()
        return found
    with multiprocessing.get_context("fork").Pool(2) as children:
        found = children.map_async(transformed, range(len(parts))).get(timeout=60)
    for part, one in zip(parts, found):
        np.testing.assert_allclose(one, part["expected"], rtol=1e-5, atol=1e-5)
"""


def test_a_server_loads_in_the_parent_and_forked_children_transform(tmp_path):
    parts = [
        part | {"stored": pickle.dumps(loaded(part["stored"]))}
        for part in LAYOUT_0.values()
    ]
    (tmp_path / "parts").write_bytes(pickle.dumps(parts))
    result = run(PREFORK.format(path=str(tmp_path / "parts")))
    assert result.returncode == 0, result.stderr
