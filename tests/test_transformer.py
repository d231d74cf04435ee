"""Fitted estimators: attributes like PCA's, sampling, and sparse rows."""

import numpy as np
import pytest
from conftest import images, small_network
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae._validation import validated

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
    for method in (network.get_covariance, network.get_precision):
        with pytest.raises(AttributeError, match="selected_model_='network'"):
            method()
    with pytest.raises(AttributeError, match="is not fitted yet"):
        AutoencoderTransformer().get_covariance()


# Without a linear path the network is kept, whatever it learnt.
SHORT = dict(max_iter=1, early_stopping=False, skip_connections=None, random_state=0)
NETWORKS = {
    "many components, whitened": AutoencoderTransformer(
        70, hidden_layer_sizes=(32,), activation="silu", whiten=True, **SHORT
    ),
    "images, sparse codes": images(
        3, filters=4, hidden_layer_sizes=(16,), sparsity=0.1, **SHORT
    ),
    "variational": VariationalAutoencoderTransformer(
        3, hidden_layer_sizes=(16,), max_iter=3, early_stopping=False, random_state=0
    ),
}


@pytest.mark.slow
@pytest.mark.jax
@pytest.mark.parametrize("kind", ["dense", *NETWORKS])
def test_components_are_the_derivative_of_the_decoder(kind, network):
    import jax

    fitted = network if kind == "dense" else clone(NETWORKS[kind]).fit(DIGITS)
    assert fitted.selected_model_ == "network"
    mean = fitted.transform(DIGITS).mean(axis=0).astype(np.float32)
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
    fitted = small_network(hidden_layer_sizes=())
    fitted.partial_fit(digits[:300]).partial_fit(digits[300:400])
    assert fitted.n_samples_seen_ == 400
    assert not hasattr(fitted, "n_samples_")
    fitted.fit(digits[:500])
    assert fitted.n_samples_ == 500
    assert not hasattr(fitted, "n_samples_seen_")


def fitted_network(parameters, network, digits):
    """Return the shared network, if the parameters are its own."""
    return small_network(**parameters).fit(digits) if parameters else network


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"whiten": True},
        pytest.param({"sparsity": 0.1, "whiten": True}, marks=pytest.mark.slow),
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (), "whiten": True},
    ],
    ids=str,
)
def test_the_density_has_the_mean_and_covariance_of_the_training_codes(
    parameters, network, digits
):
    fitted = fitted_network(parameters, network, digits)
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
def test_samples_are_reproducible_rows_near_the_data(density, network, digits):
    parameters = {} if density is None else {"density": density}
    fitted = fitted_network(parameters, network, digits)
    rows = fitted.sample(200, random_state=0)
    assert rows.shape == (200, 64)
    np.testing.assert_array_equal(rows, fitted.sample(200, random_state=0))
    assert np.abs(rows - fitted.sample(200, random_state=1)).max() > 1
    assert fitted.sample().shape == (1, 64)
    # They are nearer to the data than rows of shuffled pixels.
    shuffled = np.random.default_rng(0).permuted(digits, axis=0)[:200]
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


@pytest.mark.parametrize("n_samples", [0, -3, 1.5, "two"])
def test_an_invalid_number_of_samples_raises(n_samples, network):
    with pytest.raises((ValueError, TypeError), match="n_samples"):
        network.sample(n_samples)


def test_an_invalid_density_or_an_unfitted_estimator_raises(digits):
    with pytest.raises(ValueError, match="'density' parameter of"):
        small_network(density="normal").fit(digits)
    with pytest.raises(ValueError, match="is not fitted yet"):
        small_network().sample()


def with_zeros():
    """Return rows half of which are zeros, and the same rows in another order."""
    rng = np.random.default_rng(0)
    # Multiples of 1/8: the halves of a value add up to it without rounding.
    X = rng.integers(-16, 17, size=(60, 6)) * (rng.random((60, 6)) < 0.5) / 8.0
    return X, np.roll(X, 1, axis=0)


X, CLEAN = with_zeros()

KINDS = ["matrix", "array"]
FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]
WITH_DUPLICATES = ["bsr", "coo", "csc", "csr"]

PARAMETERS = {
    "PCA": dict(hidden_layer_sizes=()),
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


@pytest.fixture(scope="module", params=PARAMETERS)
def parameters(request):
    return PARAMETERS[request.param]


@pytest.fixture(scope="module")
def expected(parameters):
    return results(small_network(**parameters), np.asarray)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_sparse_form_gives_the_results_of_an_array(
    name, kind, parameters, expected
):
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
def test_the_users_matrix_stays_as_it_is(name, kind):
    rows, clean = in_halves(X, name, kind), in_halves(CLEAN, name, kind)
    before = arrays(rows), arrays(clean)
    model = small_network(**PARAMETERS["PCA"])
    for method in ("fit", "transform", "reconstruct", "score", "score_samples"):
        getattr(model, method)(rows)
    model.partial_fit(rows).partial_fit(rows)
    network = small_network(**PARAMETERS["network"])
    network.fit(rows, X_val=clean)
    network.fit(rows, X_clean=clean)
    np.testing.assert_equal((arrays(rows), arrays(clean)), before)
    if name != "bsr":  # this form has no such flag
        assert not rows.has_canonical_format
        assert not clean.has_canonical_format


@pytest.mark.parametrize("name", WITH_DUPLICATES)
def test_parts_are_added_in_all_arguments_and_in_batches(name):
    def fitted(convert):
        model = small_network(**PARAMETERS["network"])
        yield model.partial_fit(convert(X[:40])).partial_fit(convert(X[40:]))
        yield clone(model).fit(convert(X), X_clean=convert(CLEAN))
        yield clone(model).fit(convert(X), X_val=convert(CLEAN))

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


def test_a_restoration_is_scored_against_clean_rows(network, digits):
    damaged = digits + np.random.default_rng(0).normal(size=digits.shape)
    left = np.square(digits - network.reconstruct(damaged)).sum()
    expected = 1 - left / np.square(digits - digits.mean(axis=0)).sum()
    assert network.score(damaged, X_clean=digits) == pytest.approx(expected)
    assert network.score(digits, X_clean=digits) == network.score(digits)
    with pytest.raises(ValueError, match="X_clean has shape"):
        network.score(damaged, X_clean=digits[:10])


def test_a_search_routes_clean_rows_to_the_score(digits):
    damaged = digits + 4 * np.random.default_rng(0).normal(size=digits.shape)
    with config_context(enable_metadata_routing=True):
        estimator = AutoencoderTransformer(hidden_layer_sizes=(16,), max_iter=2)
        estimator.set_fit_request(X_clean=True).set_score_request(X_clean=True)
        search = GridSearchCV(estimator, {"n_components": [2, 8]}, cv=2)
        search.fit(damaged, X_clean=digits)
        expected = search.best_estimator_.score(damaged, X_clean=digits)
        assert search.score(damaged, X_clean=digits) == expected
    assert search.best_params_ == {"n_components": 8}
