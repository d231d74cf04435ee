"""
A fit to an array that is made lazily by Dask, on two workers of this machine.

Prints the peak memory of every process, rows per second, and how far PCA is from that
of a fit in memory. The array is made anew in every pass. It is never written and never
collected. Linux only.

    python benchmarks/bench_dask.py [--gigabytes 8] [--epochs 2]
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import dask.array as da
import numpy as np
from _measure import each_in_a_process
from distributed import Client, LocalCluster

from skae import AutoencoderTransformer

N_FEATURES, N_LATENT = 100, 5
ROWS_IN_BLOCK = 80_000
"""32 MB of float32."""

BOTH_FIT = 0.6
"""Gigabytes of the array that is fitted in memory, too."""


def block(number, n_rows):
    """Make rows near a curved surface."""
    fixed = np.random.default_rng(0)
    inwards = fixed.normal(size=(N_LATENT, 3 * N_LATENT)).astype(np.float32)
    outwards = fixed.normal(size=(3 * N_LATENT, N_FEATURES)).astype(np.float32)
    rng = np.random.default_rng([1, number])
    surface = np.sin(rng.random((n_rows, N_LATENT), np.float32) @ inwards * 3)
    rows = surface @ outwards
    rows += rng.random((n_rows, N_FEATURES), np.float32)
    return rows


def made_lazily(gigabytes):
    """Return an array of Dask of which every block is made when it is needed."""
    from dask import delayed

    n_blocks = max(round(gigabytes * 1e9 / (4 * N_FEATURES * ROWS_IN_BLOCK)), 2)
    shape = ROWS_IN_BLOCK, N_FEATURES
    return da.concatenate(
        [
            da.from_delayed(delayed(block)(number, ROWS_IN_BLOCK), shape, np.float32)
            for number in range(n_blocks)
        ]
    )


def estimator(epochs, hidden_layer_sizes=(64,)):
    return AutoencoderTransformer(
        N_LATENT,
        hidden_layer_sizes=hidden_layer_sizes,
        max_iter=epochs,
        random_state=0,
    )


def peak_memory(process="self"):
    """Return the largest resident memory that a process has had, in GB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError("no VmHWM in /proc")


class Cluster:
    """Two workers with one thread each."""

    def __enter__(self):
        self._cluster = LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit="1.5GB",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        )
        self.client = Client(self._cluster)
        return self

    def __exit__(self, *_):
        self.client.close()
        self._cluster.close()

    @property
    def workers(self):
        """Return the numbers of the workers' processes."""
        return list(self.client.run(os.getpid).values())


def timed_fit(X, epochs, hidden_layer_sizes=(64,)):
    """Return a fitted estimator and its seconds, less the time of compilation."""
    start = time.perf_counter()
    fitted = estimator(epochs, hidden_layer_sizes).fit(X)
    return fitted, time.perf_counter() - start


def report(name, n_rows, fitted, seconds, *peaks):
    passes = f"{n_rows * fitted.n_iter_ / seconds:10,.0f}"
    memory = " ".join(f"{peak:5.2f}" for peak in peaks)
    print(
        f"{name:28}{n_rows:12,}{seconds:9.1f}{passes}  {fitted.selected_model_:9}"
        f"{fitted.explained_variance_ratio_.sum():8.4f}   {memory}",
        flush=True,
    )


def large(options):
    """Fit the whole size: peak memory and rows per second."""
    X = made_lazily(options.gigabytes)
    with Cluster() as cluster:
        fitted, seconds = timed_fit(X, options.epochs)
        peaks = peak_memory(), *map(peak_memory, cluster.workers)
        name = f"Dask, {X.nbytes / 1e9:.1f} GB"
        report(name, len(X), fitted, seconds, *peaks)
        codes = fitted.transform(X)
        print(f"codes of the first block: {codes.blocks[0].mean(axis=0).compute()}")


def small(options):
    """Fit a size where both fit: PCA, rows per second, and a worker that is killed."""
    X = made_lazily(BOTH_FIT)
    name = f"{X.nbytes / 1e9:.1f} GB"
    with Cluster() as cluster:
        pca, _ = timed_fit(X, 1, ())
        fitted, seconds = timed_fit(X, options.epochs)
        peaks = peak_memory(), *map(peak_memory, cluster.workers)
        report(f"Dask, {name}", len(X), fitted, seconds, *peaks)
        victim = cluster.workers[0]
        timer = threading.Timer(0.4 * seconds, os.kill, (victim, signal.SIGKILL))
        timer.start()
        survivor, seconds = timed_fit(X, options.epochs)
        report(f"Dask, {name}, worker killed", len(X), survivor, seconds)
        same = survivor.loss_curve_ == fitted.loss_curve_
        gone = victim not in cluster.workers
        print(f"the worker was replaced: {gone}; the same losses: {same}")
    # The workers would put all rows together on one of them.
    collected = X.compute(scheduler="threads")
    in_memory, _ = timed_fit(collected, 1, ())
    fitted, seconds = timed_fit(collected, options.epochs)
    report(f"in memory, {name}", len(X), fitted, seconds, peak_memory())
    differences = {
        name: float(np.abs(getattr(pca, name) - getattr(in_memory, name)).max())
        for name in ("mean_", "components_", "explained_variance_ratio_")
    }
    print(f"PCA, largest difference to the fit in memory: {json.dumps(differences)}")


CASES = {case.__name__: case for case in (small, large)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        CASES[options.case](options)
        sys.exit()
    print(
        f"{'':28}{'rows':>12}{'seconds':>9}{'rows/s':>10}  {'kept':9}{'R2':>8}   "
        "peak GB: client, workers",
        flush=True,
    )
    each_in_a_process(CASES)
