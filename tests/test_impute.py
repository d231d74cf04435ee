"""The imputer keeps scikit-learn's conventions, and its networks help or are left."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skae._imputation import Units
from skae._linear import hide_values
from skae.impute import AutoencoderImputer

RNG = np.random.default_rng(0)


def with_missing(X, seed=0):
    """Return rows of which a fifth of the values is missing."""
    missing = np.random.default_rng(seed).uniform(size=X.shape) < 0.2
    return np.where(missing, np.nan, X)


def small(**parameters):
    return AutoencoderImputer(
        **{
            "hidden_layer_sizes": (64, 64),
            "max_iter": 50,
            "random_state": 0,
            **parameters,
        }
    )


@pytest.fixture(scope="module")
def normal():
    """Return rows of a normal distribution, for which the linear model is the best."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(
        size=(300, 6)
    )


@pytest.fixture(scope="module")
def curved(curve):
    """Return an imputer that was fitted to a curve and kept its networks."""
    return small().fit(with_missing(curve))


def error(imputed, X, missing):
    return np.sqrt(np.mean((imputed - X)[missing] ** 2))


def test_networks_improve_on_the_linear_model_on_a_curve(curve, curved):
    X = with_missing(curve)
    linear = small(max_iter=0).fit_transform(X)
    assert curved.selected_model_ == "network"
    assert curved.corrected_features_.sum() >= 3
    missing = np.isnan(X)
    assert error(curved.transform(X), curve, missing) < 0.8 * error(
        linear, curve, missing
    )


def test_networks_also_improve_rows_that_fit_has_not_seen(curve, curved):
    t = np.random.default_rng(7).uniform(-1, 1, size=(200, 1))
    test = np.hstack([t, t**2, np.sin(4 * t), np.cos(4 * t)])
    X = with_missing(test, seed=3)
    linear = small(max_iter=0).fit(with_missing(curve)).transform(X)
    missing = np.isnan(X)
    assert error(curved.transform(X), test, missing) < 0.9 * error(
        linear, test, missing
    )


def test_networks_are_dropped_where_the_linear_model_is_the_best(normal):
    X = with_missing(normal)
    imputer = small().fit(X)
    assert imputer.selected_model_ == "linear"
    assert not imputer.corrected_features_.any()
    assert imputer.n_iter_ > 1
    np.testing.assert_array_equal(
        imputer.transform(X), small(max_iter=0).fit_transform(X)
    )


def test_only_features_that_gain_are_corrected(curve, normal):
    X = np.hstack([curve[:300], normal[:, :2]])
    imputer = small().fit(with_missing(X))
    assert imputer.corrected_features_[:4].any()
    assert not imputer.corrected_features_[4:].any()
    linear = small(max_iter=0).fit_transform(with_missing(X))
    same = ~imputer.corrected_features_
    np.testing.assert_array_equal(
        imputer.transform(with_missing(X))[:, same], linear[:, same]
    )


