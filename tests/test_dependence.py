"""Groups of dependent rows, and validation rows given by the user."""

import numpy as np
import pytest
import sklearn
from conftest import small_network
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.utils import resample

from skae import AutoencoderTransformer, ConvolutionalAutoencoderTransformer
from skae._data import Split, Stacked, groups_of_copies, merged_groups, numbered

DENSE = AutoencoderTransformer(4, random_state=0)
CONVOLUTIONAL = ConvolutionalAutoencoderTransformer(
    4, filters=8, hidden_layer_sizes=(64,), max_iter=40, random_state=0
)


@pytest.mark.parametrize("form", [np.asarray, np.float32, sparse.csr_matrix])
def test_equal_rows_are_one_group(form):
    X = np.array([[1.0, 0], [2, 3], [1, -0.0], [2, 4], [2, 3], [0, 0], [0, 0]])
    np.testing.assert_array_equal(groups_of_copies(form(X)), [0, 1, 0, 2, 1, 3, 3])
    distinct = np.random.default_rng(0).normal(size=(3000, 5))
    np.testing.assert_array_equal(groups_of_copies(form(distinct)), np.arange(3000))


def test_two_groupings_are_merged():
    one, other = np.array([0, 0, 1, 2, 3, 4]), np.array([0, 1, 1, 2, 3, 2])
    np.testing.assert_array_equal(merged_groups(one, other), [0, 0, 0, 1, 2, 1])
    np.testing.assert_array_equal(
        numbered(np.array(["b", "a", "b", "c"])), [0, 1, 0, 2]
    )


@pytest.mark.parametrize("n_groups", [12, 60, 400, 2000])
def test_the_split_never_parts_a_group(n_groups):
    rng = np.random.RandomState(0)
    groups = numbered(rng.randint(n_groups, size=5 * n_groups))
    split = Split.draw(groups, 0.1, rng)
    assert split.n_models == (1 if n_groups == 2000 else 6)
    for train, held_out in zip(split.train, split.held_out, strict=True):
        assert not np.intersect1d(groups[train], groups[held_out]).size
        assert len(train) + len(held_out) == len(groups)
    values = np.random.default_rng(0).normal(size=len(groups))
    held_out = np.concatenate(split.held_out)
    expected = [
        values[held_out][groups[held_out] == group].mean()
        for group in np.unique(groups[held_out])
    ]
    np.testing.assert_allclose(split.means_of_groups(values[held_out]), expected)


def test_few_groups_of_many_rows_train_one_model():
    groups = np.repeat(np.arange(50), 1000)
    split = Split.draw(groups, 0.1, np.random.RandomState(0))
    assert split.n_models == 1
    assert len(split.held_out[0]) == 5000


def test_without_groups_the_split_follows_a_permutation_of_the_rows():
    split = Split.draw(np.arange(2000), 0.1, np.random.RandomState(0))
    order = np.random.RandomState(0).permutation(2000)
    np.testing.assert_array_equal(split.train[0], order[200:])
    np.testing.assert_array_equal(split.held_out[0], np.sort(order[:200]))


def test_a_validation_fraction_that_leaves_no_training_row_raises():
    with pytest.raises(ValueError, match=r"validation_fraction=0.995 leaves no row"):
        small_network(validation_fraction=0.995).fit(np.eye(150))


def relative_error(fitted, X, test):
    """Return the squared error of test rows relative to PCA's."""
    pca = PCA(fitted.n_components_).fit(X)
    restored = pca.inverse_transform(pca.transform(test))
    error = np.square(test - fitted.reconstruct(test)).sum()
    return error / np.square(test - restored).sum()


