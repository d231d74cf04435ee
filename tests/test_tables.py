"""Tables of several kinds: FAMD by hand, and the way back for every dtype."""

import datetime
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pandas.testing import assert_frame_equal as assert_pandas_equal
from polars.testing import assert_frame_equal as assert_polars_equal
from scipy.stats import ks_2samp
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skae import AutoencoderTransformer
from skae.tables import TableEncoder, sample_table

N_ROWS = 60


def pandas_table(n_rows=N_ROWS):
    """Return a frame with a column of each dtype."""
    rng = np.random.RandomState(0)
    words, levels = rng.choice(["x", "yy"], n_rows), rng.choice(list("abc"), n_rows)
    small, is_small = rng.randint(0, 5, n_rows), rng.rand(n_rows) < 0.5
    return pd.DataFrame(
        {
            "float64": rng.randn(n_rows),
            "float32": rng.randn(n_rows).astype(np.float32),
            "int64": small,
            "uint8": rng.randint(0, 200, n_rows).astype(np.uint8),
            "bool": is_small,
            "Int64": pd.array(small, dtype="Int64"),
            "Float64": pd.array(rng.randn(n_rows), dtype="Float64"),
            "boolean": pd.array(is_small, dtype="boolean"),
            "ordered": pd.Categorical(levels, categories=list("cbadz"), ordered=True),
            "codes": pd.Categorical(small),
            "intervals": pd.cut(rng.randn(n_rows), 3),
            "text": pd.Series(words),
            "string": pd.array(words, dtype="string"),
            "arrow": pd.array(words, dtype="string[pyarrow]"),
            "arrow_numbers": pd.array(small, dtype="int64[pyarrow]"),
            "objects": pd.Series(words, dtype=object),
            "numbers": pd.Series(list(map(float, small)), dtype=object),
        }
    )


def polars_table(n_rows=N_ROWS):
    rng = np.random.RandomState(0)
    words = pl.Series(rng.choice(["x", "yy"], n_rows))
    return pl.DataFrame(
        {
            "float64": rng.randn(n_rows),
            "float32": rng.randn(n_rows).astype(np.float32),
            "int64": rng.randint(0, 5, n_rows),
            "uint8": rng.randint(0, 200, n_rows).astype(np.uint8),
            "bool": rng.rand(n_rows) < 0.5,
            "text": words,
            "categories": words.cast(pl.Categorical),
            "enum": words.cast(pl.Enum(["yy", "x", "z"])),
        }
    )


def famd(table):
    """Return the numbers, the row coordinates and the eigenvalues of FAMD by hand."""
    parts = []
    for name in table.columns:
        column = table[name]
        if column.dtype.kind == "f":
            parts.append(((column - column.mean()) / column.std(ddof=0)).to_frame())
        else:
            indicators = pd.get_dummies(column.astype(object), dtype=float)
            frequencies = indicators.mean()
            parts.append((indicators - frequencies) / np.sqrt(frequencies))
    numbers = pd.concat(parts, axis=1).to_numpy()
    left, lengths, _ = np.linalg.svd(numbers, full_matrices=False)
    return numbers, left * lengths, lengths**2 / len(numbers)


def test_pca_of_the_numbers_is_famd():
    table = pandas_table()[["float64", "text", "float32", "ordered", "codes"]]
    numbers, coordinates, eigenvalues = famd(table)
    encoder = TableEncoder()
    np.testing.assert_allclose(encoder.fit_transform(table), numbers, atol=1e-6)
    pca = make_pipeline(encoder, AutoencoderTransformer(3, hidden_layer_sizes=()))
    codes = pca.fit_transform(table)
    signs = np.sign(np.sum(codes * coordinates[:, :3], axis=0))
    np.testing.assert_allclose(codes * signs, coordinates[:, :3], atol=1e-6)
    np.testing.assert_allclose(
        pca[-1].explained_variance_ * (1 - 1 / N_ROWS), eigenvalues[:3], rtol=1e-6
    )


