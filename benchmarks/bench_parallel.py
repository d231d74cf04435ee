"""
Grid searches on one core, in processes and in threads: times and equality of scores.

The data are the digits. The default network trains for 40 epochs without early
stopping, with 12 candidates and 3 folds. The worker processes of the first parallel
search start during this search, as they do for users. Then many short searches run one
after another, to check that none hangs.

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
    """Return the mean test scores of a grid search."""
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
        print(f"{backend}: {options.repeats} searches in a row finished")
