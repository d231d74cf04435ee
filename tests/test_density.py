"""Densities of codes, and rows that are generated from them."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, KNeighborsClassifier

from skae import AutoencoderTransformer, ConvolutionalAutoencoderTransformer


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("sparsity", [0.0, 0.1])
@pytest.mark.parametrize("sizes", [(), (32,)])
def test_the_density_has_the_mean_and_covariance_of_the_training_codes(
    whiten, sparsity, sizes, digits
):
    fitted = small_network(
        n_components=4, whiten=whiten, sparsity=sparsity, hidden_layer_sizes=sizes
    ).fit(digits)
    codes = fitted.transform(digits)
    scale = codes.std(axis=0).max()
    np.testing.assert_allclose(
        fitted.density_.mean, codes.mean(axis=0), atol=1e-4 * scale
    )
    np.testing.assert_allclose(
        fitted.density_.covariance, np.cov(codes.T), rtol=1e-3, atol=1e-3 * scale**2
    )
    drawn = fitted.density_.sample(20000, np.random.RandomState(0))
    np.testing.assert_allclose(
        np.cov(drawn.T), np.cov(codes.T), rtol=0.1, atol=0.05 * scale**2
    )


@pytest.mark.parametrize(
    "density",
    [None, GaussianMixture(5, random_state=3), KernelDensity(bandwidth=2.0)],
    ids=lambda density: type(density).__name__,
)
def test_samples_are_reproducible_rows_near_the_data(density, digits):
    fitted = small_network(n_components=8, max_iter=30, density=density).fit(digits)
    rows = fitted.sample(200, random_state=0)
    assert rows.shape == (200, 64)
    np.testing.assert_array_equal(rows, fitted.sample(200, random_state=0))
    assert np.abs(rows - fitted.sample(200, random_state=1)).max() > 1
    assert fitted.sample().shape == (1, 64)
    # They are nearer to the data than rows of shuffled pixels.
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(digits, axis=0)[:200]
    near = [
        np.min(np.square(part[:, None] - digits[None]).sum(axis=2), axis=1).mean()
        for part in (rows, shuffled)
    ]
    assert near[0] < 0.6 * near[1]
    if density is not None:
        assert not hasattr(density, "means_")  # a clone was fitted
        assert density.get_params() == clone(density).get_params()


def test_a_linear_autoencoder_samples_probabilistic_pca_without_noise(digits):
    fitted = AutoencoderTransformer(10, hidden_layer_sizes=()).fit(digits)
    pca = PCA(10).fit(digits)
    rows = fitted.sample(50000, random_state=0)
    expected = pca.components_.T * pca.explained_variance_ @ pca.components_
    np.testing.assert_allclose(np.cov(rows.T), expected, atol=1.0)
    np.testing.assert_allclose(rows.mean(axis=0), pca.mean_, atol=0.2)


def test_a_classifier_trained_on_samples_classifies_real_rows():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    train, test = slice(1200), slice(1200, None)
    made, labels = [], []
    for label in range(10):
        model = ConvolutionalAutoencoderTransformer(
            8, filters=8, hidden_layer_sizes=(32,), random_state=0
        ).fit(X[train][y[train] == label])
        made.append(model.sample(100, random_state=0))
        labels += [label] * 100
    classifier = KNeighborsClassifier(1).fit(np.vstack(made), labels)
    assert classifier.score(X[test], y[test]) > 0.85


@pytest.mark.parametrize("n_samples", [0, -3, 1.5, "two"])
def test_an_invalid_number_of_samples_raises(n_samples, network):
    with pytest.raises((ValueError, TypeError), match="n_samples"):
        network.sample(n_samples)


def test_an_invalid_density_or_an_unfitted_estimator_raises(digits):
    with pytest.raises(ValueError, match="'density' parameter of"):
        small_network(density="normal").fit(digits)
    with pytest.raises(ValueError, match="is not fitted yet"):
        small_network().sample()
