"""
Time of ``transform`` relative to PCA's, for many rows and for one.

The network is 784-128-32-128-784, with and without skip connections. PCA has 32
components. The estimators run alternately, with ten calls in a row. The table gives
medians.

    python benchmarks/bench_transform.py [--data mnist.npz] [--rounds 7]
"""

import argparse

import numpy as np
from _measure import images, time_alternately
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    header = ("PCA", "skae", "ratio", "no skip", "ratio")
    print(f"{'':22}" + "".join(f"{name:>12}" for name in header))
    for dtype in (np.float64, np.float32):
        X = images(options.data, 10_000, dtype)
        fitted = {"PCA": PCA(32).fit(X)}
        for skip_connections in ("linear", None):
            fitted[skip_connections] = AutoencoderTransformer(
                32,
                hidden_layer_sizes=(128,),
                skip_connections=skip_connections,
                max_iter=3,
                random_state=0,
            ).fit(X)
        for n_rows in (10_000, 100, 1):
            rows = X[:n_rows]
            calls = {
                name: lambda transform=estimator.transform, rows=rows: transform(rows)
                for name, estimator in fitted.items()
            }
            pca, skae, plain = time_alternately(
                calls, options.rounds, calls=10
            ).values()
            cells = (f"{1e3 * pca:.3f} ms", f"{1e3 * skae:.3f} ms", f"{skae / pca:.2f}")
            cells += (f"{1e3 * plain:.3f} ms", f"{plain / pca:.2f}")
            name = f"{n_rows} rows, {np.dtype(dtype).name}"
            print(f"{name:22}" + "".join(f"{cell:>12}" for cell in cells))
