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


def fit_in_batches(estimator, X, passes=1):
    """Call ``partial_fit`` on batches of 200 rows. They share a compiled program."""
    for _ in range(passes):
        for rows in gen_batches(len(X), 200):
            estimator.partial_fit(X[rows])
    return estimator


def linear_autoencoder():
    return AutoencoderTransformer(5, hidden_layer_sizes=())


@pytest.fixture(scope="module")
def trained(digits):
    """Return a network that learnt 1400 rows in five passes."""
    return fit_in_batches(small_network(), digits[:1400], passes=5)


@pytest.fixture
def begun(digits):
    """Return a network after three batches."""
    return fit_in_batches(small_network(), digits[:600])


@pytest.mark.parametrize("whiten", [False, True])
def test_after_the_first_batch_the_model_is_pca_of_this_batch(whiten, digits):
    fitted = small_network(whiten=whiten).partial_fit(digits[:200])
    pca = PCA(3, whiten=whiten).fit(digits[:200])
    np.testing.assert_allclose(
        fitted.transform(digits), pca.transform(digits), atol=1e-8
    )
    np.testing.assert_allclose(fitted.explained_variance_, pca.explained_variance_)
    np.testing.assert_allclose(fitted.mean_, pca.mean_)
    assert fitted.n_iter_ == 1


def test_a_linear_autoencoder_in_batches_is_incremental_pca(digits):
    linear = fit_in_batches(linear_autoencoder(), digits)
    pca = IncrementalPCA(5, batch_size=200).fit(digits)
    np.testing.assert_allclose(
        linear.transform(digits), pca.transform(digits), atol=1e-6
    )
    assert linear.n_iter_ == 9


def test_a_network_that_is_better_replaces_pca(trained, digits):
    X, unseen = digits[:1400], digits[1400:]
    pca = fit_in_batches(IncrementalPCA(3), X)
    error = np.square(unseen - trained.reconstruct(unseen)).sum()
    restored = pca.inverse_transform(pca.transform(unseen))
    assert error < 0.9 * np.square(unseen - restored).sum()
    assert trained.selected_model_ == "network"
    assert trained.n_iter_ == 35
    assert trained.loss_curve_[-1] < trained.loss_curve_[0]
    newest = X[-200:]
    correlations = np.corrcoef(trained.transform(newest).T) - np.eye(3)
    assert np.abs(correlations).max() < 1e-3  # uncorrelated on the newest batch
    assert trained.explained_variance_ratio_.sum() == pytest.approx(
        trained.score(newest), abs=1e-6
    )


def test_missing_values_are_filled_in_by_the_pca_of_all_rows(trained, digits):
    pca = fit_in_batches(IncrementalPCA(3), digits[:1400], passes=5)
    explained = pca.explained_variance_
    noise = explained.sum() * (1 / pca.explained_variance_ratio_.sum() - 1) / (64 - 3)
    W = pca.components_.T * np.sqrt(explained - noise)
    missing = np.random.default_rng(0).uniform(size=(20, 64)) < 0.2
    complete = digits[1400:1420].copy()
    for row, hidden in zip(complete, missing, strict=True):
        seen = ~hidden
        M = W[seen].T @ W[seen] + noise * np.identity(3)
        code = np.linalg.solve(M, W[seen].T @ (row - pca.mean_)[seen])
        row[hidden] = (W @ code + pca.mean_)[hidden]
    rows = np.where(missing, np.nan, digits[1400:1420])
    np.testing.assert_allclose(
        trained.transform(rows), trained.transform(complete), atol=1e-6
    )
    np.testing.assert_allclose(
        trained.reconstruct(rows), trained.reconstruct(complete), atol=1e-6
    )


def test_incremental_pca_is_kept_for_noise():
    X = np.random.default_rng(0).normal(size=(2000, 64)) * np.arange(1, 65)
    fitted = fit_in_batches(small_network(), X)
    pca = fit_in_batches(IncrementalPCA(3), X)
    np.testing.assert_allclose(fitted.transform(X), pca.transform(X), atol=1e-5)


def test_partial_fit_continues_after_unpickling(begun, digits):
    again = fit_in_batches(pickle.loads(pickle.dumps(begun)), digits[600:1000])
    whole = fit_in_batches(begun, digits[600:1000])
    np.testing.assert_array_equal(again.transform(digits), whole.transform(digits))


def test_sparse_batches_give_the_score_of_dense_batches(begun, digits):
    some = small_network()
    for rows in gen_batches(600, 200):
        some.partial_fit(sparse.csr_matrix(digits[rows]))
    assert some.score(digits) == pytest.approx(begun.score(digits), abs=1e-3)


def test_fit_and_partial_fit_each_start_anew(begun, network, digits):
    begun.fit(digits)
    np.testing.assert_array_equal(begun.transform(digits), network.transform(digits))
    begun.partial_fit(digits[:200])
    assert begun.n_iter_ == 1