def test_the_linear_imputation_is_the_conditional_mean(normal):
    X = with_missing(normal)
    imputer = small(n_components=2, max_iter=0).fit(normal)
    assert imputer.n_components_ == 2
    # Training rows are complete: probabilistic PCA is PCA of standardised rows.
    mean, deviations = normal.mean(axis=0), normal.std(axis=0)
    pca = PCA(2).fit(normal / deviations)
    W = pca.components_.T * np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    covariance = W @ W.T + pca.noise_variance_ * np.identity(6)
    expected = (X - mean) / deviations
    for row in expected:
        seen = ~np.isnan(row)
        known = np.linalg.solve(covariance[np.ix_(seen, seen)], row[seen])
        row[~seen] = covariance[np.ix_(~seen, seen)] @ known
    np.testing.assert_allclose(
        imputer.transform(X), expected * deviations + mean, atol=1e-9
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_observed_values_stay_bit_for_bit(curved, curve, dtype):
    X = with_missing(curve).astype(dtype)
    given = X.copy()
    filled = curved.transform(X)
    assert filled.dtype == dtype
    assert np.isfinite(filled).all()
    seen = ~np.isnan(X)
    np.testing.assert_array_equal(filled[seen], X[seen])
    np.testing.assert_array_equal(X, given)


def test_complete_rows_are_returned(curved, curve):
    np.testing.assert_array_equal(curved.transform(curve), curve)


def test_units_do_not_matter(curved, curve):
    X = with_missing(curve)
    units = np.array([1e-6, 1.0, 1e5, 32.0])
    shifts = np.array([0.0, 1e2, -1e5, 5.0])
    other = small().fit(X * units + shifts)
    found = (other.transform(X * units + shifts) - shifts) / units
    missing = np.isnan(X)
    gap = error(found, curved.transform(X), missing)
    assert gap < 0.02 * error(np.nanmean(X, axis=0), curve, missing)


def test_a_row_does_not_depend_on_the_others(curved, curve):
    X = with_missing(curve)
    whole = curved.transform(X)
    for part in (slice(3, 4), slice(5, 60), slice(None, None, -1)):
        np.testing.assert_allclose(curved.transform(X[part]), whole[part], atol=1e-10)


def test_equal_seeds_give_equal_results(curved, curve):
    X = with_missing(curve)
    again = small().fit(X)
    np.testing.assert_array_equal(again.transform(X), curved.transform(X))


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("indicate", [False, True])
def test_shapes_and_names_are_those_of_scikit_learns_imputers(normal, keep, indicate):
    frame = pd.DataFrame(with_missing(normal[:60]), columns=list("abcdef"))
    frame["c"] = np.nan
    frame["d"] = normal[:60, 3]
    options = {"add_indicator": indicate, "keep_empty_features": keep}
    ours = small(max_iter=0, **options).set_output(transform="pandas")
    theirs = SimpleImputer(**options).set_output(transform="pandas")
    found, expected = ours.fit_transform(frame), theirs.fit_transform(frame)
    assert list(found) == list(expected)
    assert found.shape == expected.shape
    if keep:
        assert (found["c"] == 0).all()
    names = [name for name in found if name.startswith("missingindicator")]
    pd.testing.assert_frame_equal(found[names], expected[names])
    seen = frame["a"].notna()
    np.testing.assert_array_equal(found["a"][seen], frame["a"][seen])


@pytest.mark.parametrize("marker", [-1, 0, -7.5])
def test_a_number_marks_missing_values(normal, marker):
    X = with_missing(normal)
    expected = small(n_components=2, max_iter=0).fit_transform(X)
    marked = np.where(np.isnan(X), marker, X)
    imputer = small(n_components=2, max_iter=0, missing_values=marker)
    np.testing.assert_array_equal(imputer.fit_transform(marked), expected)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        imputer.fit(X)


def test_integers_with_a_marker():
    X = RNG.integers(0, 9, size=(400, 4))
    X[X == 4] = -1
    filled = small(missing_values=-1, max_iter=2).fit_transform(X)
    assert filled.dtype == np.float64
    np.testing.assert_array_equal(filled[X != -1], X[X != -1])
    assert (filled[X == -1] != -1).all()


def as_nullable(X):
    return pd.DataFrame(X).astype("Float64").mask(np.isnan(X), pd.NA)


def as_objects(X):
    return np.where(np.isnan(X), None, X.astype(object))


@pytest.mark.parametrize("kind", [as_nullable, as_objects, np.asfortranarray])
def test_other_containers_give_the_same(normal, kind):
    X = with_missing(normal)
    expected = small(n_components=2, max_iter=0).fit_transform(X)
    found = small(n_components=2, max_iter=0).fit_transform(kind(X))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_mixed_kinds_and_sparse_rows_and_infinity_raise():
    kinds = np.array([["a", 1.0], [2, None]], dtype=object)
    with pytest.raises(ValueError, match="Column 0 .* numbers and text"):
        small().fit(kinds)
    with pytest.raises(ValueError, match=r"missing_values=-1 .* np\.nan"):
        small(missing_values=-1).fit([["a", 1.0], ["b", -1]])
    with pytest.raises(TypeError, match="Sparse data was passed"):
        small().fit(sparse.eye(5, format="csr"))
    with pytest.raises(ValueError, match="Input X contains infinity"):
        small().fit([[1.0, np.inf], [np.nan, 2.0]])


def test_rows_without_values_get_the_means(normal):
    X = with_missing(normal)
    alone = small(n_components=2, max_iter=0).fit(X)
    empty = np.full((3, X.shape[1]), np.nan)
    both = small(n_components=2, max_iter=0).fit(np.vstack([X, empty]))
    np.testing.assert_array_equal(both.transform(X), alone.transform(X))
    filled = both.transform(empty)
    np.testing.assert_allclose(filled[0], filled[2])
    np.testing.assert_allclose(filled[0], np.nanmean(X, axis=0), atol=0.2)


def test_features_without_values_in_fit_are_left_out_whatever_comes_later(normal):
    X = with_missing(normal)
    X[:, 2] = np.nan
    imputer = small(max_iter=0).fit(X)
    later = normal.copy()
    np.testing.assert_array_equal(imputer.transform(later), np.delete(later, 2, axis=1))
    kept = small(max_iter=0, keep_empty_features=True).fit(X)
    assert (kept.transform(later)[:, 2] == 0).all()


def test_nothing_observed_at_all():
    X = np.full((5, 3), np.nan)
    assert small().fit_transform(X).shape == (5, 0)
    np.testing.assert_array_equal(
        small(keep_empty_features=True).fit_transform(X), np.zeros((5, 3))
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 2), (3, 1), (12, 5), (30, 1)])
def test_tiny_data_give_finite_values(shape):
    X = RNG.normal(size=shape)
    X[0, 0] = np.nan
    filled = small(keep_empty_features=True).fit_transform(X)
    assert filled.shape == shape
    assert np.isfinite(filled).all()


