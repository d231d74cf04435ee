"""The linear autoencoder is PCA, and no fit is worse than PCA."""

import numpy as np
import pytest
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

rng = np.random.default_rng(0)
TALL = datasets.load_wine().data
SCALED = StandardScaler().fit_transform(datasets.load_breast_cancer().data)
WIDE = rng.normal(size=(20, 5)) @ rng.normal(size=(5, 60)) + 0.1 * rng.normal(
    size=(20, 60)
)
LOW_RANK = rng.normal(size=(80, 4)) @ rng.normal(size=(4, 12))
ORACLE_DATA = {
    "tall": (TALL, 5),
    "all components": (TALL, TALL.shape[1]),
    "standardised": (SCALED, 10),
    "wide": (WIDE, 6),
    "rank-deficient": (LOW_RANK, 4),
    "constant feature": (np.column_stack([TALL, np.full(len(TALL), 0.1)]), 5),
    "duplicated rows": (np.repeat(TALL[:40], 3, axis=0), 5),
    "far from the origin": (TALL[:, :4] + 1e6, 3),
}


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("name", ORACLE_DATA)
def test_linear_autoencoder_is_pca(name, whiten):
    X, n_components = ORACLE_DATA[name]
    pca = PCA(n_components, whiten=whiten, svd_solver="full").fit(X)
    linear = AutoencoderTransformer(
        n_components, hidden_layer_sizes=(), whiten=whiten, random_state=0
    ).fit(X)
    codes = pca.transform(X)
    deviations = codes.std(axis=0)
    np.testing.assert_allclose(
        linear.transform(X) / deviations, codes / deviations, atol=1e-4
    )
    np.testing.assert_allclose(
        linear.reconstruct(X), pca.inverse_transform(codes), rtol=1e-4, atol=1e-9
    )
    np.testing.assert_allclose(
        linear.explained_variance_, pca.explained_variance_, rtol=1e-4
    )
    np.testing.assert_allclose(
        linear.explained_variance_ratio_, pca.explained_variance_ratio_, rtol=1e-4
    )
    assert linear.score(X) == pytest.approx(
        pca.explained_variance_ratio_.sum(), rel=1e-4
    )


DATASETS = {"iris": 4, "wine": 13, "breast_cancer": 30, "digits": 64, "diabetes": 10}


@pytest.mark.parametrize("standardised", [False, True], ids=["raw", "standardised"])
@pytest.mark.parametrize(
    ("name", "n_components"),
    [
        (name, n_components)
        for name, n_features in DATASETS.items()
        for n_components in (1, 2, 8, 32)
        if n_components <= n_features
    ],
)
def test_never_worse_than_pca(name, n_components, standardised):
    X = getattr(datasets, f"load_{name}")().data
    train, test = train_test_split(X, random_state=0)
    if standardised:
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    pca = PCA(n_components, svd_solver="full").fit(train)
    fitted = AutoencoderTransformer(n_components, random_state=0).fit(train)
    assert fitted.score(train) >= pca.explained_variance_ratio_.sum() - 1e-5
    rounding = 1e-12 * np.square(test).sum()
    error = np.square(test - fitted.reconstruct(test)).sum()
    pca_error = np.square(test - pca.inverse_transform(pca.transform(test))).sum()
    assert error <= 1.01 * pca_error + rounding


@pytest.mark.parametrize("n_samples", [1, 2, 5, 10, 20])
def test_small_samples_are_never_worse_than_pca(n_samples):
    X = TALL[:: len(TALL) // n_samples][:n_samples]
    fitted = AutoencoderTransformer(1, random_state=0).fit(X)
    pca = PCA(1).fit(X) if n_samples > 1 else None
    error = np.square(X - fitted.reconstruct(X)).sum()
    if pca is None:
        assert error == pytest.approx(0, abs=1e-9)
        return
    pca_error = np.square(X - pca.inverse_transform(pca.transform(X))).sum()
    assert error <= pca_error * (1 + 1e-5) + 1e-9


def test_pca_is_kept_with_too_few_rows():
    fitted = AutoencoderTransformer(2, random_state=0).fit(TALL[:9])
    pca = PCA(2).fit(TALL[:9])
    assert fitted.n_iter_ == 1
    assert fitted.selected_model_ == "linear"
    np.testing.assert_allclose(fitted.transform(TALL), pca.transform(TALL))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_float_n_components_gives_as_many_components_as_pca(share):
    X = datasets.load_digits().data
    pca = PCA(share, svd_solver="full").fit(X)
    fitted = AutoencoderTransformer(
        share, hidden_layer_sizes=(8,), max_iter=2, random_state=0
    ).fit(X)
    assert fitted.n_components_ == pca.n_components_
    assert fitted.score(X) >= share


def test_none_keeps_all_components():
    assert AutoencoderTransformer(None).fit(TALL[:8]).n_components_ == 8
    assert AutoencoderTransformer(None, max_iter=1).fit(TALL).n_components_ == 13


@pytest.mark.parametrize("data", ["digits", "standardised"])
def test_scores_do_not_depend_on_the_units_of_the_data(data):
    X = datasets.load_digits().data if data == "digits" else SCALED
    pixels = 255 * (X - X.min()) / (X.max() - X.min())
    scores = [
        AutoencoderTransformer(1, random_state=0).fit(same).score(same)
        for same in (X, X * 1e4, X * 1e-4, X + 1e3, pixels)
    ]
    assert scores[0] > PCA(1).fit(X).explained_variance_ratio_.sum() + 0.01
    np.testing.assert_allclose(scores, scores[0], atol=1e-3)
