"""Rows of Dask: fits that hold a part of them at a time, and lazy results."""

import copy

import numpy as np
import pandas as pd
import pytest
from conftest import run, small_network
from sklearn import config_context
from sklearn.decomposition import PCA

from skae import (
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
    _validation,
)
from skae._data import Batch, DaskLoader, DaskRows, HoldOut, Scaling, _dask
from skae._losses import DataSummary
from skae._losses.corruption import Corruption
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

dask = pytest.importorskip("dask", reason="needs the extra skae[dask]")
da = pytest.importorskip("dask.array", reason="needs the extra skae[dask]")

ROWS = np.random.default_rng(0).normal(size=(1000, 6)) * [1, 2, 3, 4, 5, 6] + 50
COUNTS = [300, 0, 1, 299, 400]


@pytest.fixture(autouse=True)
def synchronous():
    """Compute in this thread."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def never_small(monkeypatch):
    """Treat every collection as a large one."""
    monkeypatch.setattr(_validation, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(_dask, "BLOCK_BYTES", 50_000)


def lazily(X, counts=COUNTS):
    return da.from_array(X, chunks=(tuple(counts), X.shape[1]))


def split_of(X, fraction=0.2, counts=COUNTS, seed=0):
    """Return a collection of which some rows are held out, and which these are."""
    rng = np.random.RandomState(seed)
    rows = DaskRows.of(lazily(X, counts))
    return HoldOut(fraction).split(Batch(rows), rng)


def sorted_rows(X):
    return X[np.lexsort(X.T)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_one_pass_finds_mean_scatter_and_extremes(dtype):
    X = ROWS.astype(dtype)
    rows = DaskRows.of(da.from_array(X, chunks=((300, 700), (4, 2))))
    moments = rows.summary.moments
    assert rows.shape == X.shape
    assert rows.dtype == (np.float32 if dtype == np.float32 else np.float64)
    np.testing.assert_allclose(moments.mean, X.mean(axis=0, dtype=float))
    expected = 999 * np.cov(X.T.astype(float))
    np.testing.assert_allclose(moments.scatter, expected, rtol=1e-10, atol=1e-8)
    np.testing.assert_array_equal(rows.extremes, [X.min(axis=0), X.max(axis=0)])


def test_which_rows_are_held_out_does_not_depend_on_the_parts():
    one, split = split_of(ROWS)
    other, _ = split_of(ROWS[::-1], counts=[500, 500])
    np.testing.assert_array_equal(one.input.held_out, other.input.held_out)
    assert one.input.n_training == other.input.n_training
    n_held_out = len(one.input.held_out)
    assert 150 < n_held_out < 250
    assert split.holds_out
    assert [len(rows) for rows in (*split.train, *split.held_out)] == [
        1000 - n_held_out,
        n_held_out,
    ]
    another, _ = split_of(ROWS, seed=1)
    assert not np.array_equal(one.input.held_out, another.input.held_out)


def test_copies_of_a_row_are_on_the_same_side_and_held_out_once():
    X = np.concatenate([ROWS[:100], -0.0 * ROWS[:100], ROWS[:100], 0.0 * ROWS[:100]])
    rows = split_of(X, 0.5, counts=[150, 250])[0].input
    held_out = {tuple(row) for row in rows.held_out}
    assert len(held_out) == len(rows.held_out)
    trains = [tuple(row) not in held_out for row in X + 0.0]
    assert 0 < sum(trains) == rows.n_training


def test_no_more_rows_are_held_out_than_fit_in_memory(monkeypatch):
    monkeypatch.setattr(_dask, "_MOST_BYTES", 4 * 6 * 50)
    assert 20 < len(split_of(ROWS, 0.9)[0].input.held_out) < 100


@pytest.mark.parametrize("fraction", [0.0, 0.3])
def test_a_pass_contains_each_row_once(fraction, monkeypatch):
    monkeypatch.setattr(_dask, "BLOCK_BYTES", 4 * 6 * 64)
    batch, split = split_of(ROWS, fraction, counts=[100] * 10)
    scaling = Scaling.fit(batch.input.collection)
    loader = DaskLoader.of(batch.input, scaling, 32, lambda rows: rows)

    def rows_of(blocks):
        blocks = list(blocks)
        firsts = [block.first for block in blocks]
        sizes = [-(-int(block.n_rows) // 32) for block in blocks]
        assert firsts == list(np.cumsum([0, *sizes])[:-1])
        return np.concatenate(
            [block.rows.input[block.order.ravel()[: block.n_rows]] for block in blocks]
        )

    expected = scaling.apply_for_training(ROWS)
    rng = np.random.RandomState(0)
    train = split.train[0]
    passes = [rows_of(loader.shuffled(train, len(train), rng)) for _ in range(2)]
    held_out = rows_of(loader.in_order(split.held_out[0])) if fraction else ROWS[:0]
    for found in passes:
        found = np.concatenate([found, held_out.astype(np.float32)])
        np.testing.assert_array_equal(sorted_rows(found), sorted_rows(expected))
    assert not np.array_equal(*passes)
    everything = rows_of(loader.in_order(range(split.n_rows)))
    np.testing.assert_array_equal(sorted_rows(everything), sorted_rows(expected))


def test_only_two_windows_are_computed_ahead(monkeypatch):
    monkeypatch.setattr(_dask, "BLOCK_BYTES", 4 * 6 * 100)
    computed = []

    def part(number):
        computed.append(number)
        return ROWS[100 * number : 100 * number + 100]

    parts = [
        da.from_delayed(dask.delayed(part)(number), (100, 6), float)
        for number in range(10)
    ]
    collection = DaskRows.of(da.concatenate(parts))
    batch, split = HoldOut(0.0).split(Batch(collection), np.random.RandomState(0))
    scaling = Scaling.fit(collection)
    loader = DaskLoader.of(batch.input, scaling, 50, lambda rows: rows)
    computed.clear()
    blocks = loader.shuffled(split.train[0], 1000, np.random.RandomState(0))
    next(blocks)
    assert len(computed) <= 4  # a window holds two blocks
    assert sum(int(block.n_rows) for block in blocks) == 900
    assert sorted(computed) == list(range(10))


@pytest.mark.parametrize("kind", ["array", "frame", "float32"])
@pytest.mark.usefixtures("never_small")
def test_a_linear_autoencoder_is_pca_of_all_rows(kind):
    X = ROWS.astype(np.float32) if kind == "float32" else ROWS
    given = lazily(X)
    if kind == "frame":
        frames = pytest.importorskip("dask.dataframe", reason="needs skae[dask]")
        given = frames.from_dask_array(given, columns=list("abcdef"))
    fitted = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(given)
    pca = PCA(2).fit(X.astype(float))
    rtol = 1e-5 if kind == "float32" else 1e-9
    for name in ("components_", "mean_", "explained_variance_", "noise_variance_"):
        found, expected = getattr(fitted, name), getattr(pca, name)
        np.testing.assert_allclose(found, expected, rtol=rtol, err_msg=name)
    assert fitted.n_samples_ == 1000
    assert fitted.n_features_in_ == 6
    if kind == "frame":
        assert list(fitted.feature_names_in_) == list("abcdef")
        return
    assert fitted.score(given) == pytest.approx(fitted.score(X), rel=1e-6)


@pytest.fixture(scope="module")
def fitted(digits):
    """Return a network that was fitted to digits from Dask."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_validation, "RESIDENT_BYTES", 0)
        patch.setattr(_dask, "BLOCK_BYTES", 50_000)
        with dask.config.set(scheduler="threads"):
            return small_network().fit(da.from_array(digits, chunks=(150, 64)))


