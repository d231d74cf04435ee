"""Sparse rows of every form give the results of the same rows as an array."""

import numpy as np
import pytest
from conftest import small_network
from scipy import sparse

from skae import AutoencoderTransformer
from skae._validation import validated

# Multiples of 1/8: the halves of a value add up to it without rounding.
rng = np.random.default_rng(0)
X = rng.integers(-16, 17, size=(60, 6)) * (rng.random((60, 6)) < 0.5) / 8.0
CLEAN = np.roll(X, 1, axis=0)

KINDS = ["matrix", "array"]
FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]
WITH_DUPLICATES = ["bsr", "coo", "csc", "csr"]

ESTIMATORS = {
    "pca": dict(hidden_layer_sizes=()),
    "network": dict(hidden_layer_sizes=(8,), skip_connections=None, max_iter=2),
}


def in_halves(X, name, kind, dtype=np.float64):
    """Return rows in a sparse form that stores each value as two unsorted halves."""
    row, column = np.nonzero(X)
    halves = X[row, column] / 2
    row, column, data = np.r_[row, row], np.r_[column, column], np.r_[halves, halves]
    form = getattr(sparse, f"{name}_{kind}")
    data = data.astype(dtype)
    if name == "coo":
        return form((data, (row, column)), X.shape)
    major, minor = (column, row) if name == "csc" else (row, column)
    # Within a row, the first halves of all values come before the second halves.
    order = np.argsort(major, kind="stable")
    counts = np.bincount(major, minlength=X.shape[name == "csc"])
    data = data[order].reshape(-1, 1, 1) if name == "bsr" else data[order]
    return form((data, minor[order], np.r_[0, np.cumsum(counts)]), X.shape)


def arrays(rows):
    names = ("data", "indices", "indptr", "row", "col", "offsets")
    return {name: np.copy(getattr(rows, name)) for name in names if hasattr(rows, name)}


def results(model, convert):
    """Return everything that an estimator computes of rows in one form."""
    rows = convert(X)
    return {
        "fit_transform": model.fit_transform(rows),
        "transform": model.transform(rows),
        "reconstruct": model.reconstruct(rows),
        "score": model.score(rows),
        "score_samples": model.score_samples(rows),
        "explained_variance": model.explained_variance_,
        "mean": model.mean_,
    }


@pytest.fixture(scope="module", params=ESTIMATORS)
def parameters(request):
    return ESTIMATORS[request.param]


@pytest.fixture(scope="module")
def expected(parameters):
    return results(small_network(**parameters), np.asarray)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_form_gives_the_results_of_an_array(name, kind, parameters, expected):
    found = results(small_network(**parameters), getattr(sparse, f"{name}_{kind}"))
    assert_same(found, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WITH_DUPLICATES)
def test_values_stored_in_parts_are_added(name, kind, parameters, expected):
    def convert(rows):
        form = in_halves(rows, name, kind)
        assert form.nnz == 2 * np.count_nonzero(rows)
        np.testing.assert_array_equal(form.toarray(), rows)
        return form

    assert_same(results(small_network(**parameters), convert), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WITH_DUPLICATES)
def test_the_users_matrix_stays_as_it_is(name, kind, parameters):
    rows, clean = in_halves(X, name, kind), in_halves(CLEAN, name, kind)
    before = arrays(rows), arrays(clean)
    model = small_network(**parameters)
    for method in ("fit", "transform", "reconstruct", "score", "score_samples"):
        getattr(model, method)(rows)
    model.partial_fit(rows).partial_fit(rows)
    model.fit(rows, X_val=clean)
    model.fit(rows, X_clean=clean)
    np.testing.assert_equal((arrays(rows), arrays(clean)), before)
    if name != "bsr":  # this form has no such flag
        assert not rows.has_canonical_format
        assert not clean.has_canonical_format


@pytest.mark.parametrize("name", WITH_DUPLICATES)
def test_parts_are_added_in_all_arguments_and_in_batches(name, parameters):
    def fitted(convert):
        model = small_network(**parameters)
        yield model.partial_fit(convert(X[:40])).partial_fit(convert(X[40:]))
        yield small_network(**parameters).fit(convert(X), X_clean=convert(CLEAN))
        yield small_network(**parameters).fit(convert(X), X_val=convert(CLEAN))

    def parts(rows):
        return in_halves(rows, name, "array")

    for found, expected in zip(fitted(parts), fitted(np.asarray), strict=True):
        np.testing.assert_allclose(found.transform(X), expected.transform(X), atol=1e-5)


def test_parts_of_a_value_may_each_be_finite_and_their_sum_not():
    rows = in_halves(X, "csr", "array", np.float32)
    rows.data[:] = 3e38
    with pytest.raises(ValueError, match="Input X contains infinity"):
        AutoencoderTransformer(2, hidden_layer_sizes=()).fit(rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_csr_matrix_in_canonical_format_is_not_copied(dtype):
    rows = sparse.csr_array(X, dtype=dtype)
    data = validated(AutoencoderTransformer(), rows, reset=True)
    assert np.shares_memory(data.data, rows.data)
    assert np.shares_memory(data.indices, rows.indices)