def test_constant_and_extreme_features(normal):
    X = with_missing(normal)
    X[:, -1] = np.where(np.isnan(X[:, 0]), np.nan, 3.0)
    X[:, 1] *= 1e200
    X[:, 2] *= 1e-200
    filled = small(max_iter=3).fit_transform(X)
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(filled[:, -1], 3.0)
    assert 1 < np.ptp(filled[:, 2] * 1e200) < 100
    assert 1 < np.ptp(filled[:, 1] / 1e200) < 100


def test_missing_values_in_later_rows_only(curve):
    imputer = small().fit(curve)
    assert imputer.selected_model_ == "network"
    X = with_missing(curve, seed=9)
    linear = small(max_iter=0).fit(curve).transform(X)
    missing = np.isnan(X)
    assert error(imputer.transform(X), curve, missing) < error(linear, curve, missing)


def test_too_many_components_raise(normal):
    with pytest.raises(ValueError, match=r"n_components=7 must be between 1 and"):
        small(n_components=7).fit(with_missing(normal))
    for wrong in (0, 1.5, "best"):
        with pytest.raises(ValueError, match="'n_components' parameter"):
            small(n_components=wrong).fit(with_missing(normal))


def test_wrong_layers_raise_and_leave_the_imputer_as_it_was(curve):
    X = with_missing(curve)
    imputer = small(max_iter=0).fit(X[:, :3])
    before = imputer.transform(X[:, :3])
    imputer.set_params(hidden_layer_sizes=(8, 0))
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        imputer.fit(X)
    np.testing.assert_array_equal(imputer.transform(X[:, :3]), before)