def test_a_fit_from_dask_agrees_with_a_fit_in_memory(fitted, network, digits):
    assert fitted.selected_model_ == "network"
    # The data are the same. The order of the rows and the held-out rows differ.
    np.testing.assert_allclose(fitted.loss_curve_, network.loss_curve_, rtol=0.03)
    assert fitted.score(digits) == pytest.approx(network.score(digits), abs=0.01)
    assert fitted.n_samples_ == 1797
    codes = fitted.transform(digits)
    covariance = np.cov(codes.T)
    np.testing.assert_allclose(
        covariance, np.diag(fitted.explained_variance_), rtol=1e-3, atol=1e-2
    )


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.usefixtures("never_small")
def test_pca_is_kept_where_the_network_is_not_better(early_stopping):
    X = np.random.default_rng(1).normal(size=(600, 6)).astype(np.float32)
    model = small_network(
        max_iter=3, learning_rate=3.0, early_stopping=early_stopping, alpha=0.0
    )
    model.fit(lazily(X, [200] * 3))
    assert model.selected_model_ == "linear"
    np.testing.assert_allclose(
        model.components_, PCA(3).fit(X).components_, rtol=1e-3, atol=1e-4
    )


@pytest.mark.slow
@pytest.mark.usefixtures("never_small")
def test_a_variational_autoencoder_scores_all_rows(digits):
    X = lazily(digits[:1000])
    model = VariationalAutoencoderTransformer(
        2, hidden_layer_sizes=(8,), max_iter=2, random_state=0
    ).fit(X)
    expected = model._model.divergences(digits[:1000])
    np.testing.assert_allclose(model.divergence_, expected, rtol=1e-5)
    scores = model.score_samples(X)
    np.testing.assert_allclose(
        scores.compute(), model.score_samples(digits[:1000]), rtol=1e-5
    )
    assert model.score(X) == pytest.approx(model.score(digits[:1000]), rel=1e-5)


