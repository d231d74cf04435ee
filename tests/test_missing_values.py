"""The dense autoencoder takes NaN: it fills rows in, then encodes them."""

import numpy as np
import pandas as pd
import pytest
from conftest import small_network
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.utils import get_tags

from skae import (
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae._base import _copies
from skae._data import Batch, HoldOut
from skae._linear import fit_incomplete_pca
from skae.outliers import AutoencoderOutlierDetector


def linear(n_components=2, **parameters):
    return AutoencoderTransformer(n_components, hidden_layer_sizes=(), **parameters)


def rows_of_low_rank(n_rows=120, d=6, seed=0):
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(2, d)) * [[3.0], [1.5]]
    noise = 0.4 * rng.normal(size=(n_rows, d))
    return rng.normal(size=(n_rows, 2)) @ loadings + noise + np.arange(d)


def surface(n_rows=500, seed=0):
    """Return rows on a curved surface."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(-1, 1, size=(n_rows, 2))
    more = [t[:, :1] ** 2, t[:, 1:] ** 2, t[:, :1] * t[:, 1:], np.sin(3 * t)]
    return np.hstack([t, *more]) + 0.03 * rng.normal(size=(n_rows, 7))


def with_missing(X, seed=1):
    """Return rows of which a fifth of the values is missing."""
    missing = np.random.default_rng(seed).uniform(size=X.shape) < 0.2
    return np.where(missing, np.nan, X)


def filled_by_hand(X, mean, W, noise):
    """Return rows with the conditional means of their missing values."""
    filled = X.copy()
    for row in filled:
        seen = ~np.isnan(row)
        M = W[seen].T @ W[seen] + noise * np.identity(W.shape[1])
        code = np.linalg.solve(M, W[seen].T @ (row[seen] - mean[seen]))
        row[~seen] = (mean + W @ code)[~seen]
    return filled


def em_by_hand(X, k, n_iter=1500):
    """Return mean, W and noise by EM over the codes (Tipping & Bishop 1999)."""
    observed = ~np.isnan(X)
    mean, noise = np.nanmean(X, axis=0), 1.0
    W = np.random.default_rng(0).normal(size=(X.shape[1], k))
    for _ in range(n_iter):
        M = np.einsum("ij,ja,jb->iab", observed, W, W) + noise * np.identity(k)
        residuals = np.where(observed, X - mean, 0)
        codes = np.linalg.solve(M, (residuals @ W)[:, :, None])[:, :, 0]
        spreads = noise * np.linalg.inv(M)
        extended = np.hstack([codes, np.ones((len(X), 1))])
        moments = np.einsum("ij,ia,ib->jab", observed, extended, extended)
        moments[:, :k, :k] += np.einsum("ij,iab->jab", observed, spreads)
        products = np.where(observed, X, 0).T @ extended
        solution = np.linalg.solve(moments, products[:, :, None])[:, :, 0]
        W, mean = solution[:, :k], solution[:, k]
        errors = np.where(observed, X - codes @ W.T - mean, 0) ** 2
        errors += observed * np.einsum("ja,iab,jb->ij", W, spreads, W)
        noise = errors.sum() / observed.sum()
    return mean, W, noise


@pytest.fixture(scope="module")
def X():
    return rows_of_low_rank()


@pytest.fixture(scope="module")
def incomplete(X):
    return with_missing(X)


@pytest.fixture(scope="module")
def curved():
    """Return rows on a surface, the same with missing values, and a fitted network."""
    X = surface()
    incomplete = with_missing(X)
    network = AutoencoderTransformer(hidden_layer_sizes=(64, 32), random_state=0)
    return X, incomplete, network.fit(incomplete)


def test_only_the_dense_estimator_says_that_it_takes_nan():
    assert get_tags(AutoencoderTransformer()).input_tags.allow_nan
    assert get_tags(AutoencoderOutlierDetector()).input_tags.allow_nan
    assert get_tags(AutoencoderTransformer(target_weight=0.5)).input_tags.allow_nan
    for other in (
        AutoencoderTransformer(image_shape="auto"),
        VariationalAutoencoderTransformer(),
        AutoencoderOutlierDetector(VariationalAutoencoderTransformer()),
    ):
        assert not get_tags(other).input_tags.allow_nan
        with pytest.raises(ValueError, match="Input X contains NaN"):
            other.fit(with_missing(surface(60)), np.arange(60) % 2)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_labels_start_at_principal_covariates_of_rows_filled_in_by_em(
    kind, X, incomplete
):
    y = X[:, 0] > X[:, 1] if kind == "classes" else X[:, 0] - X[:, 1]
    model = linear(target_weight=0.5).fit(incomplete, y)
    mean, W, noise = em_by_hand(incomplete, 2)
    complete = filled_by_hand(incomplete, mean, W, noise)
    expected = linear(target_weight=0.5).fit(complete, y)
    codes = model.transform(incomplete)
    np.testing.assert_allclose(codes, expected.transform(complete), atol=1e-5)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3)
    # The observed values of new rows are what is reconstructed.
    np.testing.assert_allclose(
        model.reconstruct(incomplete), expected.reconstruct(complete), atol=1e-5
    )


def test_networks_learn_from_labels_of_incomplete_rows(curved):
    X, incomplete, _ = curved
    y = X[:, 0] > np.median(X[:, 0])
    labelled = AutoencoderTransformer(
        hidden_layer_sizes=(64, 32), target_weight=0.5, random_state=0
    ).fit(incomplete, y)
    assert labelled.selected_model_ == "network"
    logits = labelled.transform(incomplete) @ labelled.coef_.T + labelled.intercept_
    assert np.mean(logits.argmax(axis=1) == y) > 0.9
    assert labelled.best_loss_ < labelled.start_loss_


def test_complete_rows_with_labels_fill_in_new_rows(X, incomplete):
    y = X[:, 0] > X[:, 1]
    labelled = linear(target_weight=0.5).fit(X, y)
    filled = linear().fit(X)._model.fill(incomplete, ~np.isnan(incomplete))
    np.testing.assert_allclose(
        labelled.transform(incomplete), labelled.transform(filled), rtol=1e-9
    )


def test_the_linear_model_is_that_of_a_hand_written_em(X, incomplete):
    mean, W, noise = em_by_hand(incomplete, 2)
    model = linear().fit(incomplete)
    np.testing.assert_allclose(model.mean_, mean, atol=1e-6)
    # W is known up to a rotation, W times its transpose is not.
    unit = len(X) / (len(X) - 1)
    np.testing.assert_allclose(
        model.get_covariance() / unit, W @ W.T + noise * np.identity(6), atol=1e-6
    )
    np.testing.assert_allclose(model.noise_variance_ / unit, noise, atol=1e-6)
    complete = filled_by_hand(incomplete, mean, W, noise)
    axes = model.components_
    np.testing.assert_allclose(
        model.transform(incomplete), (complete - mean) @ axes.T, atol=1e-6
    )
    projected = (complete - mean) @ axes.T @ axes + mean
    np.testing.assert_allclose(model.reconstruct(incomplete), projected, atol=1e-6)


def test_the_axes_are_those_of_pca(X, incomplete):
    model, pca = linear().fit(incomplete), PCA(2).fit(X)
    axes = model.components_
    np.testing.assert_allclose(axes @ axes.T, np.identity(2), atol=1e-12)
    assert (np.diff(model.explained_variance_) <= 0).all()
    # Signs and order are PCA's, so that close axes are close vectors.
    assert (np.sum(axes * pca.components_, axis=1) > 0.95).all()
    codes = model.transform(X)
    np.testing.assert_allclose(codes, (X - model.mean_) @ axes.T, atol=1e-12)


def test_complete_rows_have_the_codes_that_they_have_without_others(incomplete):
    model = linear().fit(incomplete)
    complete = ~np.isnan(incomplete).any(axis=1)
    np.testing.assert_array_equal(
        model.transform(incomplete)[complete], model.transform(incomplete[complete])
    )


def test_rows_with_missing_are_filled_by_the_pca_of_complete_rows(X, incomplete):
    pca = PCA(2).fit(X)
    W = pca.components_.T * np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    complete = filled_by_hand(incomplete, pca.mean_, W, pca.noise_variance_)
    model = linear().fit(X)
    np.testing.assert_allclose(model.transform(incomplete), pca.transform(complete))


@pytest.mark.parametrize("network", [False, True])
def test_scores_count_observed_values_only(incomplete, curved, network):
    model, rows = linear().fit(incomplete), incomplete
    if network:
        _, rows, model = curved
    errors = (rows - model.reconstruct(rows)) ** 2
    scores = [-np.nanmean(row) for row in errors]
    np.testing.assert_allclose(model.score_samples(rows), scores)
    total = np.nansum((rows - np.nanmean(rows, axis=0)) ** 2)
    np.testing.assert_allclose(model.score(rows), 1 - np.nansum(errors) / total)


def test_a_network_fills_curved_data_better_than_the_linear_model(curved):
    X, incomplete, network = curved
    assert network.selected_model_ == "network"
    new = surface(seed=5)
    for complete, rows in ((X, incomplete), (new, with_missing(new, seed=6))):
        hidden = np.isnan(rows)
        of_network, of_linear, conditional = (
            np.mean((found - complete)[hidden] ** 2)
            for found in (
                network.reconstruct(rows),
                linear().fit(incomplete).reconstruct(rows),
                linear().fit(incomplete)._model.fill(rows, ~hidden),
            )
        )
        assert of_network < 0.6 * min(of_linear, conditional)
    assert network.score(incomplete) > linear().fit(incomplete).score(incomplete)


def test_noise_keeps_the_linear_model(curved):
    X = with_missing(rows_of_low_rank(500, 7, seed=3))
    model = clone(curved[2]).set_params(max_iter=10).fit(X)
    assert model.selected_model_ == "linear"
    np.testing.assert_array_equal(model.transform(X), linear().fit(X).transform(X))


def test_values_that_were_not_observed_do_not_count(incomplete):
    """The loss of the network is that of the observed values."""
    observed = ~np.isnan(incomplete)
    model = fit_incomplete_pca(incomplete, observed, 2)
    batch, n_copies = _copies(incomplete, observed, model, np.random.RandomState(0))
    assert n_copies == 5
    assert batch.n_rows == 5 * len(incomplete)
    np.testing.assert_array_equal(batch.mask, np.tile(observed, (5, 1)))
    np.testing.assert_array_equal(
        batch.target[batch.mask], np.tile(incomplete, (5, 1))[batch.mask]
    )
    # In the first copy nothing else is missing, in the others there is more.
    changed = (batch.input != batch.target).reshape(5, *incomplete.shape)
    assert not changed[0].any()
    assert (changed[1:].mean(axis=(1, 2)) > 0.1).all()


def test_groups_are_held_out_with_all_copies():
    rng = np.random.default_rng(0)
    groups = rng.integers(20, size=100)
    target = np.tile(rng.normal(size=(100, 3)), (5, 1))
    rows = Batch(target + 1, target, None, target < 1)
    hold_out = HoldOut(0.1, groups=groups)
    _, split = hold_out.split(rows, np.random.RandomState(0), n_copies=5)
    assert split.n_copies == 5
    assert len(split.train) == 6
    of_row = np.tile(groups, 5)
    for train, held_out in zip(split.train, split.held_out, strict=True):
        assert not set(of_row[train]) & set(of_row[held_out])
        np.testing.assert_array_equal(np.sort([*train, *held_out]), np.arange(500))


def test_fits_do_not_depend_on_units_and_offsets(curved):
    _, incomplete, network = curved
    other = clone(network).fit(1024 * incomplete)
    np.testing.assert_allclose(
        other.transform(1024 * incomplete),
        1024 * network.transform(incomplete),
        rtol=1e-3,
    )


@pytest.mark.parametrize(
    "parameters",
    [
        dict(n_components=None, hidden_layer_sizes=()),
        dict(skip_connections=None, whiten=True),
        dict(skip_connections="dense", sparsity=0.1),
        pytest.param(
            dict(corruption="gaussian", early_stopping=False), marks=pytest.mark.slow
        ),
        dict(loss="huber"),
    ],
    ids=str,
)
def test_other_parameters_take_nan(parameters):
    X = with_missing(surface(100))
    model = small_network(**{"max_iter": 2, **parameters}).fit(X)
    assert np.isfinite(model.transform(X)).all()
    assert np.isfinite(model.reconstruct(X)).all()
    assert model.score(X) <= 1
    assert np.isfinite(model.sample(3)).all()


def test_a_fraction_of_the_variance_chooses_the_components(X, incomplete):
    model = linear(0.8).fit(incomplete)
    assert model.n_components_ == PCA(0.8).fit(X).n_components_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(incomplete, dtype):
    rows = incomplete.astype(dtype)
    model = linear().fit(rows)
    assert model.transform(rows).dtype == dtype
    assert model.reconstruct(rows).dtype == dtype
    np.testing.assert_allclose(
        model.transform(rows), linear().fit(incomplete).transform(incomplete), atol=1e-4
    )


def test_frames_and_objects_with_missing_values(incomplete):
    codes = linear().fit_transform(incomplete)
    frame = pd.DataFrame(incomplete).astype("Float64")
    objects = incomplete.astype(object)
    objects[np.isnan(incomplete)] = None
    for rows in (frame, objects):
        np.testing.assert_array_equal(linear().fit_transform(rows), codes)


def test_a_row_without_observed_values_is_the_mean(incomplete):
    empty = np.full((1, 6), np.nan)
    model = linear().fit(np.vstack([incomplete, empty]))
    np.testing.assert_allclose(model.transform(empty), 0, atol=1e-12)
    np.testing.assert_allclose(model.reconstruct(empty), [model.mean_])
    assert model.score_samples(empty) == 0
    # It says nothing about the others.
    other = linear().fit(incomplete)
    np.testing.assert_array_equal(model.components_, other.components_)


def test_a_feature_without_observed_values_raises(incomplete):
    rows = incomplete.copy()
    rows[:, [1, 4]] = np.nan
    with pytest.raises(ValueError, match=r"nothing but NaN in the features \[1, 4\]"):
        linear().fit(rows)
    # Once it was observed in `fit`, it can be filled in.
    assert np.isfinite(linear().fit(incomplete).transform(rows)).all()


def test_what_does_not_take_nan_raises(X, incomplete):
    for parameters, arguments, message in (
        ({}, dict(X_clean=X), "X_clean"),
        ({}, dict(X_val=X), "X_val"),
        (
            dict(
                loss="binary_crossentropy",
                skip_connections=None,
                output_activation="sigmoid",
            ),
            {},
            "loss='binary_crossentropy'",
        ),
    ):
        with pytest.raises(ValueError, match=f"contains NaN.*{message}"):
            small_network(**parameters).fit(incomplete, **arguments)
    with pytest.raises(ValueError, match="Input X_val contains NaN"):
        small_network().fit(X, X_val=incomplete)
    with pytest.raises(ValueError, match="partial_fit does.*AutoencoderImputer"):
        linear().partial_fit(incomplete)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        linear().fit(sparse.csr_array(incomplete))
    with pytest.raises(ValueError, match="Input X contains infinity"):
        linear().fit(np.where(np.isnan(incomplete), np.inf, incomplete))


@pytest.mark.slow
def test_an_estimator_that_knows_no_pca_does_not_fill(X, incomplete):
    for parameters in (dict(skip_connections=None), dict(corruption="gaussian")):
        fitted = small_network(max_iter=1, early_stopping=False, **parameters).fit(X)
        assert np.isfinite(fitted.transform(X)).all()
        with pytest.raises(ValueError, match="knows no PCA.*AutoencoderImputer"):
            fitted.transform(incomplete)


def test_infinite_and_too_large_values_raise(X, incomplete):
    fitted = linear().fit(X)
    for method in ("transform", "reconstruct", "score", "score_samples"):
        with pytest.raises(ValueError, match="Input X contains infinity"):
            getattr(fitted, method)(np.where(np.isnan(incomplete), np.inf, incomplete))
        with pytest.raises(ValueError, match="a value too large for dtype"):
            getattr(fitted, method)(np.where(incomplete > 3, 1e39, incomplete))


def test_after_partial_fit_the_pca_of_all_rows_fills_in(X, incomplete):
    model = linear().partial_fit(X[:70]).partial_fit(X[70:])
    pca = IncrementalPCA(2).partial_fit(X[:70]).partial_fit(X[70:])
    # Noise is all variance that the codes leave, also that of the first batch.
    explained = pca.explained_variance_
    noise = explained.sum() * (1 / pca.explained_variance_ratio_.sum() - 1) / (6 - 2)
    W = pca.components_.T * np.sqrt(explained - noise)
    complete = filled_by_hand(incomplete, pca.mean_, W, noise)
    codes = pca.transform(complete)
    np.testing.assert_allclose(model.transform(incomplete), codes, atol=1e-8)
    restored = pca.inverse_transform(codes)
    np.testing.assert_allclose(model.reconstruct(incomplete), restored, atol=1e-8)
    scores = -np.nanmean(np.square(incomplete - restored), axis=1)
    np.testing.assert_allclose(model.score_samples(incomplete), scores, atol=1e-8)
