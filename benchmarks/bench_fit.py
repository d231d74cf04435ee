"""
Seconds of a fit, by rows and features, and what makes it shorter.

Default parameters and 8 components. The rows are near a curved surface. Each case has a
process of its own. The first fit also imports Keras and compiles, the second does not.
CPU seconds are those of all threads. On one thread they are the seconds of an idle
machine, and a busy machine changes them little.

    OMP_NUM_THREADS=1 python benchmarks/bench_fit.py [--case "5000 x 200"]
"""

import argparse
import sys
import time

import numpy as np
from _measure import each_in_a_process

from skae import AutoencoderTransformer

FEW = "5000 x 200"
CASES = {
    "500 x 20": ((500, 20), {}),
    "500 x 200": ((500, 200), {}),
    "5000 x 20": ((5000, 20), {}),
    FEW: ((5000, 200), {}),
    "50000 x 20": ((50_000, 20), {}),
    "50000 x 200": ((50_000, 200), {}),
    f"{FEW}, max_iter=20": ((5000, 200), dict(max_iter=20)),
    f"{FEW}, hidden_layer_sizes=(64,)": ((5000, 200), dict(hidden_layer_sizes=(64,))),
    "500 x 200, early_stopping=False": ((500, 200), dict(early_stopping=False)),
}


def rows(n_rows, n_features):
    rng = np.random.default_rng(0)
    place = rng.normal(size=(n_rows, 4))
    curved = np.tanh(place @ rng.normal(size=(4, 32))) @ rng.normal(size=(32, 1000))
    return curved[:, :n_features] + 0.5 * rng.normal(size=(n_rows, n_features))


def measure(name):
    shape, parameters = CASES[name]
    X = rows(*shape)
    found = []
    for _ in range(2):
        start = time.process_time(), time.perf_counter()
        fitted = AutoencoderTransformer(8, random_state=0, **parameters).fit(X)
        found += [time.process_time() - start[0], time.perf_counter() - start[1]]
    print(
        f"{name:40}first fit {found[0]:6.1f} CPU s {found[1]:6.1f} s   "
        f"second {found[2]:6.1f} CPU s {found[3]:6.1f} s   "
        f"{fitted.n_iter_} epochs, {fitted.selected_model_}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=CASES)
    options = parser.parse_args()
    if options.case:
        measure(options.case)
        sys.exit()
    each_in_a_process(CASES)
