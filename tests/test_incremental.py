"""``partial_fit`` trains on rows that come in batches."""

import pickle

import numpy as np
import pytest
from conftest import small_network
from scipy import sparse
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from skae import AutoencoderTransformer
from skae import _keras as keras


def fit_in_batches(estimator, X, size=200, passes=1):
    """Call ``partial_fit`` on the rows of X in batches."""
    for _ in range(passes):
        for rows in gen_batches(len(X), size):
            estimator.partial_fit(X[rows])
    return estimator


@pytest.mark.parametrize("whiten", [False, True])
def test_after_the_first_batch_the_model_is_pca_of_this_batch(whiten, digits):
    fitted = small_network(whiten=whiten).partial_fit(digits[:300])
    pca = PCA(3, whiten=whiten).fit(digits[:300])
    np.testing.assert_allclose(
        fitted.transform(digits), pca.transform(digits), atol=1e-8
    )
    np.testing.assert_allclose(fitted.explained_variance_, pca.explained_variance_)
    np.testing.assert_allclose(fitted.mean_, pca.mean_)
    assert fitted.n_iter_ == 1


def test_a_linear_autoencoder_in_batches_is_incremental_pca(digits):
    linear = fit_in_batches(AutoencoderTransformer(5, hidden_layer_sizes=()), digits)
    pca = IncrementalPCA(5, batch_size=200).fit(digits)
    np.testing.assert_allclose(
        linear.transform(digits), pca.transform(digits), atol=1e-6
    )
    assert linear.n_iter_ == 9


def test_a_network_that_is_better_replaces_pca(digits):
    X, unseen = digits[:1500], digits[1500:]
    fitted = fit_in_batches(small_network(), X, passes=5)
    pca = fit_in_batches(IncrementalPCA(3), X)
    error = np.square(unseen - fitted.reconstruct(unseen)).sum()
    restored = pca.inverse_transform(pca.transform(unseen))
    assert error < 0.9 * np.square(unseen - restored).sum()
    assert fitted.n_iter_ == 40
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    codes = fitted.transform(X[-100:])
    correlations = np.corrcoef(codes.T) - np.eye(3)
    assert np.abs(correlations).max() < 1e-3  # uncorrelated on the newest batch
    assert fitted.explained_variance_ratio_.sum() == pytest.approx(
        fitted.score(X[-100:]), abs=1e-6
    )


def test_incremental_pca_is_kept_for_noise():
    X = np.random.default_rng(0).normal(size=(2000, 10)) * np.arange(1, 11)
    fitted = fit_in_batches(small_network(), X)
    pca = fit_in_batches(IncrementalPCA(3), X)
    np.testing.assert_allclose(fitted.transform(X), pca.transform(X), atol=1e-5)


def test_partial_fit_continues_after_unpickling(digits):
    whole = fit_in_batches(small_network(), digits[:1000])
    half = fit_in_batches(small_network(), digits[:600])
    half = pickle.loads(pickle.dumps(half))
    half = fit_in_batches(half, digits[600:1000])
    np.testing.assert_array_equal(half.transform(digits), whole.transform(digits))


def test_sparse_batches_give_the_score_of_dense_batches(digits):
    dense = fit_in_batches(small_network(), digits[:800])
    some = small_network()
    for rows in gen_batches(800, 200):
        some.partial_fit(sparse.csr_matrix(digits[rows]))
    assert some.score(digits) == pytest.approx(dense.score(digits), abs=1e-3)


def test_fit_and_partial_fit_each_start_anew(digits):
    fitted = fit_in_batches(small_network(max_iter=2), digits[:600])
    fitted.fit(digits)
    fresh = small_network(max_iter=2).fit(digits)
    np.testing.assert_array_equal(fitted.transform(digits), fresh.transform(digits))
    fitted.partial_fit(digits[:300])
    assert fitted.n_iter_ == 1


def test_an_invalid_batch_changes_nothing(digits):
    fitted = fit_in_batches(small_network(), digits[:600])
    before = vars(fitted).copy()
    with pytest.raises(ValueError, match="X has 4 features"):
        fitted.partial_fit(digits[:, :4])
    with pytest.raises(ValueError, match="NaN"):
        fitted.partial_fit(np.full((3, 64), np.nan))
    assert all(vars(fitted)[name] is before[name] for name in before)
    with pytest.raises(ValueError, match="n_components=3 must be between"):
        small_network().partial_fit(digits[:2])
    fitted.partial_fit(digits[:1])  # later batches may be small


