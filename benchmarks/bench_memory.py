"""
Memory that fit and transform need in addition to the data.

The data are dense, a memory map, or sparse. Each case runs in a new process. Keras and
JAX are loaded and warmed up before the measurement. Only the process' own memory is
counted, sampled every 2 ms. Pages that a memory map reads belong to the system's cache
and are not counted. Linux only.

    python benchmarks/bench_memory.py [--gigabytes 6]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from _measure import PeakMemory, each_in_a_process, images, seconds
from scipy import sparse

from skae import AutoencoderTransformer


def estimator(**parameters):
    return AutoencoderTransformer(32, hidden_layer_sizes=(128,), **parameters)


def dense(directory, gigabytes):
    """60000 x 784 float64."""
    return images(None, 60_000, np.float64), estimator(max_iter=5)


def memory_map(directory, gigabytes):
    """float32 memory map, 784 features, one epoch."""
    shape = (int(gigabytes * 1e9 / (4 * 784)), 784)
    X = np.lib.format.open_memmap(Path(directory) / "rows.npy", "w+", np.float32, shape)
    part = images(None, 50_000)
    for start in range(0, len(X), len(part)):
        X[start : start + len(part)] = part[: len(X) - start]
    X.flush()
    X = np.load(Path(directory) / "rows.npy", mmap_mode="r")
    return X, estimator(max_iter=1, early_stopping=False)


def sparse_matrix(directory, gigabytes):
    """200000 x 20000 CSR of density 0.1%, one epoch."""
    rng = np.random.default_rng(0)
    columns = rng.integers(20_000, size=200_000 * 20)
    values = rng.uniform(size=columns.size).astype(np.float32)
    starts = np.arange(200_000 + 1) * 20
    X = sparse.csr_matrix((values, columns, starts), (200_000, 20_000))
    X.sum_duplicates()
    return X, AutoencoderTransformer(
        8, hidden_layer_sizes=(16,), max_iter=1, early_stopping=False
    )


CASES = {case.__name__: case for case in (dense, memory_map, sparse_matrix)}


def measure(case, gigabytes):
    with tempfile.TemporaryDirectory() as directory:
        X, fitted = CASES[case](directory, gigabytes)
        AutoencoderTransformer(2, max_iter=2).fit(images(None, 2000)[:, :20])
        with PeakMemory() as fit:
            fit_seconds = seconds(fitted.fit, X)
        with PeakMemory() as transform:
            transform_seconds = seconds(fitted.transform, X)
    print(
        f"{CASES[case].__doc__:50}{fit.growth:8.0f} MB{fit_seconds:8.1f} s"
        f"{transform.growth:8.0f} MB{transform_seconds:8.1f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=6)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        measure(options.case, options.gigabytes)
        sys.exit()
    print(f"{'':50}{'fit: peak growth, time':>22}{'transform':>22}", flush=True)
    each_in_a_process(CASES)