def test_it_searches_in_a_pipeline(normal):
    pipeline = make_pipeline(small(max_iter=0), Ridge())
    grid = {"autoencoderimputer__n_components": [1, 3, "auto"]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise")
    search.fit(with_missing(normal), normal[:, 0] + normal[:, 1])
    assert search.best_score_ > 0.5


def test_further_missing_values_have_the_pattern_of_the_data():
    # Two features are always missing together.
    rng = np.random.RandomState(0)
    observed = np.ones((4000, 4), bool)
    observed[:, :2] = rng.uniform(size=(4000, 1)) < 0.6
    shown = hide_values(observed, rng)
    assert not (shown & ~observed).any()
    assert shown.any(axis=1).all()
    lost = observed & ~shown
    both = observed[:, 0]
    together = lost[both, 0] & lost[both, 1]
    # 0.4 are missing in the other row. Of the rest a tenth is missing one by one.
    assert together.mean() == pytest.approx(0.4 + 0.6 * 0.01, abs=0.03)
    assert lost[:, 2].mean() == pytest.approx(0.1, abs=0.02)


def test_inputs_are_moderate_numbers_of_equal_size():
    X = np.exp(3 * RNG.normal(size=(500, 2)))
    observed = RNG.uniform(size=X.shape) < 0.9
    units = Units.of(X, observed)
    rows = units.apply(X, observed)
    np.testing.assert_allclose(rows.sum(axis=0) / observed.sum(axis=0), 0, atol=1e-9)
    inputs = units.inputs(np.where(observed, rows, 50.0), observed)
    assert inputs.shape == (500, 6)
    assert np.abs(inputs).max() < 10
    ranks = inputs[:, 2:4]
    assert (
        np.corrcoef(ranks[observed[:, 0], 0], X[observed[:, 0], 0].argsort().argsort())[
            0, 1
        ]
        > 0.98
    )
    np.testing.assert_array_equal(inputs[:, 4:], ~observed)
    np.testing.assert_allclose(units.invert(rows)[observed], X[observed])


def counts_with_gaps():
    rng = np.random.default_rng(0)
    rates = np.exp(rng.normal(1, 1, size=(200, 1)) + 0.3 * rng.normal(size=6))
    return with_missing(rng.poisson(rates).astype(float))


def test_imputed_values_lie_within_limits():
    X = counts_with_gaps()
    missing = np.isnan(X)
    free = small(max_iter=0).fit_transform(X)
    most = np.arange(1, 7)
    limited = small(max_iter=0, min_value=0, max_value=most).fit_transform(X)
    assert free[missing].min() < 0
    expected = np.where(missing, np.clip(free, 0, most), X)
    np.testing.assert_array_equal(limited, expected)


@pytest.mark.parametrize(
    "features", [["a", "f"], [0, 5], [0, -1], [True, *[False] * 4, True]], ids=repr
)
def test_chosen_features_are_imputed_by_integers(features):
    X = pd.DataFrame(counts_with_gaps(), columns=list("abcdef"))
    free = small(max_iter=0).fit_transform(X)
    imputer = small(max_iter=0, min_value=0.5, integer_features=features)
    expected = np.clip(free, 0.5, np.inf)
    expected[:, [0, 5]] = np.clip(np.rint(free[:, [0, 5]]), 1, np.inf)
    expected = np.where(np.isnan(X), expected, X)
    np.testing.assert_array_equal(imputer.fit_transform(X), expected)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"min_value": [1, 2]}, "min_value must be a number or have shape \\(6,\\)"),
        ({"min_value": 3, "max_value": 2}, "min_value must be at most max_value"),
        ({"min_value": np.nan}, "must be None, a float in the range"),
        ({"min_value": [np.nan] * 6}, "min_value must be at most max_value"),
        (
            {"min_value": 0.2, "max_value": 0.8, "integer_features": [3]},
            "fails for the features \\[3\\]",
        ),
        ({"integer_features": ["z"]}, "integer_features names \\['z'\\]"),
        ({"integer_features": [6]}, "integer_features must be a mask of 6 features"),
        ({"integer_features": [True]}, "integer_features must be a mask"),
    ],
)
def test_impossible_limits_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(counts_with_gaps())


