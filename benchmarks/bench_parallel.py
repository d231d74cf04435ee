"""
Grid searches on one core, in processes and in threads: time, and the same results.

Digits, default network, 12 candidates by 3 folds, 40 epochs without early stopping.
The workers of the first process search start cold, as they do for users. Then short
searches in a row, to see that none hangs.

    python benchmarks/bench_parallel.py [--jobs 2] [--repeats 20]
"""

import argparse

import numpy as np
from _measure import seconds
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer

X = load_digits().data


def search(backend, jobs, candidates, epochs):
    """Return the scores that a search finds."""
    estimator = AutoencoderTransformer(
        8, max_iter=epochs, early_stopping=False, random_state=0
    )
    grid = {"learning_rate": np.geomspace(1e-4, 1e-2, candidates).tolist()}
    with parallel_config(backend):
        found = GridSearchCV(estimator, grid, cv=3, n_jobs=jobs, refit=False).fit(X)
    return found.cv_results_["mean_test_score"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    search("loky", 1, 1, 1)
    scores = {}
    for backend, jobs in (
        ("loky", 1),
        ("loky", options.jobs),
        ("loky", options.jobs),
        ("threading", options.jobs),
    ):
        time = seconds(
            lambda b=backend, j=jobs: scores.update({(b, j): search(b, j, 12, 40)})
        )
        same = np.array_equal(scores[backend, jobs], scores["loky", 1])
        print(f"{backend:10}{jobs} jobs{time:8.2f} s, same scores: {same}", flush=True)
    for backend in ("loky", "threading"):
        for _ in range(options.repeats):
            search(backend, options.jobs, 4, 2)
        print(f"{backend}: {options.repeats} searches in a row ended")
