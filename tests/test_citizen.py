"""Estimators work with pipelines, searches, data frames and sparse matrices."""

import os
import random

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import small_network
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_digits, load_linnerud
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer


def pca(n_components=3, **parameters):
    """Return an estimator that trains no network, for what concerns no network."""
    return AutoencoderTransformer(n_components, hidden_layer_sizes=(), **parameters)


def test_clone_and_params():
    estimator = small_network(alpha=0.5, optimizer="sgd")
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    assert copy.set_params(alpha=0.25).alpha == 0.25
    assert estimator.alpha == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        estimator.set_params(depth=3)


def test_unsupervised_grid_search_selects_the_higher_explained_variance(digits):
    search = GridSearchCV(
        small_network(max_iter=4),
        {"hidden_layer_sizes": [(), (32,)]},
        cv=2,
        refit=False,
    )
    search.fit(digits[:1796])
    assert search.best_params_ == {"hidden_layer_sizes": (32,)}
    assert search.best_score_ > PCA(3).fit(digits).explained_variance_ratio_.sum()


def test_two_components_classify_better_than_two_components_of_pca(digits):
    X_train, X_test, y_train, y_test = train_test_split(
        digits, load_digits().target, random_state=0
    )
    network = small_network(n_components=2, hidden_layer_sizes=(64, 32), max_iter=40)
    scores = [
        make_pipeline(reducer, StandardScaler(), KNeighborsClassifier())
        .fit(X_train, y_train)
        .score(X_test, y_test)
        for reducer in (PCA(2), network)
    ]
    assert scores[1] > scores[0] + 0.15


def test_feature_union(digits):
    union = FeatureUnion([("scaled", StandardScaler()), ("codes", pca())])
    codes = union.fit_transform(digits)
    assert codes.shape == (len(digits), 67)
    np.testing.assert_array_equal(codes[:, 64:], pca().fit(digits).transform(digits))
    assert make_union(pca()).fit(digits).transform(digits[:2]).shape == (2, 3)


def test_column_transformer(wine):
    acids = ["malic_acid", "ash", "alcalinity_of_ash"]
    transformer = ColumnTransformer(
        [("acids", pca(2), acids)], remainder="passthrough"
    ).set_output(transform="pandas")
    result = transformer.fit_transform(wine)
    assert list(result.columns[:2]) == [
        "acids__autoencodertransformer0",
        "acids__autoencodertransformer1",
    ]
    assert result.shape == (178, 12)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_and_names(library, wine):
    estimator = pca().set_output(transform=library)
    result = estimator.fit_transform(wine)
    names = [f"autoencodertransformer{i}" for i in range(3)]
    assert list(result.columns) == names
    assert list(estimator.get_feature_names_out()) == names
    assert isinstance(result, {"pandas": pd, "polars": pl}[library].DataFrame)
    np.testing.assert_array_equal(
        result.to_numpy(), clone(estimator).set_output().fit(wine).transform(wine)
    )


def test_pandas_and_polars_data_frames_are_accepted(wine):
    # A network, since frames are read during training, too.
    network = small_network(max_iter=1)
    expected = clone(network).fit(wine.to_numpy()).transform(wine.to_numpy())
    for frame in (wine, pl.from_pandas(wine)):
        fitted = clone(network).fit(frame)
        assert list(fitted.feature_names_in_) == list(wine.columns)
        np.testing.assert_array_equal(fitted.transform(frame), expected)


def test_reordered_or_missing_columns_raise(wine):
    fitted = pca().fit(wine)
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        fitted.transform(wine[wine.columns[::-1]])
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now mis"):
        fitted.transform(wine.drop(columns="ash"))


def test_the_estimator_transforms_targets():
    X, Y = load_linnerud(return_X_y=True)
    regressor = TransformedTargetRegressor(
        LinearRegression(),
        transformer=pca(2),
        check_inverse=False,
    )
    predicted = regressor.fit(X, Y).predict(X)
    assert predicted.shape == Y.shape
    # The linear regression on codes, decoded.
    codes = PCA(2).fit(Y)
    by_hand = LinearRegression().fit(X, codes.transform(Y)).predict(X)
    np.testing.assert_allclose(predicted, codes.inverse_transform(by_hand))


def test_frozen_estimator_is_not_fitted_again(network, digits):
    y = load_digits().target
    pipeline = make_pipeline(FrozenEstimator(network), GaussianNB())
    before = network.transform(digits)
    pipeline.fit(digits[:200], y[:200])
    np.testing.assert_array_equal(pipeline[:-1].transform(digits), before)


def test_pipeline_memory_caches_the_fit(tmp_path, digits):
    y = load_digits().target
    network = small_network(max_iter=1)
    pipeline = make_pipeline(network, GaussianNB(), memory=str(tmp_path))
    first = pipeline.fit(digits, y).predict(digits)
    assert any(tmp_path.rglob("output.pkl"))
    np.testing.assert_array_equal(pipeline.fit(digits, y).predict(digits), first)


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda X: X[::-1][::-1],
        lambda X: X.tolist(),
        lambda X: X.astype(np.uint8),
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        sparse.csr_matrix,
        sparse.csc_array,
    ],
    ids=["fortran", "negative strides", "lists", "bytes", "strided", "csr", "csc"],
)
def test_the_memory_layout_of_the_input_does_not_matter(convert, network, digits):
    np.testing.assert_allclose(
        network.transform(convert(digits[:50])), network.transform(digits[:50])
    )


def test_inputs_are_not_changed(digits):
    X = digits.copy()
    small_network(max_iter=1).fit(X).transform(X)
    np.testing.assert_array_equal(X, digits)


@pytest.mark.slow
def test_global_state_is_not_changed(digits):
    import keras

    def drawn_after(seed):
        keras.utils.set_random_seed(seed)
        return np.array(keras.random.normal((3,)))

    _, *drawn = (drawn_after(3) for _ in range(3))
    keras.utils.set_random_seed(3)
    before = (
        np.random.get_state()[1].copy(),
        random.getstate(),
        dict(os.environ),
        keras.config.floatx(),
        np.geterr(),
    )
    fitted = small_network(
        hidden_layer_sizes=(4,),
        dropout=0.1,
        corruption="gaussian",
        encoder=build_encoder,
        max_iter=1,
        early_stopping=False,
    ).fit(digits[:100])
    fitted.transform(digits)
    assert fitted.encoder_.count_params() > 0
    after = (
        np.random.get_state()[1],
        random.getstate(),
        dict(os.environ),
        keras.config.floatx(),
        np.geterr(),
    )
    for was, now in zip(before, after, strict=True):
        np.testing.assert_equal(now, was)
    # In early versions of Keras, a seed does not reset the generator of `keras.random`.
    if np.array_equal(*drawn):
        np.testing.assert_array_equal(keras.random.normal((3,)), drawn[0])


def build_encoder(n_features, n_components):
    import keras

    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Dense(4, "relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(n_components),
        ]
    )
