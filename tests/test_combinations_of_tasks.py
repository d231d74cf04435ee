"""Options of the imputer, the outlier detector and the over-sampler in pairs."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from containers import (
    BINARY,
    CONTAINERS,
    INDEX,
    N_FEATURES,
    N_ROWS,
    NAMED,
    NAMES,
    ONLY_INTEGERS,
    PANDAS,
    SPARSE,
    WITH_GAPS,
    as_rows,
    assert_close,
    row_of,
    rows_of,
    tolerance_of,
    with_gaps,
)
from covering_array import IMPOSSIBLE, covering, id_of
from sklearn.base import clone

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.imbalance import AutoencoderOverSampler
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

pytestmark = [
    pytest.mark.weekly,
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread", "unchanged_globals"),
]

ESTIMATORS = {
    "dense": {},
    "linear": {"hidden_layer_sizes": ()},
    "image": {"image_shape": (2, 3), "filters": 4},
    "variational": {},
}

# Booleans of frames are categories of a table, not numbers: see test_impute.py and
# test_imbalance.py.
NUMBERS = [name for name in CONTAINERS if name != "pandas boolean"]

IMPUTERS = {
    "container": NUMBERS,
    "missing": ["none", "some", "column", "row"],
    "n_components": ["auto", 2],
    "max_iter": [0, 2],
    "add_indicator": [False, True],
    "keep_empty_features": [False, True],
    "limits": ["none", "numbers", "arrays"],
    "integer_features": ["none", "mask", "indices"],
    "output": ["default", "pandas", "polars"],
    "route": ["fit", "fit again", "clone", "pickle"],
}
IMPUTER_RULES = [
    (
        {"container": SPARSE | {"pandas sparse"}},
        "Sparse data was passed for X, but dense data is required. Use",
    ),
    ({"container": ONLY_INTEGERS, "missing": WITH_GAPS}, IMPOSSIBLE),
]


def imputer_of(configuration):
    limits = {"none": {}, "numbers": {"min_value": 1, "max_value": 14}}
    limits["arrays"] = {"min_value": np.zeros(N_FEATURES), "max_value": [15.5] * 6}
    features = {"none": None, "mask": np.arange(N_FEATURES) == 1, "indices": [1, -1]}
    return AutoencoderImputer(
        configuration["n_components"],
        hidden_layer_sizes=(8,),
        max_iter=configuration["max_iter"],
        add_indicator=configuration["add_indicator"],
        keep_empty_features=configuration["keep_empty_features"],
        integer_features=features[configuration["integer_features"]],
        random_state=0,
        **limits[configuration["limits"]],
    )


@pytest.mark.parametrize("configuration", covering(IMPUTERS, IMPUTER_RULES), ids=id_of)
def test_an_imputer_is_right(configuration):
    container, output = configuration["container"], configuration["output"]
    rows = with_gaps(rows_of(0, container in BINARY), configuration["missing"])
    X = CONTAINERS[container](rows)
    before = as_rows(X).copy()
    model = imputer_of(configuration)
    if configuration["route"] == "fit again":
        model.fit(rows_of(5, True)[:, ::-1])
    if configuration["route"] == "clone":
        model = clone(model)
    if output != "default":
        model.set_output(transform=output)
    filled = model.fit(X).transform(X)
    if configuration["route"] == "pickle":
        model = pickle.loads(pickle.dumps(model))
    names = list(model.get_feature_names_out())
    if output == "default":
        assert isinstance(filled, np.ndarray)
        assert filled.dtype == (np.float32 if container == "float32" else np.float64)
    else:
        assert isinstance(filled, {"pandas": pd, "polars": pl}[output].DataFrame)
        assert list(filled.columns) == names
        if output == "pandas" and container in PANDAS:
            assert list(filled.index) == INDEX
    filled = as_rows(filled)
    assert filled.shape == (N_ROWS, len(names))

    # The container does not matter.
    expected = imputer_of(configuration).fit(rows).transform(rows)
    if output != "default" and container in {"pandas Int64", "pandas pyarrow"}:
        # Integers stay integers in frames.
        expected = np.rint(expected)
    assert_close(filled, expected, tolerance_of(container))
    if container != "Dask frame":
        row = model.transform(row_of(X, 4))
        assert_close(row, filled[4:5], tolerance_of(container))

    # Observed values stay, others are within the limits, and whole where they should.
    kept = np.ones(N_FEATURES, bool)
    if (
        configuration["missing"] == "column"
        and not configuration["keep_empty_features"]
    ):
        kept[2] = False
    values, given = filled[:, : kept.sum()], rows[:, kept]
    observed = ~np.isnan(given)
    np.testing.assert_array_equal(values[observed], given[observed])
    valid = ~np.isnan(rows).all(axis=0)[kept]
    imputed = np.where(observed, np.nan, values)[:, valid]
    low, high = {"none": (-1e9, 1e9), "numbers": (1, 14), "arrays": (0, 15.5)}[
        configuration["limits"]
    ]
    assert np.nanmin(imputed, initial=low) >= low
    assert np.nanmax(imputed, initial=high) <= high
    if configuration["integer_features"] != "none":
        np.testing.assert_array_equal(values[:, 1], np.rint(values[:, 1]))
    if configuration["add_indicator"]:
        marks = filled[:, kept.sum() :].astype(bool)
        expected_marks = np.isnan(rows)[:, np.isnan(rows).any(axis=0)]
        np.testing.assert_array_equal(marks, expected_marks)
    np.testing.assert_array_equal(as_rows(X), before)


DETECTORS = {
    "container": CONTAINERS,
    "estimator": list(ESTIMATORS),
    "contamination": ["auto", 0.1],
    "method": ["combined", "likelihood"],
    "bandwidth": ["auto", 0.5, 1],
    "whiten": [False, True],
    "route": ["fit", "fit again", "clone", "pickle"],
}
DETECTOR_RULES = [({"estimator": {"variational"}, "whiten": {True}}, IMPOSSIBLE)]


def detector_of(configuration):
    kind = configuration["estimator"]
    parameters = {
        "hidden_layer_sizes": (8,),
        "max_iter": 2,
        "batch_size": 32,
        **ESTIMATORS[kind],
    }
    if kind == "variational":
        estimator = VariationalAutoencoderTransformer(**parameters)
    else:
        estimator = AutoencoderTransformer(whiten=configuration["whiten"], **parameters)
    return AutoencoderOutlierDetector(
        estimator,
        contamination=configuration["contamination"],
        bandwidth=configuration["bandwidth"],
        method=configuration["method"],
        random_state=0,
    )


@pytest.mark.parametrize(
    "configuration", covering(DETECTORS, DETECTOR_RULES), ids=id_of
)
def test_a_detector_is_right(configuration):
    container = configuration["container"]
    rows = rows_of(0, container in BINARY)
    X = CONTAINERS[container](rows)
    before = as_rows(X).copy()
    model = detector_of(configuration)
    if configuration["route"] == "fit again":
        model.fit(rows_of(5, True)[:, ::-1])
    if configuration["route"] == "clone":
        model = clone(model)
    model.fit(X)
    if configuration["route"] == "pickle":
        model = pickle.loads(pickle.dumps(model))
    scores = model.score_samples(X)
    expected = detector_of(configuration).fit(rows)
    tolerance = 10 * tolerance_of(container)
    assert_close(scores, expected.score_samples(rows), tolerance)
    if container != "Dask frame":
        assert_close(model.score_samples(row_of(X, 3)), scores[3:4], tolerance)
    np.testing.assert_array_equal(model.decision_function(X), scores - model.offset_)
    predicted = np.where(scores < model.offset_, -1, 1)
    np.testing.assert_array_equal(model.predict(X), predicted)
    if configuration["contamination"] != "auto":
        # Equal rows are on the same side.
        share = (expected.predict(rows) < 0).mean()
        assert 0 < share <= configuration["contamination"]
    contributions = as_rows(model.explain(X))
    np.testing.assert_allclose(contributions.sum(axis=1), 1, rtol=1e-5)
    if container in NAMED:
        with pytest.raises(ValueError, match="(?i)feature names must be in the same"):
            model.predict(X[NAMES[::-1]])
    np.testing.assert_array_equal(as_rows(X), before)


OVER_SAMPLERS = {
    "container": NUMBERS,
    "estimator": ["dense", "linear", "variational"],
    "labels": ["integers", "strings", "series", "categories", "booleans"],
    "sampling_strategy": ["auto", 0.8, "all"],
}
OVER_SAMPLER_RULES = [
    (
        {"container": {"polars"}},
        r"takes data frames of pandas only.* Convert X by X\.to_pandas\(\)",
    )
]
ROUNDED = ONLY_INTEGERS | {"pandas Int64", "pandas pyarrow"}


def over_sampler_of(configuration):
    return AutoencoderOverSampler(
        detector_of(
            {**configuration, "whiten": False, "contamination": "auto", "bandwidth": 1}
            | {"method": "combined"}
        ).estimator,
        sampling_strategy=configuration["sampling_strategy"],
        random_state=0,
    )


def classes_of(kind):
    numbers = (np.arange(N_ROWS) % 4 == 0).astype(int)
    text = np.array(["a", "b"])[numbers]
    return {
        "integers": numbers.tolist(),
        "strings": text,
        "series": pd.Series(text, index=INDEX, name="class"),
        "categories": pd.Series(text, dtype="category"),
        "booleans": numbers.astype(bool),
    }[kind], numbers


@pytest.mark.parametrize(
    "configuration", covering(OVER_SAMPLERS, OVER_SAMPLER_RULES), ids=id_of
)
def test_an_over_sampler_is_right(configuration):
    container = configuration["container"]
    rows = rows_of(0, container in BINARY)
    X, (y, plain_y) = CONTAINERS[container](rows), classes_of(configuration["labels"])
    before = as_rows(X).copy()
    made, labels = over_sampler_of(configuration).fit_resample(X, y)
    expected, numbers = over_sampler_of(configuration).fit_resample(rows, plain_y)
    if container in ROUNDED:
        expected = np.clip(np.rint(expected), rows.min(axis=0), rows.max(axis=0))
    assert_close(made, expected, 1e-3)
    np.testing.assert_array_equal(as_rows(made)[:N_ROWS], rows)
    assert list(np.unique(np.asarray(y), return_inverse=True)[0][numbers]) == list(
        labels
    )
    assert np.bincount(numbers)[1] >= 0.8 * np.bincount(numbers)[0] - 1
    if container in PANDAS:
        assert made.dtypes.tolist() == X.dtypes.tolist()
    elif container not in ("objects", "big endian", "lists", "Dask frame"):
        assert made.dtype == X.dtype
    np.testing.assert_array_equal(as_rows(X), before)


def every(dimensions, **chosen):
    """Return the first value of every option that is not chosen."""
    return {name: next(iter(values)) for name, values in dimensions.items()} | chosen


@pytest.mark.parametrize("container", sorted(SPARSE | {"pandas sparse"}))
def test_an_imputer_refuses_sparse_rows(container):
    X = CONTAINERS[container](rows_of(0))
    with pytest.raises(TypeError, match=IMPUTER_RULES[0][1]):
        imputer_of(every(IMPUTERS)).fit(X)


@pytest.mark.parametrize("container", sorted(set(CONTAINERS) - ONLY_INTEGERS))
@pytest.mark.parametrize("estimator", ["linear", "dense", "variational"])
def test_a_detector_takes_missing_values_or_refuses_them(container, estimator):
    rows = with_gaps(rows_of(0, container in BINARY), "some")
    X = CONTAINERS[container](rows)
    chosen = {"estimator": estimator, "method": "likelihood"}
    model = detector_of(every(DETECTORS, **chosen))
    if estimator == "variational" or container in SPARSE | {"pandas sparse"}:
        message = "NaN, which AutoencoderOutlierDetector does not take"
        with pytest.raises(ValueError, match=message):
            model.fit(X)
        return
    expected = clone(model).fit(rows).score_samples(rows)
    found = model.fit(X).score_samples(X)
    assert_close(found, expected, 10 * tolerance_of(container))


@pytest.mark.parametrize("container", sorted(set(CONTAINERS) - ONLY_INTEGERS))
def test_an_over_sampler_refuses_missing_values_and_polars(container):
    X = CONTAINERS[container](with_gaps(rows_of(0), "some"))
    message = "contains NaN"
    if container == "polars":
        message = OVER_SAMPLER_RULES[0][1]
    with pytest.raises(ValueError, match=message):
        over_sampler_of(every(OVER_SAMPLERS)).fit_resample(X, np.arange(N_ROWS) % 4 > 0)
