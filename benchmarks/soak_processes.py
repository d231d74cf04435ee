"""
The same search over every kind of parallel work, again and again.

Every repetition has to give exactly the scores of a search in one process. Then a
worker is killed in mid-fit: the search has to end with an error of joblib or of Dask,
or a retry has to give the same scores. Each case runs in a process of its own, and a
case that takes too long counts as one that hangs.

    python benchmarks/soak_processes.py [--repetitions 20] [--minutes 5] [--cases ...]
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skae import AutoencoderTransformer

X = load_digits().data[:300]


class Killer(TransformerMixin, BaseEstimator):
    """End the process a little later, if a file is there.

    With ``once`` the file is removed first, so that a second attempt succeeds.
    """

    def __init__(self, path, once):
        self.path, self.once = path, once

    def fit(self, X, y=None):
        path = Path(self.path)
        if path.exists():
            if self.once:
                path.unlink()
            arguments = os.getpid(), signal.SIGKILL
            threading.Timer(0.02, os.kill, arguments).start()
        return self

    def transform(self, X):
        return X


def search(n_jobs, path="none", once=False):
    """Return the test scores of a small search."""
    autoencoder = AutoencoderTransformer(
        3, hidden_layer_sizes=(16,), max_iter=5, random_state=0
    )
    grid = {
        "autoencodertransformer__alpha": [1e-5, 1e-2],
        "autoencodertransformer__n_components": [2, 4],
    }
    pipeline = make_pipeline(Killer(path, once), autoencoder)
    found = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")
    results = found.fit(X).cv_results_
    names = sorted(name for name in results if name.endswith("test_score"))
    return np.array([results[name] for name in names])


@contextlib.contextmanager
def cluster():
    """Start two workers of Dask, and let joblib use them."""
    from distributed import Client, LocalCluster

    options = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "dashboard_address": "127.0.0.1:0",
    }
    with LocalCluster(host="127.0.0.1", **options) as workers, Client(workers):
        yield "dask"


CASES = {
    "one process": ("sequential", None),
    "loky": ("loky", None),
    "threading": ("threading", None),
    "multiprocessing, spawn": ("multiprocessing", "spawn"),
    "multiprocessing, forkserver": ("multiprocessing", "forkserver"),
    "dask": ("dask", None),
    "loky, worker killed": ("loky", None),
    "dask, worker killed once": ("dask", None),
    "dask, worker killed always": ("dask", None),
}
"""The backend of joblib, and the start method of its processes."""


def repeat(case, options):
    """Run one case, and print how often each outcome came."""
    kills = "killed" in case
    outcomes, slowest = {}, 0.0
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if case == "dask":
            stack.enter_context(cluster())
        for _ in range(options.repetitions):
            start = time.perf_counter()
            outcome = once(case, directory / "kill", kills, options.reference)
            slowest = max(slowest, time.perf_counter() - start)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    told = ", ".join(f"{times} x {outcome}" for outcome, times in outcomes.items())
    print(f"{case:30}{slowest:10.1f}   {told}", flush=True)


def once(case, path, kills, reference):
    """Return how one search ended."""
    backend, _ = CASES[case]
    if kills:
        path.touch()
    n_jobs = 1 if backend == "sequential" else 2
    with contextlib.ExitStack() as stack:
        if kills and backend == "dask":
            stack.enter_context(cluster())
        stack.enter_context(joblib.parallel_backend(backend))
        try:
            scores = search(n_jobs, path, once=case.endswith("once"))
        except Exception as error:
            return type(error).__name__
    if case == "one process" and not Path(reference).exists():
        np.save(reference, scores)
    same = np.array_equal(scores, np.load(reference))
    return "equal scores" if same else "OTHER SCORES"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5, help="limit for a case")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        repeat(options.case, options)
        sys.exit()
    print(f"{'':30}{'slowest, s':>10}   outcomes", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for case in dict.fromkeys(["one process", *options.cases]):
            arguments = "--case", case, "--reference", f"{directory}/reference.npy"
            given = "--repetitions", str(options.repetitions)
            method = CASES[case][1]
            variables = {"JOBLIB_START_METHOD": method} if method else {}
            try:
                subprocess.run(
                    [sys.executable, __file__, *arguments, *given],
                    env={**os.environ, **variables},
                    check=True,
                    timeout=60 * options.minutes,
                )
            except subprocess.TimeoutExpired:
                print(f"{case:30}{'':10}   HANGS", flush=True)
