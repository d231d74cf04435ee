"""
What scikit-learn's progress bar costs: a grid search of a pipeline, with and without.

The bar is set on the search. It shows the search, each candidate and fold, pipelines
and the epochs of each fit. Searches with and without it run alternately in one process,
after one that compiles. The printed ratios are medians over the rounds.

    python benchmarks/bench_callbacks.py [--rounds 5]

To see the bars once:

    python benchmarks/bench_callbacks.py --bars
"""

import argparse
import contextlib
import io
import statistics
import time

from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skae import AutoencoderTransformer


def search():
    autoencoder = AutoencoderTransformer(whiten=True, max_iter=20, random_state=0)
    pipeline = make_pipeline(autoencoder, LogisticRegression(max_iter=1000))
    grid = {"autoencodertransformer__n_components": [4, 8]}
    return GridSearchCV(pipeline, grid, cv=2, refit=False)


def times(found, X, y):
    """Return the wall and the CPU seconds of a fit."""
    start = time.perf_counter(), time.process_time()
    found.fit(X, y)
    return time.perf_counter() - start[0], time.process_time() - start[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bars", action="store_true", help="show the bars once")
    options = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    if options.bars:
        search().set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
        raise SystemExit
    search().fit(X, y)
    ratios = []
    for _ in range(options.rounds):
        without = times(search(), X, y)
        watched = search().set_callbacks(ProgressBar(max_propagation_depth=None))
        with contextlib.redirect_stdout(io.StringIO()):
            with_bars = times(watched, X, y)
        ratios.append([b / a for a, b in zip(without, with_bars, strict=True)])
        print(
            f"without: {without[0]:.2f} s, {without[1]:.2f} CPU s; "
            f"with: {with_bars[0]:.2f} s, {with_bars[1]:.2f} CPU s",
            flush=True,
        )
    wall, cpu = (statistics.median(some) for some in zip(*ratios, strict=True))
    print(f"ratio of seconds {wall:.3f}, of CPU seconds {cpu:.3f}")