def test_the_extreme_values_of_salt_and_pepper_are_those_of_all_rows():
    batch, _ = split_of(ROWS)
    scaling = Scaling.fit(ROWS)
    summary = DataSummary(batch, scaling, 1.0)
    found = Corruption("salt_and_pepper").coefficients(
        {"corruption_level": 0.1}, summary
    )
    expected = (ROWS - ROWS.mean(axis=0)) / np.sqrt(ROWS.var(axis=0).mean())
    np.testing.assert_allclose(found.low, expected.min(), atol=2e-5)
    np.testing.assert_allclose(found.high, expected.max(), atol=2e-5)


@pytest.mark.parametrize(
    "name", ["transform", "inverse_transform", "reconstruct", "score_samples"]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_results_are_lazy_and_those_of_the_rows(name, dtype, fitted, digits):
    X = digits.astype(dtype)
    if name == "inverse_transform":
        X = fitted.transform(digits).astype(dtype)
    expected = getattr(fitted, name)(X)
    counts = [0, 1000, 797]
    n_computed = []

    def seen(rows):
        n_computed.append(len(rows))
        return rows

    found = getattr(fitted, name)(lazily(X, counts).map_blocks(seen, meta=X[:0]))
    assert not n_computed
    assert isinstance(found, da.Array)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert found.chunks[0] == (0, 1000, 797)
    np.testing.assert_allclose(found.compute(), expected, rtol=1e-4, atol=1e-3)


def test_results_of_a_data_frame_are_lazy_arrays(fitted, digits):
    frames = pytest.importorskip("dask.dataframe", reason="needs skae[dask]")
    pandas = pytest.importorskip("pandas", reason="Dask's data frames need pandas")
    names = [f"pixel{number}" for number in range(64)]
    frame = pandas.DataFrame(digits, columns=names)
    named = small_network(max_iter=1).fit(frame)
    parts = frames.from_pandas(frame, npartitions=3)
    codes = named.transform(parts)
    assert codes.shape[1] == 3
    np.testing.assert_allclose(codes.compute(), named.transform(frame), atol=1e-3)
    assert named.score(parts) == pytest.approx(named.score(frame), rel=1e-5)
    with pytest.raises(ValueError, match="feature names should match"):
        named.transform(parts[names[::-1]])


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_results_stay_lazy_whatever_the_output_is_set_to(container, fitted, digits):
    expected = fitted.transform(digits)
    estimator = copy.deepcopy(fitted).set_output(transform=container)
    codes = estimator.transform(lazily(digits, [900, 897]))
    assert isinstance(codes, da.Array)
    np.testing.assert_allclose(codes.compute(), expected, rtol=1e-5, atol=1e-6)
    with config_context(transform_output=container):
        codes = fitted.transform(lazily(digits, [900, 897]))
        assert isinstance(codes, da.Array)


@pytest.mark.parametrize(
    "learn",
    [
        lambda X: AutoencoderTransformer(1, hidden_layer_sizes=()).partial_fit(X),
        lambda X: AutoencoderOutlierDetector(
            AutoencoderTransformer(1, hidden_layer_sizes=())
        ).fit(X),
        lambda X: AutoencoderImputer(1, max_iter=0).fit(X),
    ],
    ids=["partial_fit", "detector", "imputer"],
)
def test_names_of_the_columns_of_a_data_frame_are_kept(learn):
    frame = pd.DataFrame(ROWS[:60], columns=list("abcdef"))
    lazy = pytest.importorskip("dask.dataframe").from_pandas(frame, npartitions=2)
    fitted = learn(lazy)
    assert fitted.feature_names_in_.tolist() == list("abcdef")
    method = getattr(fitted, "predict", None) or fitted.transform
    with pytest.raises(ValueError, match="feature names should match"):
        method(frame[list("fedcba")])


def test_a_collection_with_missing_values_is_scored_by_its_observed_values(digits):
    X = np.where(np.random.default_rng(0).random(digits.shape) < 0.1, np.nan, digits)
    fitted = AutoencoderTransformer(5, hidden_layer_sizes=()).fit(X)
    assert fitted.score(lazily(X, [900, 897])) == pytest.approx(fitted.score(X))


@pytest.mark.parametrize("name", ["X_clean", "X_val"])
def test_frames_beside_the_rows_have_their_names(name):
    lazy = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(ROWS[:60], columns=list("abcdef"))
    X = lazy.from_pandas(frame, npartitions=2)
    model = AutoencoderTransformer(2, hidden_layer_sizes=())
    expected = copy.copy(model).fit(frame, **{name: frame}).transform(frame)
    found = model.fit(X, **{name: X}).transform(frame)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="feature names should match"):
        model.fit(X, **{name: X[list("fedcba")]})