def test_partial_fit_with_a_changed_network_raises(digits):
    fitted = fit_in_batches(small_network(), digits[:600])
    for parameters, message in (
        (dict(n_components=2), "n_components=2 differs from the 3 components"),
        (dict(n_components=3, activation="tanh"), "The network differs from that of"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.set_params(**parameters).partial_fit(digits[:100])
    fitted.set_params(activation="relu", alpha=0.1).partial_fit(digits[:100])
    share = small_network(n_components=0.4)
    fit_in_batches(share, digits[:600])  # the first batch sets the number of components


def test_partial_fit_with_a_changed_optimizer_raises(digits):
    fitted = fit_in_batches(small_network(optimizer="adam"), digits[:600])
    before = vars(fitted).copy()
    # AdamW remembers as many numbers as Adam does, and would go on with them.
    others = "sgd", "adamw", "lion", keras.optimizers.Adam(beta_1=0.5)
    for optimizer in others:
        fitted.set_params(optimizer=optimizer)
        with pytest.raises(ValueError, match="optimizer=.* differs from that of the"):
            fitted.partial_fit(digits[:100])
    fitted.set_params(optimizer="adam")
    assert vars(fitted) == before
    fitted = pickle.loads(pickle.dumps(fitted)).partial_fit(digits[600:800])
    whole = fit_in_batches(small_network(), digits[:800])
    np.testing.assert_array_equal(fitted.transform(digits), whole.transform(digits))
    # Its rate is a number of each batch.
    fitted.set_params(learning_rate=1e-4).partial_fit(digits[:100])


def test_a_linear_autoencoder_has_no_optimizer_to_change(digits):
    linear = AutoencoderTransformer(5, hidden_layer_sizes=()).partial_fit(digits[:300])
    linear.set_params(optimizer="sgd").partial_fit(digits[300:])
    pca = IncrementalPCA(5).partial_fit(digits[:300]).partial_fit(digits[300:])
    np.testing.assert_allclose(
        linear.transform(digits), pca.transform(digits), atol=1e-6
    )


@pytest.mark.parametrize("shift", [100, 1000])
@pytest.mark.parametrize("learning_rate", [None, 1e-2])
def test_a_shift_of_level_does_not_spoil_the_model(learning_rate, shift, curve):
    X = np.resize(curve, (1200, 4))
    model = AutoencoderTransformer(
        1, hidden_layer_sizes=(32,), learning_rate=learning_rate, random_state=0
    )
    pca = IncrementalPCA(1)

    def ratio(rows):
        errors = [
            np.square(rows - restored).sum()
            for restored in (
                model.reconstruct(rows),
                pca.inverse_transform(pca.transform(rows)),
            )
        ]
        return errors[0] / errors[1]

    for _ in range(3):
        fit_in_batches(model, X)
        fit_in_batches(pca, X)
    assert model.selected_model_ == "network"
    assert ratio(X) < 0.95
    # A new level of all features, as after a repair of a sensor.
    shifted = X + shift * X.std()
    ratios = []
    for rows in gen_batches(600, 200):
        ratios.append(ratio(shifted[rows]))
        fit_in_batches(model, shifted[rows])
        fit_in_batches(pca, shifted[rows])
        ratios.append(ratio(shifted[rows]))
    # A network that was trained on one such batch may be thousands of times worse.
    assert max(ratios) < 3


def test_divergence_leaves_finite_weights(digits):
    fitted = small_network(optimizer="sgd", learning_rate=1e12)
    with pytest.warns(ConvergenceWarning, match="stopped being finite"):
        fit_in_batches(fitted, digits[:600])
    pca = fit_in_batches(IncrementalPCA(3), digits[:600])
    np.testing.assert_allclose(
        fitted.transform(digits), pca.transform(digits), atol=1e-5
    )
    weights, _ = fitted._incremental.state.weights["encoder"]
    assert all(np.isfinite(weight).all() for weight in weights)


def test_singular_values_count_all_rows(digits):
    linear = fit_in_batches(AutoencoderTransformer(5, hidden_layer_sizes=()), digits)
    pca = IncrementalPCA(5, batch_size=200).fit(digits)
    np.testing.assert_allclose(linear.singular_values_, pca.singular_values_)
    np.testing.assert_allclose(linear.noise_variance_, pca.noise_variance_)
    assert linear.n_samples_seen_ == pca.n_samples_seen_


def test_partial_fit_works_without_a_linear_path(digits):
    fitted = fit_in_batches(small_network(skip_connections=None), digits, passes=10)
    assert fitted.score(digits) > 0.4
