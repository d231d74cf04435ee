"""The over-sampler for imbalanced-learn."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from imblearn.pipeline import make_pipeline
from imblearn.utils.estimator_checks import estimator_checks_generator
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.imbalance import AutoencoderOverSampler

LINEAR = AutoencoderTransformer(1, hidden_layer_sizes=())


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(estimator_checks_generator(AutoencoderOverSampler(LINEAR, random_state=0))),
)
def test_imbalanced_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def imbalanced():
    """Return images of many threes and few eights, and balanced test images."""
    X, y = load_digits(return_X_y=True)
    threes, eights = X[y == 3], X[y == 8]
    train = np.vstack([threes[:120], eights[:8]])
    test = np.vstack([threes[120:170], eights[120:170]])
    return train, np.repeat([3, 8], [120, 8]), test, np.repeat([3, 8], 50)


@pytest.fixture(scope="module")
def resampled(imbalanced):
    """Return the rows that the default makes of many threes and few eights."""
    X, y, _, _ = imbalanced
    return AutoencoderOverSampler(random_state=0).fit_resample(X, y)


@pytest.mark.slow
def test_classes_are_balanced_and_the_given_rows_are_kept(imbalanced, resampled):
    X, y, _, _ = imbalanced
    made, labels = resampled
    assert np.bincount(labels)[[3, 8]].tolist() == [120, 120]
    np.testing.assert_array_equal(made[: len(X)], X)
    # New eights are nearer to eights than to threes.
    new = made[len(X) :]
    to_threes, to_eights = (
        np.square(new[:, None] - X[y == label]).sum(axis=2).min(axis=1)
        for label in (3, 8)
    )
    assert (to_eights < to_threes).mean() > 0.9


@pytest.mark.slow
def test_over_sampling_a_rare_class_improves_the_balanced_accuracy(
    imbalanced, resampled
):
    X, y, test, truth = imbalanced
    before, after = (
        balanced_accuracy_score(
            truth, LogisticRegression(max_iter=2000).fit(*rows).predict(test)
        )
        for rows in ((X, y), resampled)
    )
    assert after > before + 0.02


@pytest.mark.parametrize("density", [None, GaussianMixture(2, n_init=1)])
def test_random_state_seeds_the_given_autoencoder_and_density(density, imbalanced):
    X, y, _, _ = imbalanced
    pipeline = make_pipeline(
        StandardScaler(),
        AutoencoderTransformer(4, hidden_layer_sizes=(16,), max_iter=2),
    )
    made = [
        AutoencoderOverSampler(
            pipeline, density=density, random_state=seed
        ).fit_resample(X, y)[0]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert pipeline[-1].random_state is None


def test_sampling_strategies_data_frames_and_other_autoencoders(imbalanced):
    X, y, _, _ = imbalanced
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
    sampler = AutoencoderOverSampler(
        VariationalAutoencoderTransformer(4, max_iter=2, hidden_layer_sizes=()),
        density=GaussianMixture(1),
        sampling_strategy={8: 20},
        random_state=0,
    )
    made, labels = sampler.fit_resample(frame, pd.Series(y))
    assert list(made.columns) == list(frame.columns)
    assert (labels == 8).sum() == 20
    assert isinstance(sampler.estimator_, VariationalAutoencoderTransformer)


def test_the_over_sampler_works_in_a_grid_search(imbalanced):
    X, y, _, _ = imbalanced
    pipeline = make_pipeline(
        AutoencoderOverSampler(LINEAR, random_state=0), LogisticRegression()
    )
    grid = {"autoencoderoversampler__sampling_strategy": [0.5, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X / 16, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_frozen_autoencoder_is_not_fitted_again(imbalanced):
    X, y, _, _ = imbalanced
    fitted = clone(LINEAR).fit(X)
    sampler = AutoencoderOverSampler(FrozenEstimator(fitted), random_state=0)
    sampler.fit_resample(X, y)
    assert sampler.estimator_.estimator is fitted


def test_results_do_not_depend_on_the_containers_that_estimators_return(imbalanced):
    X, y, _, _ = imbalanced
    expected, _ = AutoencoderOverSampler(LINEAR, random_state=0).fit_resample(X, y)
    for container in ("pandas", "polars"):
        with config_context(transform_output=container):
            rows, _ = AutoencoderOverSampler(LINEAR, random_state=0).fit_resample(X, y)
        np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_sparse_rows_come_back_in_their_format(kind, imbalanced):
    X, y, _, _ = imbalanced
    rows, _ = AutoencoderOverSampler(LINEAR, random_state=0).fit_resample(
        sparse.csr_matrix(X).asformat(kind), y
    )
    assert rows.format == kind


def mixed_table():
    """Return a table whose columns depend on the class, and the classes."""
    rng = np.random.RandomState(0)
    y = np.repeat([0, 1], [160, 40])
    size = 2 * y + rng.standard_normal(200)
    table = pd.DataFrame(
        {
            "size": size,
            "count": np.rint(3 * size + 10).astype(int),
            "kind": pd.Categorical(np.where(size + rng.rand(200) > 1, "b", "a")),
            "text": pd.Series(rng.choice(["x", "yy"], 200)),
            "flag": rng.random_sample(200) < 0.3,
        }
    )
    return table, y


def test_tables_get_rows_whose_categories_exist():
    table, y = mixed_table()
    sampler = AutoencoderOverSampler(AutoencoderTransformer(2), random_state=0)
    rows, labels = sampler.fit_resample(table, y)
    assert rows.dtypes.equals(table.dtypes)
    pd.testing.assert_frame_equal(rows[:200], table)
    assert np.bincount(labels).tolist() == [160, 160]
    new, rare = rows[200:], table[y == 1]
    assert set(new["text"]) == {"x", "yy"}
    # Categories are drawn: they do not all become the most frequent one.
    assert new["flag"].mean() == pytest.approx(rare["flag"].mean(), abs=0.15)
    assert (new["kind"] == "b").mean() == pytest.approx(1, abs=0.1)
    assert new["size"].mean() == pytest.approx(rare["size"].mean(), abs=0.4)
    assert new["size"].std() == pytest.approx(rare["size"].std(), rel=0.4)
    assert new["count"].between(table["count"].min(), table["count"].max()).all()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables_with_frames_everywhere(library):
    table, y = mixed_table()
    expected, _ = AutoencoderOverSampler(LINEAR, random_state=0).fit_resample(table, y)
    with config_context(transform_output=library):
        rows, _ = AutoencoderOverSampler(LINEAR, random_state=0).fit_resample(table, y)
    pd.testing.assert_frame_equal(rows, expected)


def test_tables_as_arrays_of_objects():
    table, y = mixed_table()
    sampler = AutoencoderOverSampler(LINEAR, random_state=0)
    rows, _ = sampler.fit_resample(table.astype(object).to_numpy(), y)
    assert rows.shape == (320, 5)
    assert set(rows[:, 2]) == {"a", "b"}


def test_tables_have_no_missing_values():
    table, y = mixed_table()
    table.loc[3, "kind"] = None
    with pytest.raises(ValueError, match="Input X contains NaN"):
        AutoencoderOverSampler(LINEAR).fit_resample(table, y)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "Int64", "int64[pyarrow]", "csr"])
def test_new_values_of_integers_are_rounded_and_within_the_range(dtype):
    # Codes of a rare class far from the mean decode to values below zero.
    rng = np.random.default_rng(0)
    X = np.rint(np.clip(rng.normal(size=(60, 1)) + rng.normal(size=4), 0, 1.4))
    y = np.arange(60) % 5 == 0
    expected, _ = AutoencoderOverSampler(LINEAR, random_state=0).fit_resample(X, y)
    assert expected.min() < 0
    if dtype == "csr":
        given = sparse.csr_array(X.astype(int))
    elif dtype in ("uint8", "int64", "bool"):
        given = X.astype(dtype)
    else:
        given = pd.DataFrame(X).add_prefix("x").astype(dtype)
    made, _ = AutoencoderOverSampler(LINEAR, random_state=0).fit_resample(given, y)
    found = made.toarray() if dtype == "csr" else np.asarray(made, dtype=float)
    rounded = np.clip(np.rint(expected), X.min(axis=0), X.max(axis=0))
    np.testing.assert_array_equal(found, rounded)


def test_frames_that_imbalanced_learn_cannot_return_are_refused():
    frame = pd.DataFrame({"a": np.arange(30.0), "b": [1, 2, 3] * 10})
    y = [0] * 22 + [1] * 8
    with pytest.raises(ValueError, match=r"Convert X by X\.to_pandas\(\)"):
        AutoencoderOverSampler(LINEAR).fit_resample(pl.from_pandas(frame), y)
