"""
Memory of one process during a thousand fits of twenty architectures.

Prints the process' own memory at intervals, and its slope over the second half.

    python benchmarks/bench_soak.py [--fits 1000]
"""

import argparse

import numpy as np
from _measure import own_memory
from sklearn.datasets import load_digits

from skae import AutoencoderTransformer
from skae._backends import engine, networks

X = load_digits().data

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fits", type=int, default=1000)
    parser.add_argument("--architectures", type=int, default=20)
    options = parser.parse_args()
    memory = []
    for fit in range(options.fits):
        AutoencoderTransformer(
            4,
            hidden_layer_sizes=(16 + fit % options.architectures,),
            max_iter=3,
            random_state=fit,
        ).fit(X).score(X)
        memory.append(own_memory() / 1e6)
        if fit + 1 in (1, 20, 40, 100) or (fit + 1) % 100 == 0:
            print(f"{fit + 1:6} fits{memory[-1]:8.0f} MB", flush=True)
    half = np.arange(options.fits // 2, options.fits)
    slope = np.polyfit(half, np.array(memory)[half], 1)[0]
    print(f"slope over the second half: {1000 * slope:.1f} kB per fit")
    for cache in (engine, networks):
        print(f"{cache.__name__}: {cache.cache_info()}")