def mixed_table(n_rows=400):
    """Return a table whose columns follow from one hidden number, and gaps for it."""
    rng = np.random.RandomState(0)
    hidden = rng.standard_normal(n_rows)
    table = pd.DataFrame(
        {
            "number": hidden + 0.1 * rng.standard_normal(n_rows),
            "count": pd.array(np.rint(3 * hidden + 9).astype(int), dtype="Int64"),
            "kind": pd.Categorical(np.where(hidden > 0, "high", "low")),
            "flag": pd.array(hidden > 0.5, dtype="boolean"),
            "text": pd.Series(np.where(hidden < -0.5, "a", "b"), dtype=object),
        }
    )
    gaps = rng.random_sample(table.shape) < 0.15
    gaps[:, 0] &= ~gaps[:, 1:].any(axis=1)
    return table, table.mask(gaps), gaps


@pytest.mark.parametrize("max_iter", [0, 5])
def test_tables_are_filled_in(max_iter):
    complete, table, gaps = mixed_table()
    imputer = AutoencoderImputer(max_iter=max_iter, random_state=0)
    imputer.set_output(transform="pandas")
    filled = imputer.fit_transform(table)
    assert filled.dtypes.equals(complete.dtypes)
    assert not filled.isna().any(axis=None)
    # Observed values stay.
    assert filled.mask(gaps).equals(table)
    is_right = (filled == complete).to_numpy()
    for number in (2, 3, 4):
        hidden = gaps[:, number]
        mode = complete.iloc[:, number].mode()[0]
        by_mode = (complete.iloc[hidden, number] == mode).mean()
        assert is_right[hidden, number].mean() > max(by_mode + 0.1, 0.85)
    errors = (filled["count"] - complete["count"]).astype(float)[gaps[:, 1]]
    assert errors.std() < 0.4 * complete["count"].std()


