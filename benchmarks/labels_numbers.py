"""
How well a linear model predicts numbers from codes that were fitted with labels.

The rows are standardised. Reducer and linear regression form one pipeline, which is
cross-validated in five folds. The script prints the mean R² for 2 and 4 components.
Diabetes comes with scikit-learn. The other data are drawn.

    python benchmarks/labels_numbers.py
"""

import numpy as np
from sklearn.cross_decomposition import PLSRegression
from sklearn.datasets import load_diabetes, make_friedman1, make_friedman2
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

FOLDS = KFold(5, shuffle=True, random_state=0)


def surface(n_rows=800):
    """Return rows near a surface of three dimensions, and a product on it."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, size=(n_rows, 3))
    points = np.hstack([t, np.sin(3 * t), t**2])
    X = points @ rng.normal(size=(9, 20)) + 0.3 * rng.normal(size=(n_rows, 20))
    return X, t[:, 0] * t[:, 1] + t[:, 2] + 0.1 * rng.normal(size=n_rows)


DATA = {
    "diabetes": load_diabetes(return_X_y=True),
    "Friedman 1": make_friedman1(800, n_features=10, noise=1, random_state=0),
    "Friedman 2": make_friedman2(800, noise=50, random_state=0),
    "surface": surface(),
}


def autoencoder(weight, **parameters):
    """Return a function that makes an autoencoder with so many components."""
    return lambda k: AutoencoderTransformer(
        k, target_weight=weight, random_state=0, **parameters
    )


REDUCERS = {
    "all": lambda k: "passthrough",
    "PCA": PCA,
    "PLS": PLSRegression,
    "PCovR": autoencoder(0.5, hidden_layer_sizes=()),
    "skae 0": autoencoder(0.0),
    "skae 0.5": autoencoder(0.5),
    "skae 0.9": autoencoder(0.9),
}

if __name__ == "__main__":
    print(f"{'':15}" + "".join(f"{name:>10}" for name in REDUCERS))
    for name, (X, y) in DATA.items():
        for k in (2, min(4, X.shape[1] - 1)):
            print(f"{name:12}{k:3}", end="")
            for make in REDUCERS.values():
                steps = StandardScaler(), make(k), LinearRegression()
                if make is PLSRegression:
                    steps = steps[:2]  # it predicts itself
                pipeline = make_pipeline(*steps)
                score = cross_val_score(pipeline, X, y, cv=FOLDS).mean()
                print(f"{score:10.3f}", end="", flush=True)
            print()
