"""
Seconds and memory of a fit to rows with many more features than there are rows.

Each shape runs in a new process. Keras and JAX are loaded and warmed up before the
measurement. Memory is what a fit needs in addition to the data. Linux only.

    python benchmarks/bench_wide.py
"""

import argparse
import sys

import numpy as np
from _measure import PeakMemory, each_in_a_process, seconds
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer

CASES = {
    f"{n_rows}x{n_features}": (n_rows, n_features)
    for n_rows, n_features in (
        (60, 30_000),
        (300, 5_000),
        (300, 20_000),
        (900, 3_000),
        (900, 20_000),
        (2_000, 10_000),
    )
}


def surface(n_rows, n_features):
    """Return rows near a curved surface of three dimensions, with noise."""
    rng = np.random.default_rng(0)
    t = rng.normal(size=(n_rows, 3))
    points = np.hstack([t, np.sin(2 * t), t**2])
    noise = 2 * rng.normal(size=(n_rows, n_features))
    return points @ rng.normal(size=(points.shape[1], n_features)) + noise


def measure(case):
    X = surface(*CASES[case])
    AutoencoderTransformer(2, max_iter=2).fit(surface(200, 20))
    pca_seconds = seconds(PCA(8).fit, X)
    fitted = AutoencoderTransformer(8, random_state=0)
    with PeakMemory() as fit:
        fit_seconds = seconds(fitted.fit, X)
    print(
        f"{case:14}{X.nbytes / 1e6:8.0f} MB{fit.growth:8.0f} MB{fit_seconds:8.1f} s"
        f"{pca_seconds:8.1f} s   {fitted.selected_model_}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        measure(options.case)
        sys.exit()
    print(f"{'rows':14}{'data':>11}{'growth':>11}{'fit':>10}{'PCA':>10}   kept")
    each_in_a_process(CASES)
