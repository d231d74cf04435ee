"""
Time of a grid search with skae, and with the same network written in Keras.

The data are the digits. The network is 64-32-8-32-64 with ReLU. It trains for 20 epochs
in batches of 32, without early stopping. The grid has 12 learning rates and 3 folds.
The Keras version builds and compiles a new model in each fit. The searches run
alternately. The table gives medians of a search, and of a fit with its scoring.

    python benchmarks/bench_grid_search.py [--rounds 5]
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from _measure import seconds, time_alternately
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer

X = load_digits().data / 16
RATES = np.geomspace(1e-4, 1e-1, 12).tolist()
EPOCHS = dict(max_iter=20, n_iter_no_change=20, early_stopping=False)


class KerasAutoencoder(TransformerMixin, BaseEstimator):
    """An autoencoder without skae: ``fit`` builds, compiles and trains a model."""

    def __init__(self, width=32, learning_rate=1e-3):
        self.width = width
        self.learning_rate = learning_rate

    def fit(self, X, y=None):
        self.encoder_ = keras.Sequential(
            [
                keras.Input((X.shape[1],)),
                keras.layers.Dense(self.width, "relu"),
                keras.layers.Dense(8),
            ]
        )
        decoder = keras.Sequential(
            [
                keras.Input((8,)),
                keras.layers.Dense(self.width, "relu"),
                keras.layers.Dense(X.shape[1]),
            ]
        )
        self.model_ = keras.Sequential([self.encoder_, decoder])
        self.model_.compile(keras.optimizers.Adam(self.learning_rate), "mse")
        self.model_.fit(X, X, batch_size=32, epochs=20, verbose=0)
        return self

    def transform(self, X):
        return self.encoder_.predict(X, verbose=0)

    def score(self, X, y=None):
        error = np.square(X - self.model_.predict(X, verbose=0)).sum()
        return 1 - error / np.square(X - X.mean(axis=0)).sum()


def estimator(width=32):
    return AutoencoderTransformer(
        8, hidden_layer_sizes=(width,), batch_size=32, random_state=0, **EPOCHS
    )


def search(estimator, **grid):
    return GridSearchCV(estimator, grid, cv=3, refit=False).fit(X)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    first = seconds(estimator().fit, X)
    new = [seconds(estimator(width).fit, X) for width in range(40, 40 + rounds)]
    again = [seconds(estimator(width).fit, X) for width in range(40, 40 + rounds)]
    times = time_alternately(
        {
            "skae": lambda: search(estimator(), learning_rate=RATES),
            "Keras": lambda: search(KerasAutoencoder(), learning_rate=RATES),
        },
        rounds,
    )
    print(f"first fit after importing Keras and JAX: {first:.2f} s")
    extra = np.median(new) - np.median(again)
    print(f"first fit of a new architecture: {extra:.2f} s more than its second fit")
    print(f"{'36 fits':8}{'search':>10}{'per fit':>10}{'ratio':>8}")
    for name, time in times.items():
        ratio = time / times["skae"]
        print(f"{name:8}{time:8.2f} s{time / 36:8.3f} s{ratio:8.1f}")
