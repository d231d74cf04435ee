"""
Held-out reconstruction error of the default autoencoder, relative to PCA's.

For scikit-learn's bundled data, raw and standardised, and every number of components
that fits: median and largest ratio over several random splits. Ends with an error if a
ratio is above 1.01 or a training score below PCA's.

    python benchmarks/never_worse_than_pca.py [--splits 4]
"""

import argparse

import numpy as np
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

DATA = ["iris", "wine", "breast_cancer", "digits", "diabetes"]
N_COMPONENTS = [1, 2, 4, 8, 16, 32]


def squared_error(reducer, X):
    """Return the error, and what rounding alone makes of an error of zero."""
    restored = reducer.inverse_transform(reducer.transform(X))
    return np.square(X - restored).sum() + 1e-20 * np.square(X).sum()


def ratio(X, n_components, standardise, seed):
    """Fit both to three quarters of the rows; compare on the others."""
    train, test = train_test_split(X, random_state=seed)
    if standardise:
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    pca = PCA(n_components).fit(train)
    fitted = AutoencoderTransformer(n_components, random_state=seed).fit(train)
    assert fitted.score(train) >= pca.explained_variance_ratio_.sum() - 1e-5
    return squared_error(fitted, test) / squared_error(pca, test)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=4)
    options = parser.parse_args()
    everything = []
    print(f"{'median (largest)':28}" + "".join(f"{k:>14}" for k in N_COMPONENTS))
    for name in DATA:
        X = getattr(datasets, f"load_{name}")().data
        for standardise in (False, True):
            line = f"{name + (' standardised' if standardise else ''):28}"
            for k in N_COMPONENTS:
                if k > X.shape[1]:
                    continue
                ratios = [
                    ratio(X, k, standardise, seed) for seed in range(options.splits)
                ]
                line += f"{f'{np.median(ratios):.2f} ({max(ratios):.3f})':>14}"
                everything += ratios
            print(line, flush=True)
    print(f"{len(everything)} fits, largest ratio {max(everything):.4f}")
    assert max(everything) <= 1.01