def test_tables_are_objects_without_set_output():
    _, table, _ = mixed_table(100)
    imputer = AutoencoderImputer(max_iter=0, random_state=0, add_indicator=True)
    filled = imputer.fit_transform(table)
    expected = imputer.set_output(transform="pandas").fit_transform(table)
    assert filled.dtype == object
    np.testing.assert_array_equal(filled, expected.to_numpy(dtype=object))
    # Objects that are whole numbers may be any numbers.
    objects = table.astype(object).to_numpy()
    found = AutoencoderImputer(max_iter=0, random_state=0).fit_transform(objects)
    np.testing.assert_array_equal(
        np.delete(found, 1, 1), np.delete(filled[:, :5], 1, 1)
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_one_library_become_frames_of_another(library):
    _, table, _ = mixed_table(100)
    expected = AutoencoderImputer(max_iter=0, random_state=0).fit_transform(table)
    given = pl.from_pandas(table) if library == "pandas" else table
    imputer = AutoencoderImputer(max_iter=0, random_state=0).set_output(
        transform=library
    )
    filled = imputer.fit_transform(given)
    assert type(filled).__module__.startswith(library)
    found = filled.to_numpy() if library == "pandas" else np.array(filled.rows())
    np.testing.assert_array_equal(found.astype(str), expected.astype(str))


def test_frames_of_numbers_keep_their_dtypes():
    table = pd.DataFrame(
        {
            "integers": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"),
            "floats": np.array([1, np.nan, 3, 4, 5.5, 6], np.float32),
            "complete": [2, 4, 6, 8, 10, 12],
        },
        index=list("abcdef"),
    )
    imputer = AutoencoderImputer(max_iter=0, random_state=0).set_output(
        transform="pandas"
    )
    filled = imputer.fit_transform(table)
    assert filled.dtypes.equals(table.dtypes)
    assert filled.index.equals(table.index)
    assert filled.loc["c", "integers"] == 3


def test_indicators_are_columns_of_frames():
    _, table, _ = mixed_table(60)
    imputer = AutoencoderImputer(max_iter=0, random_state=0, add_indicator=True)
    with config_context(transform_output="pandas"):
        filled = imputer.fit_transform(table)
    flags = filled.filter(like="missingindicator_")
    assert flags.columns.str.removeprefix("missingindicator_").tolist() == list(table)
    np.testing.assert_array_equal(flags, table.isna())
    assert filled[table.columns].dtypes.equals(table.dtypes)


def test_limits_hold_in_tables():
    _, table, _ = mixed_table(100)
    imputer = AutoencoderImputer(
        max_iter=0, random_state=0, min_value=1.5, integer_features=["number"]
    )
    filled = imputer.set_output(transform="pandas").fit_transform(table)
    made = filled["number"][table["number"].isna()]
    assert (made >= 2).all()
    assert (made % 1 == 0).all()


def test_categories_that_were_not_in_fit_stay():
    _, table, _ = mixed_table(100)
    imputer = (
        AutoencoderImputer(max_iter=0, random_state=0)
        .set_output(transform="pandas")
        .fit(table)
    )
    new = table[:5].copy()
    new["kind"] = pd.Categorical(["new", "low", "low", None, "high"])
    filled = imputer.transform(new)
    assert filled["kind"].tolist()[:3] == ["new", "low", "low"]
    assert filled["kind"].notna().all()


def test_empty_columns_of_tables():
    _, table, _ = mixed_table(60)
    table = table.assign(nothing=np.nan)
    filled = AutoencoderImputer(max_iter=0, random_state=0).fit_transform(table)
    assert filled.shape == (60, 5)
    kept = AutoencoderImputer(max_iter=0, random_state=0, keep_empty_features=True)
    assert (kept.fit_transform(table)[:, 5] == 0).all()


def test_draws_have_the_conditional_distribution():
    covariance = np.array([[2.0, 1.2, 0.4], [1.2, 1.5, 0.3], [0.4, 0.3, 1.0]])
    rng = np.random.RandomState(0)
    X = rng.multivariate_normal([1, 2, 3], covariance, 4000)
    lacks = X.copy()
    lacks[::2, 0] = np.nan
    imputer = AutoencoderImputer(2, max_iter=0, sample_posterior=True, random_state=0)
    made = imputer.fit(lacks).transform(lacks)[::2]
    # A normal distribution given two of its three values.
    weights = np.linalg.solve(covariance[1:, 1:], covariance[1:, 0])
    variance = covariance[0, 0] - covariance[0, 1:] @ weights
    residuals = made[:, 0] - 1 - (made[:, 1:] - [2, 3]) @ weights
    assert residuals.mean() == pytest.approx(0, abs=0.1)
    assert residuals.std() == pytest.approx(np.sqrt(variance), rel=0.1)
    np.testing.assert_array_equal(made[:, 1:], X[::2, 1:])


def test_draws_cover_what_is_missing(curve):
    lacks = with_missing(curve)
    imputer = small(sample_posterior=True).fit(lacks)
    assert imputer.selected_model_ == "network"
    draws = [imputer.set_params(random_state=i).transform(lacks) for i in range(20)]
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    covered = ((low <= curve) & (curve <= high))[np.isnan(lacks)].mean()
    assert 0.75 < covered < 0.97
    np.testing.assert_array_equal(draws[-1], imputer.transform(lacks))
    with pytest.raises(ValueError, match="needs a fit with sample_posterior=True"):
        small().fit(lacks).set_params(sample_posterior=True).transform(lacks)


def test_a_later_fit_forgets_how_far_values_differed(normal):
    imputer = small(max_iter=0, sample_posterior=True).fit(with_missing(normal))
    imputer.set_params(sample_posterior=False).fit(with_missing(normal))
    imputer.set_params(sample_posterior=True)
    with pytest.raises(ValueError, match="needs a fit with sample_posterior=True"):
        imputer.transform(with_missing(normal))


def test_categories_are_drawn_in_proportion():
    table = pd.DataFrame(
        {
            "a": np.random.RandomState(0).randn(1000),
            "b": np.random.RandomState(1).choice(["x", "y"], 1000, p=[0.3, 0.7]),
        }
    )
    lacks = table.copy()
    lacks.loc[:399, "b"] = None
    imputer = AutoencoderImputer(1, max_iter=0, sample_posterior=True, random_state=0)
    imputer.set_output(transform="pandas")
    made = imputer.fit_transform(lacks)["b"][:400]
    assert (made == "x").mean() == pytest.approx(0.3, abs=0.1)
    imputer.set_params(sample_posterior=False)
    assert (imputer.transform(lacks)["b"][:400] == "y").all()
