"""Fitted attributes equal those of PCA if PCA was kept. Networks have similar ones."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)

DIGITS = load_digits().data
DATA = {
    "tall": DIGITS,
    "square": DIGITS[:100],
    "wide": DIGITS[:40],
    "float32": DIGITS.astype(np.float32),
}
ATTRIBUTES = (
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
    "mean_",
    "noise_variance_",
    "n_samples_",
    "n_components_",
    "n_features_in_",
)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("kind", DATA)
def test_attributes_of_a_linear_autoencoder_equal_those_of_pca(kind, whiten):
    X = DATA[kind]
    linear = AutoencoderTransformer(7, hidden_layer_sizes=(), whiten=whiten).fit(X)
    # PCA is fitted in float64. Its own rounding errors in float32 would be too large.
    pca = PCA(7, whiten=whiten, svd_solver="full").fit(X.astype(np.float64))
    precision = 1e-5 if kind == "float32" else 1e-8
    for name in ATTRIBUTES:
        found, expected = getattr(linear, name), getattr(pca, name)
        np.testing.assert_allclose(found, expected, rtol=precision, atol=precision)
        if isinstance(found, np.ndarray):
            assert found.dtype == X.dtype, name
    assert linear.selected_model_ == "linear"


@pytest.mark.parametrize("kind", ["tall", "wide", "float32"])
def test_covariance_and_precision_equal_those_of_pca(kind):
    X = DATA[kind] + np.random.default_rng(0).normal(size=DATA[kind].shape)
    linear = AutoencoderTransformer(7, hidden_layer_sizes=(), whiten=True).fit(X)
    pca = PCA(7, svd_solver="full").fit(X)
    np.testing.assert_allclose(
        linear.get_covariance(), pca.get_covariance(), rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(
        linear.get_precision(), pca.get_precision(), rtol=1e-6, atol=1e-8
    )


def test_a_network_has_no_covariance_in_closed_form(network):
    assert network.selected_model_ == "network"
    for method in (network.get_covariance, network.get_precision):
        with pytest.raises(AttributeError, match="selected_model_='network'"):
            method()
    with pytest.raises(AttributeError, match="is not fitted yet"):
        AutoencoderTransformer().get_covariance()


NETWORKS = {
    "dense": small_network(),
    "dense, many components": small_network(
        n_components=70, activation="tanh", skip_connections=None
    ),
    "dense, whitened": small_network(whiten=True, activation="silu"),
    "compiled": small_network(activation="gelu"),
    "sparse codes": small_network(sparsity=0.1, activation="tanh"),
    "convolutional": ConvolutionalAutoencoderTransformer(
        3, filters=4, hidden_layer_sizes=(16,), max_iter=6, random_state=0
    ),
    "variational": VariationalAutoencoderTransformer(
        3, hidden_layer_sizes=(16,), max_iter=6, random_state=0
    ),
}


@pytest.mark.jax
@pytest.mark.parametrize("kind", NETWORKS)
def test_components_are_the_derivative_of_the_decoder(kind):
    import jax

    fitted = NETWORKS[kind].fit(DIGITS)
    assert fitted.selected_model_ == "network"
    codes = fitted.transform(DIGITS)
    mean = codes.mean(axis=0).astype(np.float32)
    # JAX differentiates the Keras model.
    derivative = jax.jacfwd(lambda code: fitted.decoder_(code[None])[0])(mean).T
    if getattr(fitted, "whiten", False):
        derivative = derivative / np.sqrt(fitted.explained_variance_)[:, None]
    assert fitted.components_.shape == (fitted.n_components_, 64)
    # components_ are finite differences. With ReLU a difference may include a kink.
    atol = (1e-2 if kind == "dense" else 2e-3) * np.abs(derivative).max()
    np.testing.assert_allclose(fitted.components_, derivative, atol=atol)


def test_noise_variance_and_singular_values_of_a_network(network, digits):
    residuals = digits - network.reconstruct(digits)
    codes = network.transform(digits)
    assert network.noise_variance_ == pytest.approx(
        np.square(residuals).sum() / (len(digits) - 1) / (64 - 3), rel=1e-5
    )
    np.testing.assert_allclose(
        network.singular_values_,
        np.linalg.norm(codes - codes.mean(axis=0), axis=0),
        rtol=1e-4,
    )
    assert network.n_samples_ == len(digits)


def test_float32_data_give_float32_attributes(digits):
    fitted = small_network(max_iter=4).fit(digits.astype(np.float32))
    assert fitted.selected_model_ == "network"
    arrays = {
        name: value.dtype
        for name in ("components_", *vars(fitted))
        if isinstance(value := getattr(fitted, name), np.ndarray)
        and not name.startswith("_")
    }
    assert {"components_", "mean_", "explained_variance_"} <= arrays.keys()
    assert set(arrays.values()) == {np.dtype(np.float32)}


def test_fit_and_partial_fit_count_rows_in_different_attributes(digits):
    fitted = small_network().partial_fit(digits[:300]).partial_fit(digits[300:400])
    assert fitted.n_samples_seen_ == 400
    assert not hasattr(fitted, "n_samples_")
    fitted.fit(digits[:500])
    assert fitted.n_samples_ == 500
    assert not hasattr(fitted, "n_samples_seen_")


def test_verbose_prints_that_pca_was_kept(digits, capsys):
    small_network(max_iter=2, verbose=True).fit(digits[:9])
    last = capsys.readouterr().out.splitlines()[-1]
    assert "Kept PCA: no epoch was better." in last
    small_network(hidden_layer_sizes=(), verbose=True).fit(digits)
    assert capsys.readouterr().out == "Kept PCA: it is the optimum.\n"