def test_an_invalid_batch_changes_nothing(begun, digits):
    before = vars(begun).copy()
    with pytest.raises(ValueError, match="X has 4 features"):
        begun.partial_fit(digits[:, :4])
    with pytest.raises(ValueError, match="NaN"):
        begun.partial_fit(np.full((3, 64), np.nan))
    assert all(vars(begun)[name] is before[name] for name in before)
    with pytest.raises(ValueError, match="n_components=3 must be between"):
        small_network().partial_fit(digits[:2])
    begun.partial_fit(digits[:1])  # later batches may be small


def test_partial_fit_with_a_changed_network_raises(begun, digits):
    for parameters, message in (
        (dict(n_components=2), "n_components=2 differs from the 3 components"),
        (dict(n_components=3, activation="tanh"), "The network differs from that of"),
    ):
        with pytest.raises(ValueError, match=message):
            begun.set_params(**parameters).partial_fit(digits[:200])
    begun.set_params(activation="relu", alpha=0.1).partial_fit(digits[:200])


def test_the_first_batch_sets_the_number_of_components(digits):
    fitted = AutoencoderTransformer(0.4, hidden_layer_sizes=())
    fit_in_batches(fitted, digits[:600])
    assert fitted.n_components_ == PCA(0.4).fit(digits[:200]).n_components_


def test_partial_fit_with_a_changed_optimizer_raises(begun, digits):
    before = vars(begun).copy()
    # AdamW remembers as many numbers as Adam does, and would go on with them.
    others = "sgd", "adamw", "lion", keras.optimizers.Adam(beta_1=0.5)
    for optimizer in others:
        begun.set_params(optimizer=optimizer)
        with pytest.raises(ValueError, match="optimizer=.* differs from that of the"):
            begun.partial_fit(digits[:200])
    begun.set_params(optimizer="adam")
    assert vars(begun) == before
    # Its rate is a number of each batch.
    begun.set_params(learning_rate=1e-4).partial_fit(digits[:200])


def test_a_linear_autoencoder_has_no_optimizer_to_change(digits):
    linear = linear_autoencoder().partial_fit(digits[:300])
    linear.set_params(optimizer="sgd").partial_fit(digits[300:])
    pca = IncrementalPCA(5).partial_fit(digits[:300]).partial_fit(digits[300:])
    np.testing.assert_allclose(
        linear.transform(digits), pca.transform(digits), atol=1e-6
    )


@pytest.mark.filterwarnings("ignore:The batch X .* lies far from the batches")
@pytest.mark.parametrize("shift", [100, 1000])
@pytest.mark.parametrize("learning_rate", ["auto", 1e-2])
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
    weights, _ = fitted._incremental.weights["encoder"]
    assert all(np.isfinite(weight).all() for weight in weights)


def test_singular_values_count_all_rows(digits):
    linear = fit_in_batches(linear_autoencoder(), digits)
    pca = IncrementalPCA(5, batch_size=200).fit(digits)
    np.testing.assert_allclose(linear.singular_values_, pca.singular_values_)
    np.testing.assert_allclose(linear.noise_variance_, pca.noise_variance_)
    assert linear.n_samples_seen_ == pca.n_samples_seen_


def test_partial_fit_works_without_a_linear_path(digits):
    fitted = fit_in_batches(small_network(skip_connections=None), digits, passes=10)
    assert fitted.score(digits) > 0.4


def test_labels_need_fit(digits):
    fitted = small_network(target_weight=0.5)
    assert not hasattr(fitted, "partial_fit")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as error:
        fitted.partial_fit(digits, np.arange(len(digits)) % 2)
    reason = "learns without labels. Set target_weight=0, or call fit"
    assert reason in str(error.value.__cause__)
    assert hasattr(fitted.set_params(target_weight=0), "partial_fit")


def test_without_a_weight_labels_are_ignored(begun, digits):
    other = small_network()
    for rows in gen_batches(600, 200):
        other.partial_fit(digits[rows], np.arange(200))
    np.testing.assert_array_equal(other.transform(digits), begun.transform(digits))
    assert not hasattr(other, "coef_")


def test_a_batch_in_other_units_is_noticed(digits):
    pca = linear_autoencoder().partial_fit(digits[:300])
    pca.partial_fit(digits[300:600])
    with pytest.warns(UserWarning, match="far from the batches before"):
        pca.partial_fit(255 * digits[600:900])


def test_a_first_batch_of_equal_rows():
    X = np.random.default_rng(0).normal(size=(20, 3))
    pca = AutoencoderTransformer(1, hidden_layer_sizes=())
    pca.partial_fit(np.ones((5, 3))).partial_fit(X)
    with np.errstate(invalid="ignore"):
        expected = IncrementalPCA(1).partial_fit(np.ones((5, 3))).partial_fit(X)
    np.testing.assert_allclose(pca.explained_variance_, expected.explained_variance_)
    with pytest.raises(ValueError, match="Begin with a larger batch"):
        AutoencoderTransformer(1).partial_fit(np.ones((5, 3)))
