"""
Time of skae on each Keras backend, beside Keras' own ``fit``, and what each installs.

- An epoch of MNIST, 784-128-32-128-784, without and with the linear path.
- The digits, all parameters the defaults: the first fit of a new process, imports
  included, and the second fit.
- A fit with its scoring in the grid search of ``bench_grid_search.py``.

Every backend runs in processes of its own. Backends that are not installed are left
out. The table gives medians, and the ratios to JAX.

    python benchmarks/bench_backends.py [--data mnist.npz] [--rows 20000] [--rounds 3]
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from importlib import metadata
from importlib.util import find_spec

BACKENDS = {
    "jax": "jax",
    "tensorflow": "tensorflow-cpu",
    "torch": "torch",
}
"""The backends, and the distribution of each, if ``pip`` knows several."""

LINES = {
    "epoch": "epoch, `skip_connections=None`",
    "epoch, linear path": "epoch, with the linear path",
    "epoch, Keras": "epoch, Keras' `fit`",
    "cold": "digits, first fit of a process",
    "warm": "digits, second fit",
    "few": "400 digits, six networks, second fit",
    "grid": "grid search, a fit",
    "grid, Keras": "grid search, a fit of Keras",
}


def cold():
    """Return the seconds of imports, of a first fit and of later ones."""
    start = time.perf_counter()
    from sklearn.datasets import load_digits

    from skae import AutoencoderTransformer

    X = load_digits().data
    estimator = AutoencoderTransformer(8, random_state=0)
    estimator.fit(X)
    first = time.perf_counter() - start
    start = time.perf_counter()
    estimator.fit(X)
    warm = time.perf_counter() - start
    few = AutoencoderTransformer(8, max_iter=20, random_state=0).fit(X[:400])
    start = time.perf_counter()
    few.fit(X[:400])
    return {"cold": first, "warm": warm, "few": time.perf_counter() - start}


def epochs(path, n_rows, rounds):
    """Return the seconds of an epoch."""
    from _measure import images
    from bench_epoch import epoch_seconds, with_keras, with_skae

    X = images(path, n_rows)
    return epoch_seconds(
        {
            "epoch": with_skae(X, None),
            "epoch, linear path": with_skae(X, "linear"),
            "epoch, Keras": with_keras(X),
        },
        rounds,
    )


def grid():
    """Return the seconds of a fit in a grid search."""
    from _measure import seconds
    from bench_grid_search import RATES, KerasAutoencoder, estimator, search

    search(estimator(), learning_rate=RATES[:1])
    return {
        "grid": seconds(lambda: search(estimator(), learning_rate=RATES)) / 36,
        "grid, Keras": seconds(
            lambda: search(KerasAutoencoder(), learning_rate=RATES[:3])
        )
        / 9,
    }


def installed_bytes(name, seen):
    """Return the size of a distribution and of what it needs, without ``seen``."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in seen:
        return 0
    seen.add(name)
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return 0
    size = sum(
        path.stat().st_size
        for file in found.files or []
        if (path := found.locate_file(file)).is_file()
    )
    for needed in found.requires or []:
        if "extra ==" not in needed:
            size += installed_bytes(re.match(r"[\w.-]+", needed)[0], seen)
    return size


def installation(backend):
    """Return the megabytes that a backend adds to Keras and scikit-learn."""
    seen = set()
    for name in ("keras", "scikit-learn"):
        installed_bytes(name, seen)
    name = BACKENDS[backend]
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        name = backend
    return installed_bytes(name, seen) / 1e6


def in_a_process(backend, part):
    """Return what a part of this script measures in a new process."""
    output = subprocess.run(
        [sys.executable, *sys.argv, "--part", part],
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def measured(backend, rounds):
    """Return the medians of all parts, by line of the table."""
    found = [in_a_process(backend, "cold") for _ in range(rounds)]
    medians = {name: statistics.median(one[name] for one in found) for name in found[0]}
    return {
        **medians,
        **in_a_process(backend, "epochs"),
        **in_a_process(backend, "grid"),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        parts = {
            "cold": cold,
            "epochs": lambda: epochs(options.data, options.rows, options.rounds),
            "grid": grid,
        }
        print(json.dumps(parts[options.part]()))
        sys.exit()
    backends = [name for name in BACKENDS if find_spec(name)]
    times = {name: measured(name, options.rounds) for name in backends}
    print(f"| {options.rows} rows of MNIST | {' | '.join(backends)} |")
    print("| --- " * (len(backends) + 1) + "|")
    for line, title in LINES.items():
        cells = [
            f"{times[name][line]:.3f} s ({times[name][line] / times['jax'][line]:.2f})"
            for name in backends
        ]
        print(f"| {title} | {' | '.join(cells)} |")
    sizes = [f"{installation(name):.0f} MB" for name in backends]
    print(f"| installation, beside Keras and scikit-learn | {' | '.join(sizes)} |")
