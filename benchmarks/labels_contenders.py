"""Reducers that use labels, for ``labels.py``. Each is fitted with ``fit(X, y)``."""

import functools
from importlib.util import find_spec

import numpy as np
from quality_contenders import HIDDEN
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.preprocessing import FunctionTransformer

from skae import AutoencoderTransformer

NCA_ROWS = 1000
"""NCA compares all pairs of rows in every step, so it gets at most so many rows."""

KERAS_WEIGHT = 0.8
"""Weight of the labels in the objective of the plain Keras autoencoder."""


def indicators(y):
    """Return a column for each class, with ones for its rows."""
    return (np.asarray(y)[:, None] == np.unique(y)).astype(float)


class Reducer(TransformerMixin, BaseEstimator):
    """Base class of the reducers below."""

    def __init__(self, n_components, seed):
        self.n_components = n_components
        self.seed = seed


class DiscriminantsThenPCA(Reducer):
    """LDA, and PCA of what least squares on its codes leaves."""

    def fit(self, X, y):
        n_discriminants = min(len(np.unique(y)) - 1, self.n_components)
        self.lda_ = LinearDiscriminantAnalysis(n_components=n_discriminants).fit(X, y)
        self.mean_ = X.mean(axis=0)
        codes = self.lda_.transform(X)
        self.loadings_ = np.linalg.lstsq(codes, X - self.mean_, rcond=None)[0]
        n_others = self.n_components - n_discriminants
        self.pca_ = PCA(n_others).fit(self._rest(X, codes)) if n_others else None
        return self

    def transform(self, X):
        codes = self.lda_.transform(X)
        if self.pca_ is None:
            return codes
        return np.hstack([codes, self.pca_.transform(self._rest(X, codes))])

    def _rest(self, X, codes):
        return X - self.mean_ - codes @ self.loadings_


class NeighborhoodComponents(Reducer):
    """NCA of a stratified sample of the rows."""

    def fit(self, X, y):
        if len(X) > NCA_ROWS:
            X, _, y, _ = train_test_split(
                X, y, train_size=NCA_ROWS, stratify=y, random_state=self.seed
            )
        self.nca_ = NeighborhoodComponentsAnalysis(
            self.n_components, random_state=self.seed
        ).fit(X, y)
        return self

    def transform(self, X):
        return self.nca_.transform(X)


class PartialLeastSquares(Reducer):
    """PLS regression on indicators."""

    def fit(self, X, y):
        self.pls_ = PLSRegression(self.n_components).fit(X, indicators(y))
        return self

    def transform(self, X):
        return self.pls_.transform(X)

    def inverse_transform(self, codes):
        return self.pls_.inverse_transform(codes)


class CovariatesRegression(Reducer):
    """skmatter's PCovR on indicators, scaled as its documentation asks."""

    def fit(self, X, y):
        from skmatter.decomposition import PCovR
        from skmatter.preprocessing import StandardFlexibleScaler

        self.scaler_ = StandardFlexibleScaler().fit(X)
        targets = StandardFlexibleScaler().fit_transform(indicators(y))
        self.pcovr_ = PCovR(0.5, self.n_components, svd_solver="full", tol=1e-10)
        self.pcovr_.fit(self.scaler_.transform(X), targets)
        return self

    def transform(self, X):
        return self.pcovr_.transform(self.scaler_.transform(X))

    def inverse_transform(self, codes):
        return self.scaler_.inverse_transform(self.pcovr_.inverse_transform(codes))


class SupervisedKerasAutoencoder(Reducer):
    """A usual supervised autoencoder in Keras, from a random start."""

    def fit(self, X, y):
        import keras

        keras.utils.set_random_seed(self.seed)
        dense = keras.layers.Dense
        y = np.searchsorted(np.unique(y), y)
        n_classes = int(y.max()) + 1
        rows = hidden = keras.Input((X.shape[1],))
        for size in HIDDEN:
            hidden = dense(size, activation="relu")(hidden)
            hidden = keras.layers.Dropout(0.3)(hidden)
        codes = hidden = dense(self.n_components)(hidden)
        for size in HIDDEN[::-1]:
            hidden = dense(size, activation="relu")(hidden)
        outputs = [dense(X.shape[1])(hidden), dense(n_classes)(codes)]
        model = keras.Model(rows, outputs)
        self.encoder_ = keras.Model(rows, codes)
        self.decoder_ = keras.Model(codes, outputs[0])
        model.compile(
            keras.optimizers.AdamW(weight_decay=0.01),
            loss=[
                "mean_squared_error",
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            ],
            loss_weights=[1 - KERAS_WEIGHT, KERAS_WEIGHT / np.log(n_classes)],
        )
        X, X_val, y, y_val = train_test_split(
            X.astype(np.float32), y, test_size=0.15, stratify=y, random_state=self.seed
        )
        model.fit(
            X,
            [X, y],
            validation_data=(X_val, [X_val, y_val]),
            epochs=100,
            batch_size=32 if len(X) < 5000 else 256,
            callbacks=[
                keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
            ],
            verbose=0,
        )
        return self

    def transform(self, X):
        return np.asarray(self.encoder_(X.astype(np.float32)))

    def inverse_transform(self, codes):
        return np.asarray(self.decoder_(np.asarray(codes, np.float32)))


def all_features(k, seed):
    return FunctionTransformer()


def pca(k, seed):
    return PCA(k)


def umap(k, seed):
    from umap import UMAP

    # Its ``inverse_transform`` takes minutes, so it is not measured.
    return UMAP(n_components=k, random_state=seed, n_jobs=1)


def skae(target_weight, k, seed):
    labels = {"target_weight": target_weight} if target_weight else {}
    return AutoencoderTransformer(k, random_state=seed, **labels)


CONTENDERS = {
    "all features": all_features,
    "PCA": pca,
    "LDA + PCA": DiscriminantsThenPCA,
    "NCA": NeighborhoodComponents,
    "PLS": PartialLeastSquares,
    "PCovR": CovariatesRegression,
    "UMAP": umap,
    "Keras": SupervisedKerasAutoencoder,
}
"""Functions of the number of components and the seed."""

NEEDS = {"PCovR": "skmatter", "UMAP": "umap"}
"""Packages that a contender needs."""

WITHOUT_DECODER = ["all features", "LDA + PCA", "NCA", "UMAP"]
"""Contenders that do not reconstruct rows, or not in a reasonable time."""


def contenders(weights):
    """Return the contenders that can run here, with skae at some weights of labels."""
    found = {
        name: make
        for name, make in CONTENDERS.items()
        if name not in NEEDS or find_spec(NEEDS[name])
    }
    return found | {f"skae {w:g}": functools.partial(skae, w) for w in weights}
