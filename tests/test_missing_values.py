"""The dense autoencoder takes NaN: it fills rows in, then encodes them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import small_network
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils import get_tags

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae._imputation import Filling
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


def with_holes(X, share=0.2, seed=1):
    holes = np.random.default_rng(seed).uniform(size=X.shape) < share
    return np.where(holes, np.nan, X)


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
def holed(X):
    return with_holes(X)


@pytest.fixture(scope="module")
def curved():
    """Return rows on a surface, the same with holes, and a network fitted to these."""
    X = surface()
    holed = with_holes(X)
    network = AutoencoderTransformer(hidden_layer_sizes=(64, 32), random_state=0)
    return X, holed, network.fit(holed)


def test_only_the_dense_estimator_without_labels_says_that_it_takes_nan():
    assert get_tags(AutoencoderTransformer()).input_tags.allow_nan
    for other in (
        AutoencoderTransformer(target_weight=0.5),
        ConvolutionalAutoencoderTransformer(),
        VariationalAutoencoderTransformer(),
        AutoencoderOutlierDetector(),
    ):
        assert not get_tags(other).input_tags.allow_nan
        with pytest.raises(ValueError, match="Input X contains NaN"):
            other.fit(with_holes(surface(60)), np.arange(60) % 2)


def test_the_linear_model_is_that_of_a_hand_written_em(X, holed):
    mean, W, noise = em_by_hand(holed, 2)
    model = linear().fit(holed)
    np.testing.assert_allclose(model.mean_, mean, atol=1e-6)
    # W is known up to a rotation, W times its transpose is not.
    unit = len(X) / (len(X) - 1)
    np.testing.assert_allclose(
        model.get_covariance() / unit, W @ W.T + noise * np.identity(6), atol=1e-6
    )
    np.testing.assert_allclose(model.noise_variance_ / unit, noise, atol=1e-6)
    complete = filled_by_hand(holed, mean, W, noise)
    axes = model.components_
    np.testing.assert_allclose(
        model.transform(holed), (complete - mean) @ axes.T, atol=1e-6
    )
    projected = (complete - mean) @ axes.T @ axes + mean
    np.testing.assert_allclose(model.reconstruct(holed), projected, atol=1e-6)


def test_the_axes_are_those_of_pca(X, holed):
    model, pca = linear().fit(holed), PCA(2).fit(X)
    axes = model.components_
    np.testing.assert_allclose(axes @ axes.T, np.identity(2), atol=1e-12)
    assert (np.diff(model.explained_variance_) <= 0).all()
    # Signs and order are PCA's, so that close axes are close vectors.
    assert (np.sum(axes * pca.components_, axis=1) > 0.95).all()
    codes = model.transform(X)
    np.testing.assert_allclose(codes, (X - model.mean_) @ axes.T, atol=1e-12)


def test_complete_rows_have_the_codes_that_they_have_without_others(holed):
    model = linear().fit(holed)
    complete = ~np.isnan(holed).any(axis=1)
    np.testing.assert_array_equal(
        model.transform(holed)[complete], model.transform(holed[complete])
    )


def test_rows_with_holes_are_filled_by_the_pca_of_complete_rows(X, holed):
    pca = PCA(2).fit(X)
    W = pca.components_.T * np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    complete = filled_by_hand(holed, pca.mean_, W, pca.noise_variance_)
    model = linear().fit(X)
    np.testing.assert_allclose(model.transform(holed), pca.transform(complete))


@pytest.mark.parametrize("network", [False, True])
def test_scores_count_observed_values_only(holed, curved, network):
    model, rows = linear().fit(holed), holed
    if network:
        _, rows, model = curved
    errors = (rows - model.reconstruct(rows)) ** 2
    scores = [-np.nanmean(row) for row in errors]
    np.testing.assert_allclose(model.score_samples(rows), scores)
    total = np.nansum((rows - np.nanmean(rows, axis=0)) ** 2)
    np.testing.assert_allclose(model.score(rows), 1 - np.nansum(errors) / total)


def test_a_network_fills_curved_data_better_than_the_linear_model(curved):
    X, holed, network = curved
    assert network.selected_model_ == "network"
    new = surface(seed=5)
    for complete, rows in ((X, holed), (new, with_holes(new, seed=6))):
        hidden = np.isnan(rows)
        of_network, of_linear, conditional = (
            np.mean((found - complete)[hidden] ** 2)
            for found in (
                network.reconstruct(rows),
                linear().fit(holed).reconstruct(rows),
                linear().fit(holed)._filling.filled(rows, ~hidden),
            )
        )
        assert of_network < 0.6 * min(of_linear, conditional)
    assert network.score(holed) > linear().fit(holed).score(holed)


def test_noise_keeps_the_linear_model():
    X = with_holes(rows_of_low_rank(200, seed=3))
    model = small_network(n_components=2).fit(X)
    assert model.selected_model_ == "linear"
    np.testing.assert_array_equal(model.transform(X), linear().fit(X).transform(X))


def test_values_that_were_not_observed_do_not_count(holed):
    """The loss of the network is that of the observed values."""
    filling = Filling.fit(holed, ~np.isnan(holed), 2)
    rng = np.random.RandomState(0)
    batch, n_copies = filling.copies(holed, ~np.isnan(holed), rng)
    assert n_copies == 5
    assert batch.n_rows == 5 * len(holed)
    np.testing.assert_array_equal(batch.mask, np.tile(~np.isnan(holed), (5, 1)))
    np.testing.assert_array_equal(
        batch.target[batch.mask], np.tile(holed, (5, 1))[batch.mask]
    )
    # The first copy has no further holes, the others have.
    changed = (batch.input != batch.target).reshape(5, *holed.shape)
    assert not changed[0].any()
    assert (changed[1:].mean(axis=(1, 2)) > 0.1).all()


def test_fits_do_not_depend_on_units_and_offsets(curved):
    _, holed, network = curved
    other = clone(network).fit(1024 * holed)
    np.testing.assert_allclose(
        other.transform(1024 * holed), 1024 * network.transform(holed), rtol=1e-3
    )


def test_fits_are_reproducible_and_pickles_fill(curved):
    _, holed, network = curved
    codes = network.transform(holed)
    np.testing.assert_array_equal(clone(network).fit(holed).transform(holed), codes)
    loaded = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(loaded.transform(holed), codes)


@pytest.mark.parametrize(
    "parameters",
    [
        dict(n_components=None),
        dict(n_components=0.8),
        dict(whiten=True),
        dict(skip_connections=None),
        dict(skip_connections="dense"),
        dict(corruption="gaussian"),
        dict(sparsity=0.1),
        dict(early_stopping=False),
        dict(loss="huber"),
    ],
    ids=str,
)
def test_other_parameters_take_nan(parameters):
    X = with_holes(surface(100))
    model = small_network(**{"max_iter": 3, **parameters}).fit(X)
    assert np.isfinite(model.transform(X)).all()
    assert np.isfinite(model.reconstruct(X)).all()
    assert model.score(X) <= 1
    assert np.isfinite(model.sample(3)).all()


def test_a_share_of_the_variance_chooses_the_components(X, holed):
    model = linear(0.8).fit(holed)
    assert model.n_components_ == PCA(0.8).fit(X).n_components_


def test_groups_are_held_out_with_all_copies():
    X = with_holes(surface(100))
    groups = np.arange(100) // 5
    model = small_network(max_iter=3).fit(X, groups=groups)
    assert len(model.validation_loss_curve_) <= 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(holed, dtype):
    rows = holed.astype(dtype)
    model = linear().fit(rows)
    assert model.transform(rows).dtype == dtype
    assert model.reconstruct(rows).dtype == dtype
    np.testing.assert_allclose(
        model.transform(rows), linear().fit(holed).transform(holed), atol=1e-4
    )


def test_frames_and_objects_with_missing_values(holed):
    codes = linear().fit_transform(holed)
    frame = pd.DataFrame(holed).astype("Float64")
    objects = holed.astype(object)
    objects[np.isnan(holed)] = None
    for rows in (frame, objects):
        np.testing.assert_array_equal(linear().fit_transform(rows), codes)


def test_a_row_without_observed_values_is_the_mean(holed):
    empty = np.full((1, 6), np.nan)
    model = linear().fit(np.vstack([holed, empty]))
    np.testing.assert_allclose(model.transform(empty), 0, atol=1e-12)
    np.testing.assert_allclose(model.reconstruct(empty), [model.mean_])
    assert model.score_samples(empty) == 0
    # It says nothing about the others.
    other = linear().fit(holed)
    np.testing.assert_array_equal(model.components_, other.components_)


def test_a_feature_without_observed_values_raises(holed):
    rows = holed.copy()
    rows[:, [1, 4]] = np.nan
    with pytest.raises(ValueError, match=r"nothing but NaN in the features \[1, 4\]"):
        linear().fit(rows)
    # Once it was observed in `fit`, it can be filled in.
    assert np.isfinite(linear().fit(holed).transform(rows)).all()


def test_what_does_not_take_nan_raises(X, holed):
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
            small_network(**parameters).fit(holed, **arguments)
    with pytest.raises(ValueError, match="Input X_val contains NaN"):
        small_network().fit(X, X_val=holed)
    with pytest.raises(ValueError, match="partial_fit does.*AutoencoderImputer"):
        linear().partial_fit(holed)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        linear().fit(sparse.csr_array(holed))
    with pytest.raises(ValueError, match="Input X contains infinity"):
        linear().fit(np.where(np.isnan(holed), np.inf, holed))


def test_an_estimator_that_knows_no_pca_does_not_fill(X, holed):
    for fitted in (
        small_network(max_iter=2, skip_connections=None).fit(X),
        small_network(max_iter=2, corruption="gaussian", early_stopping=False).fit(X),
        linear().fit(holed).partial_fit(X),
    ):
        assert np.isfinite(fitted.transform(X)).all()
        with pytest.raises(ValueError, match="knows no PCA.*AutoencoderImputer"):
            fitted.transform(holed)
    for method in ("transform", "reconstruct", "score", "score_samples"):
        fitted = linear().fit(X)
        with pytest.raises(ValueError, match="Input X contains infinity"):
            getattr(fitted, method)(np.where(np.isnan(holed), np.inf, holed))
        with pytest.raises(ValueError, match="a value too large for dtype"):
            getattr(fitted, method)(np.where(holed > 3, 1e39, holed))
