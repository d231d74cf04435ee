"""Other processes: forked ones, which cannot use compiled code, and killed ones.

A process that was forked after Keras had started cannot use its compiled code.
"""

import os
import pickle

import numpy as np
import pytest
from conftest import images, run
from sklearn.base import clone

from skae import AutoencoderTransformer
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

FORKS = """
import multiprocessing, pickle, sys, warnings
import numpy as np
from joblib import parallel_backend
from sklearn.model_selection import cross_val_score
from skae import AutoencoderTransformer, VariationalAutoencoderTransformer

# JAX warns of forks in general.
warnings.simplefilter("ignore")
fork = multiprocessing.get_context("fork")

def outcomes(actions, timeout):
    for name, action in actions.items():
        process = fork.Process(target=child, args=(name, action))
        process.start()
        process.join(timeout)
        if process.is_alive():
            print(f"{name} = hangs", flush=True)
            process.kill()

def child(name, action):
    try:
        action()
        outcome = "works"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    print(f"{name} = {outcome}", flush=True)

# 1. A server loads estimators before it forks. Keras was not started.
def answer(estimator, method, rows, expected, needs_keras):
    found = getattr(estimator, method)(rows)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    started = {"keras", "jax", "tensorflow", "torch"} & sys.modules.keys()
    assert bool(started) == needs_keras

with open(PATH, "rb") as file:
    loaded = pickle.load(file)
outcomes({
    f"loaded {name}": lambda answers=answers: answer(*answers)
    for name, answers in loaded.items()
}, timeout=60)

# 2. A search in forked workers, before and after Keras is started here.
X = np.random.default_rng(0).normal(size=(60, 16))
small = dict(n_components=2, hidden_layer_sizes=(4,), max_iter=1, random_state=0)

def scores(n_jobs):
    model = AutoencoderTransformer(**small)
    with parallel_backend("multiprocessing"):
        return cross_val_score(model, X, cv=2, n_jobs=n_jobs, error_score="raise")

in_workers = scores(2)
print("first search =", np.array_equal(in_workers, scores(1)), flush=True)
try:
    scores(2)
except RuntimeError as error:
    print(f"second search = RuntimeError: {error}", flush=True)

# 3. What forked processes can do after Keras was started here.
plain = dict(small, skip_connections=None)

def custom(n_features, n_components):
    import keras
    layers = [keras.Input((n_features,)), keras.layers.Dense(n_components)]
    return keras.Sequential(layers)

pca = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
dense = AutoencoderTransformer(**plain).fit(X)
compiled = AutoencoderTransformer(**plain, activation="gelu").fit(X)
own = AutoencoderTransformer(**plain, encoder=custom).fit(X)
images = AutoencoderTransformer(**plain, image_shape="auto", filters=2).fit(X)
batches = AutoencoderTransformer(**small).partial_fit(X)
variational = VariationalAutoencoderTransformer(**small).fit(X)
codes = {model: model.transform(X) for model in (pca, dense)}
for model in (compiled, own, images):
    model.transform(X)

def same(model):
    np.testing.assert_array_equal(model.transform(X), codes[model])
    assert np.isfinite(model.reconstruct(X)).all()

outcomes({
    "pca transforms": lambda: same(pca),
    "pca fits": lambda: pca.fit(X),
    "dense transforms": lambda: same(dense),
    "dense scores": lambda: dense.score(X),
    "dense samples": lambda: dense.sample(3),
    "dense fits": lambda: dense.fit(X),
    "dense exports": lambda: dense.encoder_,
    "compiled transforms": lambda: compiled.transform(X),
    "own transforms": lambda: own.transform(X),
    "images transform": lambda: images.transform(X),
    "variational scores": lambda: variational.score(X),
    "batches continue": lambda: batches.partial_fit(X),
    "new network fits": lambda: AutoencoderTransformer(
        2, hidden_layer_sizes=(5,), max_iter=1
    ).fit(X),
}, timeout=30)
"""

ROWS = np.random.default_rng(0).normal(size=(60, 9))
PLAIN = {
    "hidden_layer_sizes": (4,),
    "max_iter": 1,
    "skip_connections": None,
    "random_state": 0,
}
TO_LOAD = {
    "pca": (AutoencoderTransformer(2, hidden_layer_sizes=()), "transform"),
    "dense": (AutoencoderTransformer(**PLAIN), "reconstruct"),
    "images": (images(filters=2, **PLAIN), "transform"),
    "detector": (
        AutoencoderOutlierDetector(
            AutoencoderTransformer(2, hidden_layer_sizes=()), random_state=0
        ),
        "score_samples",
    ),
    "imputer": (AutoencoderImputer(2, max_iter=0, random_state=0), "transform"),
}
"""Estimators of a server, and the method that it calls."""


COMPUTED_BY_NUMPY = [
    "pca transforms",
    "pca fits",
    "dense transforms",
    "dense scores",
    "dense samples",
]
COMPILED = [
    "dense fits",
    "dense exports",
    "compiled transforms",
    "own transforms",
    "images transform",
    "variational scores",
    "batches continue",
    "new network fits",
]


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the operating system cannot fork")
def test_forked_processes_compute_or_raise(tmp_path):
    # A server loads in the parent, and forked children compute.
    stored = {}
    for name, (estimator, method) in TO_LOAD.items():
        # Values are missing where an imputer is to fill them in.
        X = np.where(ROWS > 1.5, np.nan, ROWS) if name == "imputer" else ROWS
        fitted = clone(estimator).fit(X)
        expected = getattr(fitted, method)(X[:5])
        stored[name] = (fitted, method, X[:5], expected, name == "images")
    (tmp_path / "stored").write_bytes(pickle.dumps(stored))
    code = f"PATH = {str(tmp_path / 'stored')!r}\n{FORKS}"
    result = run(code, KERAS_HOME=str(tmp_path))
    assert result.returncode == 0, result.stderr
    outcomes = dict(line.split(" = ") for line in result.stdout.splitlines())
    raised = {name: outcomes.pop(name) for name in ["second search", *COMPILED]}
    works = [*(f"loaded {name}" for name in TO_LOAD), *COMPUTED_BY_NUMPY]
    assert outcomes == {"first search": "True", **dict.fromkeys(works, "works")}
    for error in raised.values():
        assert error.startswith("RuntimeError: Keras was started before this process")
        assert "spawn" in error
        assert "loky" in error


SEARCHES = """
import os, signal, threading
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X, y = X[:200] / 16, y[:200]

class Killer(TransformerMixin, BaseEstimator):
    def __init__(self, kills):
        self.kills = kills

    def fit(self, X, y=None):
        if self.kills:
            threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return self

    def transform(self, X):
        return X

def results(n_jobs, kills=False):
    model = AutoencoderTransformer(
        6, hidden_layer_sizes=(16,), max_iter=2, random_state=0
    )
    pipeline = make_pipeline(Killer(kills), model, LogisticRegression())
    grid = {"autoencodertransformer__alpha": [1e-5, 1e-2]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")
    found = search.fit(X, y).cv_results_
    return {name: found[name] for name in found if name.endswith("test_score")}

expected = results(1)
try:
    results(2, kills=True)
except TerminatedWorkerError:
    print("terminated")
found = results(2)
print(all(np.array_equal(found[name], expected[name]) for name in expected))
print(expected["mean_test_score"].min() > 0.5)
"""


@pytest.mark.weekly
@pytest.mark.jax
@pytest.mark.slow
def test_two_processes_find_the_same_scores_also_after_one_was_killed(tmp_path):
    result = run(SEARCHES, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["terminated", "True", "True"], result.stderr
