"""Contenders of the quality study: skae with several parameters, and baselines."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA, FactorAnalysis, KernelPCA
from sklearn.neural_network import MLPRegressor

from skae import AutoencoderTransformer

HIDDEN = (256, 128)


class FactorAnalysisCodec(FactorAnalysis):
    """Factor analysis that reconstructs rows by the mean of its model."""

    def inverse_transform(self, codes):
        return codes @ self.components_ + self.mean_


class ScaledAutoencoder(TransformerMixin, BaseEstimator):
    """Base class of the baselines that centre rows and divide them by one scale."""

    def __init__(self, n_components, seed):
        self.n_components = n_components
        self.seed = seed

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        self.scale_ = np.sqrt(X.var(axis=0).mean())
        self.train((X - self.mean_) / self.scale_)
        return self

    def transform(self, X):
        return self.encode((X - self.mean_) / self.scale_)

    def inverse_transform(self, codes):
        return self.decode(codes) * self.scale_ + self.mean_


class PerceptronAutoencoder(ScaledAutoencoder):
    """scikit-learn's ``MLPRegressor`` trained to return its input."""

    def train(self, rows):
        sizes = (*HIDDEN, self.n_components, *HIDDEN[::-1])
        self.network_ = MLPRegressor(
            hidden_layer_sizes=sizes, early_stopping=True, random_state=self.seed
        )
        self.network_.fit(rows, rows)

    def encode(self, rows):
        return self._layers(rows, 0, len(HIDDEN) + 1)

    def decode(self, codes):
        return self._layers(codes, len(HIDDEN) + 1, self.network_.n_layers_ - 1)

    def _layers(self, values, start, stop):
        for layer in range(start, stop):
            values = values @ self.network_.coefs_[layer]
            values = values + self.network_.intercepts_[layer]
            if layer < self.network_.n_layers_ - 2:
                values = np.maximum(values, 0)
        return values


class KerasAutoencoder(ScaledAutoencoder):
    """A usual autoencoder in Keras: random start, Adam, best validation loss."""

    def train(self, rows):
        import keras

        seeds = iter(range(self.seed * 10, self.seed * 10 + 10))

        def network(sizes, n_outputs):
            layers = [
                keras.layers.Dense(
                    size,
                    activation=activation,
                    kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
                )
                for size, activation in [
                    *[(size, "relu") for size in sizes],
                    (n_outputs, None),
                ]
            ]
            return keras.Sequential(layers)

        self.encoder_ = network(HIDDEN, self.n_components)
        self.decoder_ = network(HIDDEN[::-1], rows.shape[1])
        model = keras.Sequential([self.encoder_, self.decoder_])
        model.compile("adam", "mean_squared_error")
        best = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
        order = np.random.default_rng(self.seed).permutation(len(rows))
        rows = rows[order].astype(np.float32)
        model.fit(
            rows,
            rows,
            epochs=100,
            batch_size=32 if len(rows) < 5000 else 256,
            validation_split=0.1,
            callbacks=[best],
            verbose=0,
        )

    def encode(self, rows):
        return np.asarray(self.encoder_(rows.astype(np.float32)))

    def decode(self, codes):
        return np.asarray(self.decoder_(np.asarray(codes, np.float32)))


def kernel_pca(n_components, X):
    gamma = 1 / (X.shape[1] * X.var(axis=0).mean())
    return KernelPCA(
        n_components, kernel="rbf", gamma=gamma, alpha=0.1, fit_inverse_transform=True
    )


def umap(n_components, X, seed):
    from umap import UMAP

    return UMAP(n_components=n_components, random_state=seed, n_jobs=1)


CANDIDATES = [
    {},
    {"activation": "silu"},
    {"activation": "gelu"},
    {"activation": "tanh"},
    {"hidden_layer_sizes": (256,)},
    {"hidden_layer_sizes": (512, 256)},
    {"hidden_layer_sizes": (256, 128, 64)},
    {"learning_rate": 0.002},
    {"learning_rate": 0.008},
    {"max_iter": 30},
    {"max_iter": 100},
    {"max_iter": 200, "n_iter_no_change": 40},
    {"n_iter_no_change": 10},
    {"batch_size": 32},
    {"batch_size": 128},
    {"optimizer": "nadam"},
    {"optimizer": "adamw"},
    {"optimizer": "lion", "learning_rate": 0.0003},
    {"optimizer": "muon"},
    {"alpha": 0.0},
    {"alpha": 1e-4},
    {"alpha": 1e-3},
    {"dropout": 0.1},
    {"validation_fraction": 0.2},
    {"corruption": "gaussian", "corruption_level": 0.1},
    {"skip_connections": "dense"},
    {"skip_connections": None},
]
"""Parameters that differ from the defaults. The first entry is the defaults."""

NEAR = [
    {},
    {"learning_rate": 0.002},
    {"learning_rate": 0.003},
    {"max_iter": 30},
    {"max_iter": 100},
    {"n_iter_no_change": 10},
    {"batch_size": 32},
    {"optimizer": "nadam"},
    {"optimizer": "adamw"},
    {"hidden_layer_sizes": (256,)},
    {"hidden_layer_sizes": (256, 128, 64)},
    {"hidden_layer_sizes": (256, 128, 64), "learning_rate": 0.003},
]
"""Candidates about as good as the defaults. They are measured on more data."""

BASELINES = {
    "PCA": lambda k, X, seed: PCA(k),
    "KernelPCA": lambda k, X, seed: kernel_pca(k, X),
    "FactorAnalysis": lambda k, X, seed: FactorAnalysisCodec(k),
    "MLPRegressor": lambda k, X, seed: PerceptronAutoencoder(k, seed),
    "Keras": lambda k, X, seed: KerasAutoencoder(k, seed),
    "UMAP": umap,
}


def label(parameters):
    """Return a name for some parameters."""
    parts = [f"{name}={value!r}" for name, value in parameters.items()]
    return "skae" + (": " + ", ".join(parts) if parts else "")


def contenders(names):
    """Return a dict of functions of (k, X, seed), for some groups of contenders."""
    chosen = {"defaults": CANDIDATES[:1], "near": NEAR, "candidates": CANDIDATES}
    found = {}
    for name in names:
        if name == "baselines":
            found |= {key: BASELINES[key] for key in BASELINES if key != "PCA"}
        else:
            found |= {label(one): _skae(one) for one in chosen[name]}
    return found


def _skae(parameters):
    return lambda k, X, seed: AutoencoderTransformer(k, random_state=seed, **parameters)
