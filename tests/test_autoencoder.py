"""The linear autoencoder is PCA, and no fit is worse than PCA."""

import numpy as np
import pytest
from conftest import small_network
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_components", "standardised"),
    [
        ("wine", 2, True),
        ("digits", 2, False),
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


@pytest.mark.parametrize("n_samples", [1, 2, pytest.param(10, marks=pytest.mark.slow)])
def test_small_samples_are_never_worse_than_pca(n_samples):
    X = TALL[:: len(TALL) // n_samples][:n_samples]
    n_components = min(2, n_samples)
    fitted = AutoencoderTransformer(n_components, random_state=0).fit(X)
    error = np.square(X - fitted.reconstruct(X)).sum()
    if n_samples == 1:
        assert error == pytest.approx(0, abs=1e-9)
        return
    pca = PCA(n_components).fit(X)
    pca_error = np.square(X - pca.inverse_transform(pca.transform(X))).sum()
    assert error <= pca_error * (1 + 1e-5) + 1e-9


def test_pca_is_kept_with_too_few_rows():
    fitted = AutoencoderTransformer(2, random_state=0).fit(TALL[:9])
    pca = PCA(2).fit(TALL[:9])
    assert fitted.n_iter_ == 1
    assert fitted.selected_model_ == "linear"
    np.testing.assert_allclose(fitted.transform(TALL), pca.transform(TALL))


@pytest.mark.parametrize(
    ("fraction", "sizes"), [(0.5, ()), (0.5, (8,)), (0.9, ()), (0.999, ())]
)
def test_a_float_n_components_gives_as_many_components_as_pca(fraction, sizes, digits):
    pca = PCA(fraction, svd_solver="full").fit(digits)
    fitted = AutoencoderTransformer(
        fraction, hidden_layer_sizes=sizes, max_iter=2, random_state=0
    ).fit(digits)
    assert fitted.n_components_ == pca.n_components_
    assert fitted.score(digits) >= fraction


def test_none_keeps_all_components():
    assert AutoencoderTransformer(None).fit(TALL[:8]).n_components_ == 8
    assert AutoencoderTransformer(None, max_iter=1).fit(TALL).n_components_ == 13


def test_scores_do_not_depend_on_the_units_of_the_data(network, digits):
    pixels = 255 * digits / 16
    scores = [
        small_network().fit(same).score(same)
        for same in (digits * 1e4, digits * 1e-4, digits + 1e3, pixels - 1e3)
    ]
    assert network.score(digits) > PCA(3).fit(digits).explained_variance_ratio_.sum()
    np.testing.assert_allclose(scores, network.score(digits), atol=1e-3)


def test_automatic_parameters_follow_from_the_kind_of_rows():
    expected = {
        None: {"activation": "relu", "max_iter": 60},
        "auto": {"activation": "silu", "max_iter": 24},
    }
    for image_shape, parameters in expected.items():
        estimator = AutoencoderTransformer(image_shape=image_shape)
        assert estimator._parameters() == estimator.get_params() | parameters
        estimator.set_params(activation="tanh", max_iter=3)
        assert estimator._parameters() == estimator.get_params()
