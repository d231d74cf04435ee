"""
Growth of time and memory: rows x 10, features x 4, hidden units x 4.

Each case trains for ten epochs on random data, in a process of its own. The time is
that of further fits, when everything is compiled. The growth of memory is that of the
first fit. The times are medians.

    python benchmarks/bench_scaling.py [--rounds 5]
"""

import argparse
import sys

import numpy as np
from _measure import PeakMemory, each_in_a_process, time_alternately

from skae import AutoencoderTransformer

BASE = dict(rows=5000, features=100, hidden=128)
CASES = {
    "5000 rows, 100 features, 128 hidden": {},
    "rows x 10": dict(rows=50_000),
    "features x 4": dict(features=400),
    "hidden x 4": dict(hidden=512),
}


def measure(name, rounds):
    size = {**BASE, **CASES[name]}
    X = np.random.default_rng(0).normal(size=(size["rows"], size["features"]))
    estimator = AutoencoderTransformer(
        8,
        hidden_layer_sizes=(size["hidden"],),
        batch_size=128,
        max_iter=10,
        n_iter_no_change=10,
        random_state=0,
    )
    AutoencoderTransformer(2, max_iter=1).fit(X[:200, :5])
    with PeakMemory() as memory:
        estimator.fit(X)
    time = time_alternately({"fit": lambda: estimator.fit(X)}, rounds)["fit"]
    print(f"{name:38}{time:9.3f} s{memory.growth:9.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        measure(options.case, options.rounds)
        sys.exit()
    each_in_a_process(CASES)