def test_frames_of_pandas_come_back():
    table = pandas_table()
    encoder = TableEncoder().fit(table)
    back = encoder.inverse_transform(encoder.transform(table))
    assert_pandas_equal(back, table)


def test_missing_values_come_back():
    table = pandas_table()
    rng = np.random.RandomState(1)
    for name in table.columns.difference(["int64", "uint8", "bool"]):
        table.loc[rng.permutation(N_ROWS)[:6], name] = None
    encoder = TableEncoder().fit(table)
    numbers = encoder.transform(table)
    assert_pandas_equal(encoder.inverse_transform(numbers), table)
    # A missing value is missing in all columns that its column becomes.
    lacks = table.isna().to_numpy()[:, encoder.variables_]
    np.testing.assert_array_equal(np.isnan(numbers), lacks)


@pytest.mark.parametrize("has_gaps", [False, True])
def test_frames_of_polars_come_back(has_gaps):
    table = polars_table()
    if has_gaps:
        gaps = pl.Series(np.arange(N_ROWS) % 7 == 0)
        table = table.with_columns(
            pl.when(gaps).then(None).otherwise(pl.col(name)).alias(name)
            for name in table.columns
        )
    encoder = TableEncoder().fit(table)
    back = encoder.inverse_transform(encoder.transform(table))
    assert_polars_equal(back, table)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, bool, "U3"])
def test_arrays_come_back(dtype):
    X = np.random.RandomState(0).randint(0, 3, (20, 4)).astype(dtype)
    encoder = TableEncoder()
    back = encoder.inverse_transform(encoder.fit_transform(X))
    assert back.dtype == X.dtype
    if X.dtype.kind == "f":
        np.testing.assert_allclose(back, X, atol=1e-6)
    else:
        np.testing.assert_array_equal(back, X)


def test_lists_of_text_and_numbers_come_back():
    rows = [["a", 1.0, True], ["b", 2.0, False], [None, np.nan, True]]
    encoder = TableEncoder().fit(rows)
    assert encoder.is_categorical_.tolist() == [True, False, True]
    back = encoder.inverse_transform(encoder.transform(rows))
    assert back.dtype == object
    assert back[:2].tolist() == rows[:2]
    np.testing.assert_equal(back[2].tolist(), [None, np.nan, True])


def test_the_index_and_the_names_are_kept():
    table = pandas_table()[["float64", "text"]].set_index(np.arange(N_ROWS) + 7)
    encoder = TableEncoder().set_output(transform="pandas")
    numbers = encoder.fit_transform(table)
    assert list(numbers.columns) == ["float64", "text_x", "text_yy"]
    assert_pandas_equal(encoder.inverse_transform(numbers), table)
    assert encoder.variables_.tolist() == [0, 1, 1]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_everywhere_change_nothing_inside(library):
    table = pandas_table()[["float64", "text", "bool", "Int64"]]
    expected = TableEncoder().fit_transform(table)
    with config_context(transform_output=library):
        encoder = TableEncoder()
        numbers = encoder.fit_transform(table)
        assert type(numbers).__module__.startswith(library)
        np.testing.assert_array_equal(numbers.to_numpy(), expected)
        assert_pandas_equal(encoder.inverse_transform(numbers), table)


def test_integers_are_rounded_and_stay_in_range():
    encoder = TableEncoder().fit(pd.DataFrame({"n": [0, 1, 2, 5]}))
    back = encoder.inverse_transform([[-9.0], [0.0], [9.0]])
    assert back["n"].tolist() == [0, 2, 5]
    assert back["n"].dtype == np.int64


def test_the_most_probable_category_is_chosen():
    encoder = TableEncoder().fit(pd.DataFrame({"c": list("aaab")}))
    frequencies = np.array([0.75, 0.25])
    chances = np.array([[0.6, 0.4], [0.45, 0.55], [0.75, 0.25]])
    numbers = (chances - frequencies) / np.sqrt(frequencies)
    assert encoder.inverse_transform(numbers)["c"].tolist() == ["a", "b", "a"]


