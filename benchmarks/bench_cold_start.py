"""
Seconds that a new process takes for imports, the first fit and the first transform.

Every run is a new process. The table gives medians. The data are the digits, the codes
have 8 components. All parameters are the defaults except the number of epochs. It is
fixed, so that runs can be compared.

    python benchmarks/bench_cold_start.py [--rounds 5]
"""

import argparse
import statistics
import subprocess
import sys

CODE = """
import time
marks = [time.perf_counter()]
def mark(): marks.append(time.perf_counter())
import sklearn.decomposition; mark()
import skae; mark()
from sklearn.datasets import load_digits
X = load_digits().data
estimator = skae.AutoencoderTransformer(
    8, max_iter=40, n_iter_no_change=40, random_state=0)
mark()
import os; os.environ["KERAS_BACKEND"] = "jax"; import keras; mark()
estimator.fit(X); mark()
estimator.transform(X); mark()
estimator.transform(X[:1]); mark()
estimator.fit(X); mark()
print(*[b - a for a, b in zip(marks, marks[1:])])
"""
PARTS = {
    0: "import sklearn.decomposition",
    1: "import skae, after that",
    3: "import Keras and JAX, on first use",
    4: "first fit, 40 epochs",
    5: "first transform, 1797 rows",
    6: "first transform of one row",
    7: "second fit",
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    runs = []
    for _ in range(rounds):
        output = subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, check=True, text=True
        ).stdout
        runs.append([float(word) for word in output.split()])
    medians = [statistics.median(column) for column in zip(*runs, strict=True)]
    for part, name in PARTS.items():
        print(f"{name:40}{medians[part]:8.3f} s")
    cold = statistics.median(run[3] + run[4] for run in runs)
    print(f"{'first fit, Keras and JAX included':40}{cold:8.3f} s")
    ratio = statistics.median((run[0] + run[1]) / run[0] for run in runs)
    print(f"import skae / import sklearn.decomposition: {ratio:.2f}")
