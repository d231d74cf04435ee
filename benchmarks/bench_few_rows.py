"""
Speed-up by threads on few rows, where six networks train at the same time.

The default network is fitted to standardised data, after everything was compiled. JAX
has one thread in one process, and as many threads as cores in another. Every run is a
new process. The table gives medians.

    python benchmarks/bench_few_rows.py [--rounds 5]
"""

import argparse
import os
import statistics
import subprocess
import sys

NAMES = ("breast_cancer", "diabetes", "wine", "iris")
CODE = """
import time
from sklearn import datasets
from sklearn.preprocessing import StandardScaler
from skae import AutoencoderTransformer
for name in NAMES:
    X = getattr(datasets, "load_" + name)().data
    X = StandardScaler().fit_transform(X)
    estimator = AutoencoderTransformer(2, random_state=0).fit(X)
    start = time.perf_counter()
    estimator.fit(X)
    print(time.perf_counter() - start)
"""


def seconds(**environment):
    """Return the seconds of a fit to each data set, measured in a new process."""
    output = subprocess.run(
        [sys.executable, "-c", f"NAMES = {NAMES}\n{CODE}"],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [float(line) for line in output.split()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = range(parser.parse_args().rounds)
    runs = [(seconds(NPROC="1"), seconds()) for _ in rounds]
    print(f"{'':16}{'one thread':>12}{'all cores':>10}{'ratio':>8}")
    for number, name in enumerate(NAMES):
        one, all_ = (
            statistics.median(run[way][number] for run in runs) for way in (0, 1)
        )
        print(f"{name:16}{one:10.2f} s{all_:8.2f} s{one / all_:8.2f}")
