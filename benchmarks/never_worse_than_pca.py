"""
Test error of the default autoencoder, relative to PCA's.

The data are scikit-learn's bundled data, raw and standardised. With --hard they are
data on which an autoencoder is easily worse than PCA. Every number of components up to
the size of the data is measured. The table gives the median and the largest ratio over
several random splits. The script fails if a ratio is above 1.01 or if a training score
is below PCA's.

    python benchmarks/never_worse_than_pca.py [--hard] [--splits 4]
"""

import argparse

import numpy as np
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

BUNDLED = ["iris", "wine", "breast_cancer", "digits", "diabetes"]
N_COMPONENTS = [1, 2, 4, 8, 16, 32]


def bundled():
    """Yield names and rows of scikit-learn's bundled data."""
    for name in BUNDLED:
        yield name, getattr(datasets, f"load_{name}")().data


def hard():
    """Yield names and rows of data on which a network is easily worse than PCA."""
    rng = np.random.default_rng(0)
    digits, cancer = datasets.load_digits().data, datasets.load_breast_cancer().data
    yield "digits, 60 rows of 64", digits[:60]
    yield "noise, 100 rows of 500", rng.normal(size=(100, 500))
    yield "wine, 30 rows", datasets.load_wine().data[::6]
    yield "iris, 30 rows", datasets.load_iris().data[::5]
    yield "heavy tails", rng.standard_t(1.5, size=(800, 10)) @ rng.normal(size=(10, 12))
    yield "breast cancer, sinh", np.sinh(StandardScaler().fit_transform(cancer))
    counts = rng.gamma(0.3, size=(1000, 4)) @ rng.gamma(0.5, size=(4, 20)) * 5
    yield "counts", rng.poisson(counts).astype(float)
    yield "one dominant feature", digits * np.where(np.arange(64) == 20, 1e3, 1)
    yield "nearly constant", 1e6 + digits * 1e-3
    yield "8 normal features", rng.normal(size=(300, 8)) @ rng.normal(size=(8, 8))


def squared_error(reducer, X):
    """Return the squared error, plus the rounding error of an exact reconstruction."""
    restored = reducer.inverse_transform(reducer.transform(X))
    return np.square(X - restored).sum() + 1e-20 * np.square(X).sum()


def ratio(X, n_components, standardise, seed):
    """Return the error relative to PCA's, on a quarter of the rows."""
    train, test = train_test_split(X, random_state=seed)
    if standardise:
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    pca = PCA(n_components).fit(train)
    fitted = AutoencoderTransformer(n_components, random_state=seed).fit(train)
    # PCA's own explained variance is not used: it is imprecise far from the origin.
    total = np.square(train - train.mean(axis=0)).sum()
    assert fitted.score(train) >= 1 - squared_error(pca, train) / total - 1e-5
    return squared_error(fitted, test) / squared_error(pca, test)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--splits", type=int, default=4)
    options = parser.parse_args()
    everything = []
    print(f"{'median (largest)':35}" + "".join(f"{k:>14}" for k in N_COMPONENTS))
    for name, X in hard() if options.hard else bundled():
        for standardise in (False, True):
            line = f"{name + (' standardised' if standardise else ''):35}"
            for k in N_COMPONENTS:
                if k > min(X.shape[1], len(X) * 3 // 4):
                    continue
                ratios = [
                    ratio(X, k, standardise, seed) for seed in range(options.splits)
                ]
                line += f"{f'{np.median(ratios):.2f} ({max(ratios):.3f})':>14}"
                everything += ratios
            print(line, flush=True)
    print(f"{len(everything)} fits, largest ratio {max(everything):.4f}")
    assert max(everything) <= 1.01
