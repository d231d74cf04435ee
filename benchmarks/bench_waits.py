"""
CPU seconds of fits that users wait for, and of scikit-learn's counterparts.

Each task runs in a new process with one thread, on data that are made. "Warm" fits
follow a fit to other rows of the same shape, so nothing is imported or compiled. All
others include the import of Keras, where it is needed, and compilation. Counterparts
are ``IterativeImputer``, ``PCA``, ``TruncatedSVD`` for sparse rows, and
``MLPRegressor`` of the same hidden layers and epochs. Where one would take minutes it
is left out. Linux only.

    python benchmarks/bench_waits.py [--only imputer] [--no-counterparts]
    python benchmarks/bench_waits.py --save before.json
    python benchmarks/bench_waits.py --before before.json    # ratios to these
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings

import numpy as np
from scipy import sparse

ONE_THREAD = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
    ),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def tables(n_rows, n_features, seed=0):
    """Return rows of eight components and noise."""
    loadings = np.random.default_rng(0).normal(size=(8, n_features))
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_rows, n_features))
    return rng.normal(size=(n_rows, 8)) @ loadings + noise


def incomplete(n_rows, n_features):
    """Return the same rows, of which a fifth of the values is missing."""
    X = tables(n_rows, n_features)
    missing = np.random.default_rng(1).random(X.shape) < 0.2
    return np.where(missing, np.nan, X)


def surface(n_rows, n_features, seed=0):
    """Return rows near a curved surface of three dimensions, with noise."""
    loadings = np.random.default_rng(0).normal(size=(9, n_features))
    rng = np.random.default_rng(seed)
    t = rng.normal(size=(n_rows, 3))
    noise = 2 * rng.normal(size=(n_rows, n_features))
    return np.hstack([t, np.sin(2 * t), t**2]) @ loadings + noise


def words(n_rows=1125, n_features=3468):
    """Return TF-IDF of texts that are made of a few topics."""
    from sklearn.feature_extraction.text import TfidfTransformer

    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, n_features + 1)
    topics = np.stack([rng.permutation(frequency) for _ in range(10)]) + frequency
    mixed = rng.dirichlet(np.full(10, 0.2), n_rows) @ topics
    mixed /= mixed.sum(axis=1, keepdims=True)
    counts = np.stack([rng.multinomial(60, row) for row in mixed])
    return TfidfTransformer().fit_transform(sparse.csr_matrix(counts))


def spectra(n_rows=120, n_features=1000, seed=1):
    """Return spectra of six lines. Three numbers decide their heights and places."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, n_features)
    centres, widths = rng.uniform(0.1, 0.9, 6), rng.uniform(0.01, 0.04, 6)
    powers = 0.4 * np.random.default_rng(1).normal(size=(3, 6))
    rng = np.random.default_rng(seed)
    t = rng.normal(size=(n_rows, 3))
    places = (x - 0.02 * t[:, :1])[:, None, :] - centres[:, None]
    lines = np.exp(-0.5 * (places / widths[:, None]) ** 2)
    rows = np.einsum("nk,nkd->nd", np.exp(t @ powers), lines)
    return rows + 0.05 * rng.normal(size=rows.shape)


def imputer(**parameters):
    from skae.impute import AutoencoderImputer

    return AutoencoderImputer(random_state=0, **parameters)


def autoencoder(n_components, **parameters):
    from skae import AutoencoderTransformer

    return AutoencoderTransformer(n_components, random_state=0, **parameters)


def iterative_imputer():
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(random_state=0)


def pca(n_components):
    from sklearn.decomposition import PCA

    return PCA(n_components)


def truncated_svd(n_components):
    from sklearn.decomposition import TruncatedSVD

    return TruncatedSVD(n_components, random_state=0)


class Regression:
    """scikit-learn's network of the same layers, from rows to rows."""

    def __init__(self, n_components, max_iter=60):
        from sklearn.neural_network import MLPRegressor

        sizes = (256, 128, n_components, 128, 256)
        self.network = MLPRegressor(
            hidden_layer_sizes=sizes, max_iter=max_iter, random_state=0
        )

    def fit(self, X):
        self.network.fit(X, X)
        return self


class Grid:
    """Fits of several numbers of components, one after the other."""

    def __init__(self, make):
        self.make = make

    def fit(self, X):
        self.fitted = [self.make(k).fit(X) for k in (2, 3, 5, 6, 7, 8)]
        return self


