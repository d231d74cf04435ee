"""A search in worker processes that end in mid-fit."""

import pytest
from conftest import run

pytestmark = pytest.mark.jax

CODE = """
import os, signal, threading
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skae import AutoencoderTransformer

X = load_digits().data[:200]

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
        3, hidden_layer_sizes=(16,), max_iter=2, random_state=0
    )
    grid = {"autoencodertransformer__alpha": [1e-5, 1e-2]}
    search = GridSearchCV(make_pipeline(Killer(kills), model), grid, cv=2,
                          n_jobs=n_jobs, error_score="raise")
    found = search.fit(X).cv_results_
    return {name: found[name] for name in found if name.endswith("test_score")}

expected = results(1)
try:
    results(2, kills=True)
except TerminatedWorkerError:
    print("terminated")
found = results(2)
print(all(np.array_equal(found[name], expected[name]) for name in expected))
"""


def test_a_killed_worker_is_an_error_and_the_next_search_has_the_same_results(tmp_path):
    result = run(CODE, timeout=100, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["terminated", "True"], result.stderr
