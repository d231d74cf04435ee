"""Which rows train and which are held out: dependent rows, and rows of the user's."""

import numpy as np
import pytest
import sklearn
from conftest import small_network
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GroupKFold, cross_validate

from skae import AutoencoderTransformer
from skae._data import (
    Batch,
    ConcatenatedRows,
    HoldOut,
    Split,
    _split,
    groups_of_copies,
    merged_groups,
    numbered,
)

ESTIMATOR = AutoencoderTransformer(
    4, hidden_layer_sizes=(64,), max_iter=30, random_state=0
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


@pytest.mark.parametrize("n_groups", [12, 60, 600, 2000])
def test_the_split_never_parts_a_group(n_groups):
    rng = np.random.RandomState(0)
    groups = numbered(rng.randint(n_groups, size=5 * n_groups))
    split = Split.draw(groups, 0.1, rng)
    # Further models train until 400 groups are held out, at most five.
    assert len(split.train) == {12: 6, 60: 6, 600: 5, 2000: 1}[n_groups]
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
    assert len(split.train) == 1
    assert len(split.held_out[0]) == 5000


def test_without_groups_the_split_follows_a_permutation_of_the_rows():
    split = Split.draw(np.arange(2000), 0.1, np.random.RandomState(0))
    order = np.random.RandomState(0).permutation(2000)
    np.testing.assert_array_equal(split.train[0], order[200:])
    np.testing.assert_array_equal(split.held_out[0], np.sort(order[:200]))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("which", ["input", "output"])
def test_no_copy_of_a_held_out_row_trains(which, form):
    # Where there are clean rows, each of them may have several damaged versions.
    rng = np.random.default_rng(0)
    copies = rng.integers(400, size=2000)
    rows = rng.normal(size=(400, 3))[copies]
    batch = Batch(form(rows))
    if which == "output":
        batch = Batch(rows + rng.normal(size=rows.shape), form(rows))
    found, split = HoldOut(0.1).split(batch, np.random.RandomState(0))
    assert found is batch
    for train, held_out in zip(split.train, split.held_out, strict=True):
        assert not np.intersect1d(copies[train], copies[held_out]).size
        np.testing.assert_array_equal(np.sort([*train, *held_out]), np.arange(2000))


def test_a_validation_fraction_that_leaves_no_training_row_raises():
    with pytest.raises(ValueError, match=r"validation_fraction=0.995 leaves no row"):
        small_network(validation_fraction=0.995).fit(np.eye(150))


def relative_error(fitted, X, test):
    """Return the squared error of test rows relative to PCA's."""
    pca = PCA(fitted.n_components_).fit(X)
    restored = pca.inverse_transform(pca.transform(test))
    error = np.square(test - fitted.reconstruct(test)).sum()
    return error / np.square(test - restored).sum()


@pytest.mark.slow
def test_the_network_is_not_kept_if_it_memorises_copies_of_noise(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 36))[rng.integers(100, size=600)]
    assert clone(ESTIMATOR).fit(X).selected_model_ == "linear"
    # A split that knows nothing of copies keeps the network, which is worse than PCA.
    monkeypatch.setattr(_split, "groups_of_copies", lambda X: np.arange(len(X)))
    fitted = clone(ESTIMATOR).fit(X)
    assert fitted.selected_model_ == "network"
    assert relative_error(fitted, X, rng.normal(size=(1000, 36))) > 1.01


def noisy_copies(n_groups):
    """Return ten noisy copies of each of some rows, and the number of the row."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(n_groups), 10)
    X = rng.normal(size=(n_groups, 36))[groups]
    return X + 0.1 * rng.normal(size=X.shape), groups


def test_with_groups_a_fit_to_noisy_copies_is_not_worse_than_pca():
    X, groups = noisy_copies(60)
    test = np.random.default_rng(1).normal(size=(1000, 36))
    grouped = clone(ESTIMATOR).fit(X, groups=groups)
    assert relative_error(grouped, X, test) < 1.01
    # Groups may be strings.
    named = clone(ESTIMATOR).fit(X, groups=[f"subject {group}" for group in groups])
    np.testing.assert_array_equal(named.transform(test), grouped.transform(test))
    # Without groups the network is kept, although it is worse than PCA.
    assert relative_error(clone(ESTIMATOR).fit(X), X, test) > 1.05


@pytest.mark.parametrize("routed", [True, False])
def test_metadata_routing_passes_groups(routed):
    # Without groups the networks are kept, with them PCA is.
    X, groups = noisy_copies(120)
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(
            clone(ESTIMATOR).set_fit_request(groups=routed),
            X,
            cv=GroupKFold(2),
            params={"groups": groups},
            return_estimator=True,
        )
    kept = {fitted.selected_model_ for fitted in found["estimator"]}
    assert kept == {"linear" if routed else "network"}


def test_the_rows_of_x_val_decide_which_model_is_kept(digits):
    train, held_out = digits[:1500], digits[1500:]
    fitted = small_network(max_iter=8).fit(train, X_val=held_out)
    assert fitted.selected_model_ == "network"
    errors = np.square(held_out - fitted.reconstruct(held_out)).sum()
    scale = train.var(axis=0).sum()
    assert fitted.best_loss_ == pytest.approx(errors / len(held_out) / scale, rel=0.01)
    # The same rows, as a sparse matrix.
    same = small_network(max_iter=8).fit(train, X_val=sparse.csr_matrix(held_out))
    np.testing.assert_array_equal(same.transform(digits), fitted.transform(digits))
    # A network is worse than PCA on rows that are unlike the training rows.
    noise = np.random.default_rng(0).normal(scale=1e3, size=held_out.shape)
    with pytest.warns(UserWarning, match="different units"):
        fitted = small_network().fit(train, X_val=noise)
    assert fitted.selected_model_ == "linear"


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
    fitted = small_network().fit(digits, groups=np.zeros(1797))
    assert fitted.selected_model_ == "linear"


def test_concatenated_rows_are_indexed_like_one_array():
    first, second = np.arange(6.0).reshape(3, 2), sparse.csr_matrix(np.eye(2) * 9)
    both, whole = ConcatenatedRows(first, second), np.vstack([first, second.toarray()])
    assert both.shape == (5, 2)
    for rows in (slice(1, 4), slice(0, 2), np.array([4, 0, 3]), slice(4, 9)):
        np.testing.assert_array_equal(both[rows], whole[rows])