class Warm:
    """A fit after another one to as many rows."""

    def __init__(self, estimator, X):
        self.estimator = estimator.fit(X)

    def fit(self, X):
        return self.estimator.fit(X)


SHAPES = (150, 100), (150, 200), (1000, 50), (5000, 50)

TASKS = {
    **{
        f"imputer, linear, {n} x {d}": (
            lambda n=n, d=d: incomplete(n, d),
            lambda: imputer(max_iter=0),
            {"IterativeImputer": iterative_imputer} if d < 100 else {},
        )
        for n, d in (*SHAPES, (300, 800))
    },
    "imputer, 5000 x 50": (
        lambda: incomplete(5000, 50),
        imputer,
        {"IterativeImputer": iterative_imputer},
    ),
    "TF-IDF, 1125 x 3468": (
        words,
        lambda: autoencoder(8),
        {"TruncatedSVD": lambda: truncated_svd(8)},
    ),
    **{
        f"wide, 900 x {d}": (
            lambda d=d: surface(900, d),
            lambda: autoencoder(8),
            {"PCA": lambda: pca(8), "MLPRegressor": lambda: Regression(8)}
            if d < 10_000
            else {"PCA": lambda: pca(8)},
        )
        for d in (3000, 20_000)
    },
    "spectra, 120 x 1000, 12 epochs": (
        spectra,
        lambda: autoencoder(4, image_shape=(1, 1000), max_iter=12),
        {"PCA": lambda: pca(4), "MLPRegressor": lambda: Regression(4, 12)},
    ),
    "table, 500 x 20, cold": (
        lambda: surface(500, 20),
        lambda: autoencoder(2),
        {"PCA": lambda: pca(2), "MLPRegressor": lambda: Regression(2)},
    ),
    "table, 500 x 20, warm": (
        lambda: surface(500, 20),
        lambda: Warm(autoencoder(2), surface(500, 20, seed=1)),
        {"PCA": lambda: pca(2), "MLPRegressor": lambda: Regression(2)},
    ),
    "grid of six n_components, 500 x 20": (
        lambda: surface(500, 20),
        lambda: Grid(autoencoder),
        {"PCA": lambda: Grid(pca), "MLPRegressor": lambda: Grid(Regression)},
    ),
}
"""Data, the estimator, and its counterparts."""


def measure(task, contender):
    """Return the CPU seconds of a fit, and what was found."""
    warnings.simplefilter("ignore")
    data, make, counterparts = TASKS[task]
    X = data()
    if contender != "skae":
        make = counterparts[contender]
        make().fit(X[:100])  # imports
    estimator = make()
    start = time.process_time()
    fitted = estimator.fit(X)
    seconds = time.process_time() - start
    if contender != "skae" or "grid" in task:
        return seconds, ""
    found = f"{fitted.selected_model_}, {fitted.n_components_} components"
    if "spectra" in task:
        new = spectra(500, seed=2)
        found += f", score of new rows {fitted.score(new):.3f}"
    return seconds, found


def in_a_process(task, contender):
    """Return what ``measure`` returns, of a new process."""
    command = [sys.executable, __file__, "--task", task, "--contender", contender]
    output = subprocess.run(
        command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=True
    ).stdout
    return json.loads(output.splitlines()[-1])


def main(options):
    before = {}
    if options.before:
        with open(options.before) as file:
            before = json.load(file)
    found = {}
    print("| task | seconds | before | counterparts: seconds, ratio | result |")
    print("| --- | --- | --- | --- | --- |")
    for task, (_, _, counterparts) in TASKS.items():
        if options.only not in task:
            continue
        seconds, result = in_a_process(task, "skae")
        found[task] = seconds
        others = []
        for name in () if options.no_counterparts else counterparts:
            theirs, _ = in_a_process(task, name)
            others.append(f"{name} {theirs:.2f}, {seconds / theirs:.1f}")
        earlier = f"{before[task]:.1f}" if task in before else ""
        shown = task, f"{seconds:.1f}", earlier, "; ".join(others), result
        print("|", " | ".join(shown), "|", flush=True)
        if options.save:
            with open(options.save, "w") as file:
                json.dump(found, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="tasks whose name contains this")
    parser.add_argument("--no-counterparts", action="store_true")
    parser.add_argument("--save", help="write the seconds to this JSON file")
    parser.add_argument("--before", help="JSON file of seconds to show beside")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(measure(options.task, options.contender)))
    else:
        main(options)