def test_outliers_of_a_frame_are_explained_in_a_frame():
    lazy = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(ROWS[:60], columns=list("abcdef"))
    pca = AutoencoderTransformer(2, hidden_layer_sizes=())
    detector = AutoencoderOutlierDetector(pca, random_state=0).fit(frame)
    explained = detector.explain(lazy.from_pandas(frame, npartitions=2))
    pd.testing.assert_frame_equal(explained, detector.explain(frame))


@pytest.mark.usefixtures("never_small")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "contains NaN, .* not in a Dask collection of more than .* Give one"),
        (np.inf, "infinity"),
        (1e39, "too large"),
    ],
)
def test_values_that_no_network_can_see_are_refused(value, message):
    X = ROWS.copy()
    X[700, 3] = value
    with pytest.raises(ValueError, match=message):
        small_network().fit(lazily(X))


@pytest.mark.usefixtures("never_small")
@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ({"target_weight": 0.5}, {"y": np.zeros(1000)}),
        ({"density": PCA()}, {}),
        ({}, {"X_clean": ROWS}),
        ({}, {"X_val": ROWS}),
        ({}, {"groups": np.arange(1000)}),
    ],
)
def test_what_needs_all_rows_at_once_is_refused(parameters, arguments):
    if "density" in parameters:
        from sklearn.mixture import GaussianMixture

        parameters = {"density": GaussianMixture()}
    name = next(iter({**parameters, **arguments}))
    model = small_network(**parameters)
    with pytest.raises(ValueError, match=f"{name} cannot be combined with a Dask"):
        model.fit(lazily(ROWS), **arguments)


