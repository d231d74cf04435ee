"""Data and measurements of time and memory that the benchmarks share."""

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np


def images(path, n_rows, dtype=np.float32):
    """Return MNIST's training images from an npz file, or random rows of that shape."""
    if path:
        rows = np.load(path)["x_train"][:n_rows].reshape(-1, 784)
        return (rows / 255).astype(dtype)
    rng = np.random.default_rng(0)
    patterns = rng.uniform(size=(40, 784))
    return np.clip(rng.dirichlet(np.ones(40), n_rows) @ patterns, 0, 1).astype(dtype)


def seconds(function, *args):
    """Return how long a call takes."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def time_alternately(contenders, rounds, calls=1):
    """Time the functions alternately, and return the median seconds of each.

    There are ``rounds`` rounds. In each round every function is called ``calls`` times.
    """
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, function in contenders.items():
            if calls > 1:
                time.sleep(0.05)  # until the threads of the previous function sleep
                function()
            times[name].extend(seconds(function) for _ in range(calls))
    return {name: statistics.median(found) for name, found in times.items()}


def each_in_a_process(cases):
    """Run the calling script once for each case, with ``--case`` added."""
    for case in cases:
        subprocess.run([sys.executable, *sys.argv, "--case", case], check=True)


class PeakMemory:
    """Measure the peak of this process' own memory inside a ``with`` block.

    Own memory is RSS without mapped files.
    """

    def __enter__(self):
        self.start = self.peak = own_memory()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    @property
    def growth(self):
        """Return the peak over the start, in MB."""
        return (self.peak - self.start) / 1e6

    def _watch(self):
        while not self._done.wait(0.002):
            self.peak = max(self.peak, own_memory())


def own_memory():
    """Return the bytes of this process' own memory (Linux only)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no RssAnon in /proc/self/status")