def test_rare_categories_are_one():
    table = pd.DataFrame({"c": list("aaaaabbbbbccd")})
    encoder = TableEncoder(min_frequency=4, handle_unknown="infrequent_if_exist")
    numbers = encoder.fit_transform(table)
    names = ["c_a", "c_b", "c_infrequent_sklearn"]
    assert encoder.get_feature_names_out().tolist() == names
    np.testing.assert_array_equal(numbers[-1], numbers[-2])
    new = encoder.transform(pd.DataFrame({"c": ["d", "unknown"]}))
    assert encoder.inverse_transform(new)["c"].tolist() == ["c", "c"]


def test_unknown_categories():
    table, new = pd.DataFrame({"c": list("aab")}), pd.DataFrame({"c": ["z", "a"]})
    with pytest.raises(ValueError, match=r"unknown categories .*z.* 'c'.*ignore"):
        TableEncoder().fit(table).transform(new)
    numbers = TableEncoder(handle_unknown="ignore").fit(table).transform(new)
    np.testing.assert_array_equal(numbers[0], 0)
    assert numbers[1].any()


def test_columns_are_categories_where_asked():
    table = pd.DataFrame({"n": [1.0, 2.0, 1.0], "m": [3.0, 4.0, 6.0]})
    for given in (["n"], [0], [True, False]):
        encoder = TableEncoder(given).fit(table)
        assert encoder.get_feature_names_out().tolist() == ["n_1.0", "n_2.0", "m"]
        back = encoder.inverse_transform(encoder.transform(table))
        assert_pandas_equal(back, table)
    with pytest.raises(ValueError, match=r"'text' .* categorical_features"):
        TableEncoder(["n"]).fit(table.assign(text=list("abc")))
    with pytest.raises(ValueError, match="categorical_features names"):
        TableEncoder(["nobody"]).fit(table)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.date_range("2020", periods=3), "'c' .* datetime.* days since"),
        (pd.to_timedelta([1, 2, 3], unit="D"), "'c' .* timedelta"),
        ([datetime.date(2020, 1, 1)] * 3, "'c' .* neither numbers nor categories"),
        ([1, "a", 2], "'c' .* numbers and text"),
        ([True, "a", None], "'c' .* booleans and text"),
        ([[1], [2], [3]], "'c' .* neither"),
    ],
)
def test_what_is_neither_numbers_nor_categories_is_refused(column, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder().fit(pd.DataFrame({"c": column}))


def test_dates_of_polars_are_refused():
    days = pl.Series([datetime.date(2020, 1, day) for day in (1, 2, 3)])
    with pytest.raises(ValueError, match="'day' .* Date"):
        TableEncoder().fit(pl.DataFrame({"day": days}))


def test_empty_columns_come_back_empty():
    table = pd.DataFrame({"n": [np.nan] * 3, "c": [None] * 3, "m": [1.0, 2.0, 4.0]})
    encoder = TableEncoder().fit(table)
    numbers = encoder.transform(table)
    assert numbers.shape == (3, 1)
    back = encoder.inverse_transform(numbers)
    assert back[["n", "c"]].isna().all(axis=None)
    assert back["m"].tolist() == [1, 2, 4]


def test_a_missing_integer_has_no_way_back():
    encoder = TableEncoder().fit(pd.DataFrame({"n": [1, 2, 3]}))
    with pytest.raises(ValueError, match="'n' .* int64.*AutoencoderImputer"):
        encoder.inverse_transform([[np.nan]])
    with pytest.raises(ValueError, match="X has 2 columns"):
        encoder.inverse_transform([[1.0, 2.0]])


def test_a_failed_fit_keeps_the_earlier_one():
    table = pandas_table()
    encoder = TableEncoder().fit(table)
    before = encoder.transform(table)
    with pytest.raises(ValueError, match="neither"):
        encoder.fit(pd.DataFrame({"day": pd.date_range("2020", periods=3)}))
    np.testing.assert_array_equal(encoder.transform(table), before)


def test_clones_and_pickles():
    table = pandas_table()
    encoder = TableEncoder(min_frequency=0.1).fit(table)
    stored = pickle.loads(pickle.dumps(encoder))
    numbers = stored.transform(table)
    np.testing.assert_array_equal(numbers, encoder.transform(table))
    assert_pandas_equal(
        stored.inverse_transform(numbers), encoder.inverse_transform(numbers)
    )
    assert clone(encoder).min_frequency == 0.1


def test_a_pipeline_reduces_and_returns_tables():
    rng = np.random.RandomState(0)
    hidden = rng.randn(300)
    table = pd.DataFrame(
        {
            "number": hidden + 0.1 * rng.randn(300),
            "kind": np.where(hidden > 0, "high", "low"),
            "is_high": hidden > 0.5,
        }
    )
    y = hidden > 0
    front = make_pipeline(
        TableEncoder(),
        AutoencoderTransformer(2, target_weight=0.5, max_iter=3, random_state=0),
    )
    codes = front.fit_transform(table, y)
    assert LogisticRegression().fit(codes, y).score(codes, y) > 0.95
    back = front.inverse_transform(codes)
    assert back.dtypes.equals(table.dtypes)
    assert (back["kind"] == table["kind"]).mean() > 0.95


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_new_rows_are_like_those_of_the_table(library):
    rng = np.random.RandomState(0)
    hidden = rng.randn(1000)
    table = pd.DataFrame(
        {
            "number": hidden + 0.5 * rng.randn(1000),
            "count": np.rint(hidden + 5).astype(int),
            "kind": np.where(hidden + 0.5 * rng.randn(1000) > 0.8, "rare", "common"),
            "flag": rng.rand(1000) < 0.2,
        }
    )
    given = pl.from_pandas(table) if library == "polars" else table
    pipeline = make_pipeline(
        TableEncoder(), AutoencoderTransformer(2, hidden_layer_sizes=())
    ).fit(given)
    new = sample_table(pipeline, 2000, random_state=0)
    assert type(new) is type(given)
    new = new.to_pandas() if library == "polars" else new
    assert list(new.dtypes) == list(table.dtypes)
    for name in ("number", "count"):
        assert ks_2samp(new[name], table[name]).statistic < 0.01
        assert new[name].isin(table[name]).all()
    correlations = [one["number"].corr(one["count"]) for one in (new, table)]
    assert correlations[0] == pytest.approx(correlations[1], abs=0.1)
    for name, value in (("kind", "rare"), ("flag", True)):
        frequency = (table[name] == value).mean()
        assert (new[name] == value).mean() == pytest.approx(frequency, abs=0.08)
    again = sample_table(pipeline, 2000, random_state=0)
    assert again.equals(new if library == "pandas" else pl.from_pandas(new))


def test_a_single_new_row_is_not_in_the_middle_of_the_table():
    table = pd.DataFrame({"price": np.exp(np.linspace(-2, 2, 500))})
    pca = AutoencoderTransformer(1, hidden_layer_sizes=())
    pipeline = make_pipeline(TableEncoder(), pca).fit(table)
    single = [
        sample_table(pipeline, random_state=seed)["price"][0] for seed in range(100)
    ]
    assert ks_2samp(single, table["price"]).pvalue > 0.01


def test_new_rows_need_a_pipeline_that_starts_with_an_encoder():
    pipeline = make_pipeline(AutoencoderTransformer(2), AutoencoderTransformer(2))
    for wrong in (pipeline, TableEncoder()):
        with pytest.raises(TypeError, match="two steps, a TableEncoder"):
            sample_table(wrong)