def test_other_impossible_collections_are_refused(fitted, monkeypatch):
    monkeypatch.setattr(_validation, "RESIDENT_BYTES", 0)
    with pytest.raises(ValueError, match="at most 4000 features from Dask"):
        small_network().fit(da.zeros((10, 4001)))
    with pytest.raises(ValueError, match="0 sample"):
        small_network().fit(da.zeros((0, 3)))
    with pytest.raises(ValueError, match="X has 6 features, but"):
        fitted.transform(lazily(ROWS))
    with pytest.raises(ValueError, match="expecting 3 features as input"):
        fitted.inverse_transform(lazily(ROWS)).compute()


def test_a_small_collection_is_fitted_as_an_array(digits):
    given = da.from_array(digits[:500], chunks=(100, 64))
    # The last bits are those of scikit-learn's PCA, not those of sums over parts.
    found, expected = (
        AutoencoderTransformer(3, hidden_layer_sizes=()).fit(X)
        for X in (given, digits[:500])
    )
    assert found.loss_curve_ == expected.loss_curve_
    np.testing.assert_array_equal(found.components_, expected.components_)


def test_the_wrappers_of_dask_ml(fitted, digits):
    wrappers = pytest.importorskip("dask_ml.wrappers", reason="dask-ml is missing")
    X = da.from_array(digits, chunks=(600, 64))
    applied = wrappers.ParallelPostFit(fitted).transform(X)
    np.testing.assert_allclose(
        applied.compute(), fitted.transform(digits), rtol=1e-4, atol=1e-3
    )
    model = small_network(batch_size=32)
    trained = wrappers.Incremental(model, shuffle_blocks=False).fit(X).estimator_
    for start in range(0, 1797, 600):
        model.partial_fit(digits[start : start + 600])
    assert trained.loss_curve_ == model.loss_curve_
    assert trained.n_samples_seen_ == 1797


ON_A_CLUSTER = """
import os, signal, sys, threading, time
import dask, dask.array as da, numpy as np
from distributed import Client, LocalCluster
from skae import AutoencoderTransformer, _validation
from skae._data import _dask

_validation.RESIDENT_BYTES = 0
_dask.BLOCK_BYTES = 100_000

def fitted(X):
    return AutoencoderTransformer(
        2, hidden_layer_sizes=(8,), max_iter=3, random_state=0
    ).fit(X)

def slow(rows):
    import time
    time.sleep(0.05)
    return rows

if __name__ == "__main__":
    X = np.random.default_rng(0).normal(size=(2000, 10)) ** 3
    parts = da.from_array(X, chunks=(200, 10))
    with dask.config.set(scheduler="synchronous"):
        expected = fitted(parts)
    lazy = parts.map_blocks(slow, meta=X[:0])
    with LocalCluster(
        n_workers=2, threads_per_worker=1,
        host="127.0.0.1", dashboard_address="127.0.0.1:0",
    ) as cluster, Client(cluster) as client:
        victim, *others = client.run(os.getpid).values()
        threading.Timer(0.8, os.kill, (victim, signal.SIGKILL)).start()
        found = fitted(lazy)
        codes = found.transform(lazy).compute()
    print(found.loss_curve_ == expected.loss_curve_)
    print(np.array_equal(found.components_, expected.components_))
    print(np.allclose(codes, expected.transform(X), atol=1e-5))
"""


@pytest.mark.weekly
@pytest.mark.slow
def test_a_worker_that_is_killed_in_mid_fit_changes_nothing(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra skae[dask]")
    result = run(ON_A_CLUSTER, timeout=100, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["True"] * 3, result.stderr