@pytest.mark.parametrize("estimator", [DENSE, CONVOLUTIONAL], ids=["dense", "images"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_fit_to_a_bootstrap_sample_of_noise_is_not_worse_than_pca(seed, estimator):
    # A copy of a held-out row must not be a training row. The network would memorise
    # it.
    rng = np.random.default_rng(seed)
    noise, test = rng.normal(size=(300, 36)), rng.normal(size=(1000, 36))
    X = resample(noise, n_samples=1200, random_state=seed)
    fitted = clone(estimator).fit(X)
    assert relative_error(fitted, X, test) < 1.01


@pytest.mark.parametrize("estimator", [DENSE, CONVOLUTIONAL], ids=["dense", "images"])
@pytest.mark.parametrize("seed", [0, 1])
def test_with_groups_a_fit_to_noisy_copies_is_not_worse_than_pca(seed, estimator):
    rng = np.random.default_rng(seed)
    subjects, test = rng.normal(size=(60, 36)), rng.normal(size=(1000, 36))
    groups = np.repeat(np.arange(60), 10)
    X = subjects[groups] + 0.1 * rng.normal(size=(600, 36))
    grouped = clone(estimator).fit(X, groups=groups)
    assert relative_error(grouped, X, test) < 1.01
    # Groups may be strings.
    named = clone(estimator).fit(X, groups=[f"subject {group}" for group in groups])
    np.testing.assert_array_equal(named.transform(test), grouped.transform(test))


def test_without_groups_a_fit_to_noisy_copies_is_worse_than_pca():
    # This shows that the test above can fail. Without groups the network is kept,
    # although it is worse than PCA.
    rng = np.random.default_rng(0)
    subjects, test = rng.normal(size=(60, 36)), rng.normal(size=(1000, 36))
    X = np.repeat(subjects, 10, axis=0) + 0.1 * rng.normal(size=(600, 36))
    assert relative_error(clone(DENSE).fit(X), X, test) > 1.05


def test_rows_with_the_same_clean_row_are_one_group():
    # Each clean row has several damaged versions. If one of them is held out, no other
    # may be a training row.
    rng = np.random.default_rng(0)
    clean = np.repeat(rng.normal(size=(60, 30)), 20, axis=0)
    damaged = clean + 0.5 * rng.normal(size=clean.shape)
    fitted = AutoencoderTransformer(4, random_state=0).fit(damaged, X_clean=clean)
    test = rng.normal(size=(500, 30))
    shown = test + 0.5 * rng.normal(size=test.shape)
    pca = PCA(4).fit(clean)
    restored = pca.inverse_transform(pca.transform(shown))
    error = np.square(test - fitted.reconstruct(shown)).sum()
    assert error < 1.01 * np.square(test - restored).sum()


@pytest.mark.parametrize("routed", [True, False])
def test_metadata_routing_passes_groups(routed):
    # Without groups the networks are kept, with them PCA is.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    X = rng.normal(size=(60, 36))[groups] + 0.1 * rng.normal(size=(600, 36))
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = clone(DENSE).set_fit_request(groups=routed)
        found = cross_validate(
            estimator,
            X,
            cv=GroupKFold(2),
            params={"groups": groups},
            return_estimator=True,
        )
    kept = {fitted.selected_model_ for fitted in found["estimator"]}
    assert kept == {"linear" if routed else "network"}


def test_the_rows_of_x_val_decide_which_model_is_kept(digits):
    train, held_out = digits[:1500], digits[1500:]
    fitted = small_network(max_iter=4, n_components=2).fit(train, X_val=held_out)
    assert fitted.selected_model_ == "network"
    errors = np.square(held_out - fitted.reconstruct(held_out)).sum()
    scale = train.var(axis=0).sum()
    assert fitted.best_loss_ == pytest.approx(errors / len(held_out) / scale, rel=0.01)
    # The same rows, as a sparse matrix.
    sparse_rows = sparse.csr_matrix(held_out)
    same = small_network(max_iter=4, n_components=2).fit(train, X_val=sparse_rows)
    np.testing.assert_array_equal(same.transform(digits), fitted.transform(digits))
    # A network is worse than PCA on rows that are unlike the training rows.
    noise = np.random.default_rng(0).normal(scale=1e3, size=(200, 64))
    assert small_network().fit(train, X_val=noise).selected_model_ == "linear"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(X_val=np.ones((5, 3))), r"X_val has shape \(5, 3\), but must have shape"),
        (dict(X_val=np.full((5, 64), np.nan)), "Input X_val contains NaN"),
        (dict(X_val=np.ones(64)), "Expected 2D array, got 1D array"),
        (dict(X_val="digits", X_clean="digits"), "X_val cannot be combined with X_cle"),
        (dict(X_val="digits", groups=np.ones(1797)), "cannot be combined with groups"),
        (dict(groups=np.ones(7)), "inconsistent numbers of samples"),
        (dict(groups=np.ones((1797, 2))), "groups must have one dimension"),
        (dict(groups=np.full(1797, np.nan)), "Input groups contains NaN"),
    ],
)
def test_invalid_groups_and_validation_rows_raise(arguments, message, digits):
    given = {
        name: digits if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    with pytest.raises(ValueError, match=message):
        small_network().fit(digits, **given)


def test_validation_rows_need_early_stopping(digits):
    with pytest.raises(ValueError, match="X_val needs early_stopping=True"):
        small_network(early_stopping=False).fit(digits, X_val=digits)


def test_pca_is_kept_if_there_is_only_one_group(digits):
    fitted = small_network().fit(digits[:200], groups=np.zeros(200))
    assert fitted.selected_model_ == "linear"


def test_stacked_arrays_are_indexed_like_one_array():
    first, second = np.arange(6.0).reshape(3, 2), sparse.csr_matrix(np.eye(2) * 9)
    stacked, whole = Stacked(first, second), np.vstack([first, second.toarray()])
    assert stacked.shape == (5, 2)
    for rows in (slice(1, 4), slice(0, 2), np.array([4, 0, 3]), slice(4, 9)):
        np.testing.assert_array_equal(stacked[rows], whole[rows])
