"""Options in pairs: every combination is right, or refused with a remedy.

A covering array has every pair of options that may be used together at least once. Each
of its configurations is compared with the same rows in a plain array, with PCA and with
what its methods promise. What may not be used together is in a list, with the message.
"""

import itertools
import os
import pickle
import random
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

N_ROWS, N_FEATURES = 60, 6
NAMES = [f"feature {number}" for number in range(N_FEATURES)]
INDEX = [f"row {number}" for number in range(N_ROWS)]


def rows_of(seed, binary=False):
    """Return rows of integers from 0 to 15, or of zeros and ones, near a plane."""
    rng = np.random.default_rng(seed)
    codes, axes = rng.normal(size=(N_ROWS, 2)), AXES
    rows = np.clip(np.rint(7 + 2 * codes @ axes + rng.normal(size=(1, 1))), 0, 15)
    rows = np.clip(rows + rng.integers(0, 2, rows.shape), 0, 15)
    return (rows > 7).astype(float) if binary else rows


AXES = np.random.default_rng(9).normal(size=(2, N_FEATURES))


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def memory_map(X):
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(X.tobytes())
        file.flush()
        return np.memmap(file, dtype=X.dtype, mode="r", shape=X.shape)


def frame(X):
    return pd.DataFrame(X, columns=NAMES, index=INDEX[: len(X)])


def mixed_frame(X):
    dtypes = ["Float64", "float32", "Float32", "double[pyarrow]", "object", "float64"]
    return frame(X).astype(dict(zip(NAMES, dtypes, strict=True)))


def nullable(X, dtype):
    return frame(X).astype("Float64").astype(dtype)


def dask_array(X):
    import dask.array as da

    return da.from_array(X, chunks=(25, 4))


def dask_frame(X):
    import dask.dataframe as dd

    return dd.from_pandas(frame(X), npartitions=3, sort=False)


CONTAINERS = {
    "float64": lambda X: X.copy(),
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "big endian": lambda X: X.astype(">f8"),
    "integers": lambda X: X.astype(int),
    "uint8": lambda X: X.astype(np.uint8),
    "bool": lambda X: X.astype(bool),
    "objects": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1].copy()[::-1],
    "read-only": read_only,
    "memory map": memory_map,
    "pandas": frame,
    "pandas mixed": mixed_frame,
    "pandas Float64": lambda X: nullable(X, "Float64"),
    "pandas Int64": lambda X: nullable(X, "Int64"),
    "pandas boolean": lambda X: nullable(X, "boolean"),
    "pandas pyarrow": lambda X: nullable(X, "int64[pyarrow]"),
    "pandas sparse": lambda X: frame(X).astype(pd.SparseDtype(float, 0.0)),
    "polars": lambda X: pl.DataFrame(X, schema=NAMES, nan_to_null=True),
    "CSR matrix": sparse.csr_matrix,
    "CSR array": sparse.csr_array,
    "CSC matrix": sparse.csc_matrix,
    "CSC array": sparse.csc_array,
    "CSR of integers": lambda X: sparse.csr_array(X.astype(int)),
    "Dask array": dask_array,
    "Dask frame": dask_frame,
}
ONLY_INTEGERS = {"integers", "uint8", "bool", "CSR of integers"}
BINARY = {"bool", "pandas boolean"}
SPARSE = {"CSR matrix", "CSR array", "CSC matrix", "CSC array", "CSR of integers"}
PANDAS = {name for name in CONTAINERS if name.startswith("pandas")}
NAMED = PANDAS | {"polars", "Dask frame"}
DASK = {"Dask array", "Dask frame"}


def build_encoder(n_features, n_components):
    import keras

    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Dense(4, "tanh"),
            keras.layers.Dense(n_components),
        ]
    )


def halved(rows, noise):
    import keras

    return keras.ops.where(noise < 0.3, rows / 2, rows)


TRANSFORMERS = {
    "estimator": {
        "dense": {},
        "linear": {"hidden_layer_sizes": ()},
        "image": {"image_shape": (2, 3), "filters": 4},
        "custom": {"encoder": build_encoder},
        "plain": {"skip_connections": None},
        "densely connected": {"skip_connections": "dense"},
        "variational": {},
    },
    "container": CONTAINERS,
    "missing": ["none", "some", "column", "row"],
    "labels": [
        *("none", "classes", "strings", "categories", "gaps", "nullable"),
        *("numbers", "numbers with gaps", "two numbers"),
    ],
    "target_weight": [0.0, 0.5, 1.0],
    "beside": ["nothing", "X_clean", "X_val", "groups"],
    "corruption": {"none": {}}
    | {
        name: {"corruption": name}
        for name in ("gaussian", "masking", "salt_and_pepper", "blocks")
    }
    | {"function": {"corruption": halved}},
    "loss": ["mean_squared_error", "mean_absolute_error", "binary_crossentropy"],
    "output_activation": [None, "sigmoid"],
    "penalty": {
        "none": {},
        "sparsity": {"sparsity": 0.1},
        "contraction": {"contraction": 0.1},
        "dropout": {"dropout": 0.2},
    },
    "n_components": [2, 0.8],
    "whiten": [False, True],
    "early_stopping": [True, False],
    "optimizer": ["adam", "instance"],
    "output": ["default", "pandas", "polars"],
    "route": ["fit", "fit again", "clone", "pickle", "set_params", "partial_fit"],
}

OPTIONS = {
    **TRANSFORMERS,
    "container": ["float64", "pandas", "CSR array", "Dask array"],
}
"""Most pairs need programs of their own. So there are few containers."""

AROUND = {
    "estimator": ["dense", "linear", "image", "variational"],
    "container": list(CONTAINERS),
    **{
        name: TRANSFORMERS[name]
        for name in ("missing", "labels", "target_weight", "beside", "output", "route")
    },
}
"""What is around an autoencoder, with few programs."""

LINKED = {"dense", "linear", "image", "custom", "densely connected"}
"""Estimators with a linear path."""

WITH_GAPS = {"some", "column", "row"}

IMPOSSIBLE = None
"""In the place of a message: there is nothing to write for these values."""

RULES = [
    # Without a parameter or an argument of this kind.
    *(
        ({"estimator": {"variational"}, name: set(TRANSFORMERS[name]) - {usual}}, None)
        for name, usual in [
            ("corruption", "none"),
            ("loss", "mean_squared_error"),
            ("target_weight", 0.0),
            ("whiten", False),
            ("penalty", "none"),
        ]
    ),
    ({"estimator": {"variational"}, "route": {"partial_fit"}}, IMPOSSIBLE),
    ({"beside": {"X_clean", "X_val", "groups"}, "route": {"partial_fit"}}, IMPOSSIBLE),
    ({"container": ONLY_INTEGERS, "missing": WITH_GAPS}, IMPOSSIBLE),
    # Refused.
    (
        {"target_weight": {1.0}},
        r"'target_weight' parameter of .* must be a float in the range \[0\.0, 1\.0\)",
    ),
    (
        {"target_weight": {0.5}, "labels": {"none"}},
        r"requires y to be passed.* Give labels y, or set target_weight=0",
    ),
    (
        {"target_weight": {0.5}, "route": {"partial_fit"}},
        r"partial_fit learns without labels\. Set target_weight=0, or call fit",
    ),
    (
        {"target_weight": {0.5}, "beside": {"X_val"}},
        "X_val needs target_weight=0",
    ),
    (
        {"early_stopping": {False}, "beside": {"X_val"}},
        "X_val needs early_stopping=True",
    ),
    (
        {"output_activation": {"sigmoid"}, "estimator": LINKED},
        "output_activation='sigmoid' needs skip_connections=None",
    ),
    (
        {"loss": {"binary_crossentropy"}, "output_activation": {None}},
        "Set output_activation='sigmoid' and skip_connections=None",
    ),
    (
        {
            "corruption": {"blocks"},
            "estimator": set(TRANSFORMERS["estimator"]) - {"image", "variational"},
        },
        r"corruption='blocks' .* needs image_shape\. Got image_shape=None",
    ),
    (
        {"missing": WITH_GAPS, "estimator": {"image"}},
        r"NaN, .* together with image_shape=\(2, 3\)\. Fill the missing values in",
    ),
    (
        {"missing": WITH_GAPS, "estimator": {"variational"}},
        r"NaN, which VariationalAutoencoderTransformer does not take\. Fill the",
    ),
    (
        {"missing": WITH_GAPS, "target_weight": {0.5}},
        r"NaN, .* together with target_weight=0\.5\. Fill the missing values in",
    ),
    (
        {"missing": WITH_GAPS, "beside": {"X_clean", "X_val"}},
        r"NaN, .* together with X_.*\. Leave that out, or fill",
    ),
    (
        {"missing": WITH_GAPS, "container": SPARSE - ONLY_INTEGERS | {"pandas sparse"}},
        r"NaN, .* in a sparse matrix\. Fill the missing values in",
    ),
    (
        {"missing": WITH_GAPS, "route": {"partial_fit"}},
        r"NaN, .*partial_fit does not take\. Use fit, or fill the missing",
    ),
    (
        {"missing": {"column"}},
        r"NaN in the features \[2\]\. Leave them out, or fill them in",
    ),
    (
        {"missing": WITH_GAPS, "loss": {"binary_crossentropy"}},
        r"NaN, which loss=.* does not take\. Use the squared error, or fill",
    ),
]


def matches(rule, configuration):
    """Say whether all that a rule names is chosen. What is open yet is not chosen."""
    return all(
        name in configuration and configuration[name] in values
        for name, values in rule.items()
    )


def is_allowed(configuration, rules):
    return not any(matches(rule, configuration) for rule, _ in rules)


def covering(dimensions, rules, seed=0):
    """Return configurations in which every allowed pair of values occurs.

    Each starts with a pair that is still missing. Then every other dimension gets the
    value that adds the most missing pairs.
    """
    rng = random.Random(seed)
    open_pairs = {
        frozenset(((one, a), (other, b)))
        for one, other in itertools.combinations(dimensions, 2)
        for a in dimensions[one]
        for b in dimensions[other]
        if is_allowed({one: a, other: b}, rules)
    }
    found = []
    # Sets have no order that is the same in every process.
    queue = sorted(open_pairs, key=lambda pair: sorted(map(repr, pair)))
    rng.shuffle(queue)
    for pair in queue:
        if pair not in open_pairs:
            continue
        configuration = dict(pair)
        rest = [name for name in dimensions if name not in configuration]
        rng.shuffle(rest)
        for name in rest:
            values = list(dimensions[name])
            rng.shuffle(values)
            choices = [
                (new_pairs(configuration, name, value, open_pairs), value)
                for value in values
                if is_allowed({**configuration, name: value}, rules)
            ]
            if not choices:
                break
            configuration[name] = max(choices, key=lambda choice: choice[0])[1]
        else:
            found.append({name: configuration[name] for name in dimensions})
            open_pairs -= set(
                map(frozenset, itertools.combinations(configuration.items(), 2))
            )
    # Neighbours in this order share programs.
    return sorted(found, key=id_of)


def new_pairs(configuration, name, value, open_pairs):
    return sum(
        frozenset((item, (name, value))) in open_pairs for item in configuration.items()
    )


def id_of(configuration):
    return ", ".join(map(str, configuration.values()))


# What may hold missing values, labels and data frames of a configuration.


def with_gaps(rows, missing):
    rows = rows.copy()
    if missing == "some":
        rows[np.random.default_rng(1).random(rows.shape) < 0.1] = np.nan
    if missing == "column":
        rows[:, 2] = np.nan
    if missing == "row":
        rows[4] = np.nan
    return rows


def labels_of(rows, kind):
    """Return labels, and the same labels as plain integers or floats."""
    classes = (rows[:, 0] > 7).astype(int) + (rows[:, 1] > 7)
    gaps = np.where(np.arange(N_ROWS) % 5 == 0, -1, classes)
    numbers = rows[:, 0] - rows[:, 1] / 3
    text = np.array(["a", "b", "c"])[classes]
    holes = np.where(gaps < 0, np.nan, numbers)
    return {
        "none": (None, None),
        "classes": (classes.tolist(), classes),
        "strings": (text, classes),
        "categories": (pd.Series(text, dtype="category"), classes),
        "gaps": (
            [
                None if gap < 0 else one
                for one, gap in zip(text.tolist(), gaps, strict=True)
            ],
            gaps,
        ),
        "nullable": (pd.Series(gaps, dtype="Int64").replace(-1, pd.NA), gaps),
        "numbers": (
            numbers.astype(np.float32).tolist(),
            numbers.astype(np.float32).astype(float),
        ),
        "numbers with gaps": (pd.Series(holes, dtype="Float64"), holes),
        "two numbers": (
            pd.DataFrame({"a": numbers, "b": rows[:, 2]}),
            np.column_stack([numbers, rows[:, 2]]),
        ),
    }[kind]


def transformer_of(configuration):
    import keras

    chosen = {
        name: values[configuration[name]]
        for name, values in TRANSFORMERS.items()
        if isinstance(values, dict) and name != "container"
    }
    parameters = {
        **chosen["estimator"],
        "n_components": configuration["n_components"],
        "early_stopping": configuration["early_stopping"],
    }
    parameters = {
        "hidden_layer_sizes": (8,),
        "max_iter": 2,
        "batch_size": 32,
        "random_state": 0,
        **parameters,
    }
    if configuration["optimizer"] == "instance":
        parameters["optimizer"] = keras.optimizers.Adam(1e-3)
    activation = configuration["output_activation"]
    if configuration["estimator"] == "variational":
        likelihood = "gaussian" if activation is None else "bernoulli"
        return VariationalAutoencoderTransformer(likelihood=likelihood, **parameters)
    return AutoencoderTransformer(
        loss=configuration["loss"],
        output_activation=activation,
        target_weight=configuration["target_weight"],
        whiten=configuration["whiten"],
        **parameters,
        **chosen["corruption"],
        **chosen["penalty"],
    )


def arguments_of(configuration):
    """Return rows, labels and other arguments of fit: as plain arrays and as given."""
    binary = configuration["container"] in BINARY or (
        configuration["output_activation"] is not None
    )
    rows = with_gaps(rows_of(0, binary), configuration["missing"])
    y, plain_y = labels_of(rows_of(0), configuration["labels"])
    convert = CONTAINERS[configuration["container"]]
    plain, given = {}, {}
    name = configuration["beside"]
    if name == "X_clean":
        plain[name] = rows_of(0, binary)
        plain[name][:, 0] = plain[name][:, 1]
    if name == "X_val":
        plain[name] = rows_of(1, binary)
    given = {key: convert(value) for key, value in plain.items()}
    if name == "groups":
        plain[name] = np.arange(N_ROWS) // 2
        given[name] = [f"patient {number}" for number in plain[name]]
    return (rows, plain_y, plain), (convert(rows), y, given)


def learned(model, configuration, X, y, beside):
    route = configuration["route"]
    if route == "partial_fit":
        return model.partial_fit(X)
    if route == "fit again":
        model.set_params(n_components=1).fit(rows_of(5, True), y)
        model.set_params(n_components=configuration["n_components"])
    if route == "clone":
        model = clone(model)
    model.fit(X, y, **beside)
    if route == "pickle":
        model = pickle.loads(pickle.dumps(model))
    if route == "set_params":
        model.set_params(n_components=1, max_iter=7, random_state=3)
    return model


@pytest.fixture(autouse=True)
def one_thread():
    """Compute collections of Dask in this thread."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def unchanged_globals():
    """Fail a test that changes what is global in the process."""
    import keras

    def globals_now():
        return (
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            random.getstate(),
            # A failure must not print what is in there. pytest writes to it.
            {
                name: hash(value)
                for name, value in os.environ.items()
                if name != "PYTEST_CURRENT_TEST"
            },
            np.geterr(),
            keras.config.floatx(),
        )

    before = globals_now()
    yield
    assert globals_now() == before


def as_rows(found):
    """Return what a method gives, or a container, as a plain array."""
    if sparse.issparse(found):
        found = found.toarray()
    if isinstance(found, pd.DataFrame):
        return found.to_numpy(float, na_value=np.nan)
    return np.asarray(found, dtype=float)


def row_of(container, number):
    """Return one row in the same container."""
    if hasattr(container, "iloc"):
        return container.iloc[[number]]
    return container[number : number + 1]


def tolerance_of(container):
    return 2e-3 if container == "float16" else 1e-4


def assert_close(found, expected, tolerance=1e-4):
    found, expected = as_rows(found), as_rows(expected)
    assert found.shape == expected.shape
    scale = np.abs(expected).max(initial=1e-30)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


def check_output(codes, given, model, configuration):
    """Check the container of codes, its names and its index."""
    names = [f"{type(model).__name__.lower()}{i}" for i in range(model.n_components_)]
    assert list(model.get_feature_names_out()) == names
    container = configuration["container"]
    if container in DASK:
        # A data frame would have to be computed.
        assert type(codes).__module__.startswith("dask.array")
    elif configuration["output"] == "default":
        expected = np.float32 if container == "float32" else np.float64
        assert isinstance(codes, np.ndarray)
        assert codes.dtype == expected
    else:
        kind = {"pandas": pd, "polars": pl}[configuration["output"]]
        assert isinstance(codes, kind.DataFrame)
        assert list(codes.columns) == names
        if configuration["output"] == "pandas" and container in PANDAS:
            assert list(codes.index) == INDEX
    if container in NAMED:
        assert list(model.feature_names_in_) == NAMES
        with pytest.raises(ValueError, match="(?i)feature names must be in the same"):
            model.transform(given[NAMES[::-1]])
    else:
        assert not hasattr(model, "feature_names_in_")


def check_against_pca(model, rows, plain, configuration):
    """Check what the documentation promises about PCA."""
    target = plain.get("X_clean", rows)
    pca = PCA(model.n_components_).fit(target)
    if model.selected_model_ == "linear":
        expected = pca.transform(rows)
        if configuration["whiten"]:
            expected /= np.sqrt(pca.explained_variance_)
        assert_close(model.transform(rows), expected)
        return
    only_reconstructs = (
        configuration["loss"] == "mean_squared_error"
        and configuration["corruption"] == "none"
        and configuration["penalty"] in ("none", "dropout")
        and "X_clean" not in plain
    )
    if only_reconstructs:
        explained = pca.explained_variance_ratio_.sum()
        assert model.score(rows) >= explained - 1e-6


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.usefixtures("unchanged_globals")
@pytest.mark.parametrize(
    "configuration",
    covering(OPTIONS, RULES) + covering(AROUND, RULES),
    ids=id_of,
)
def test_an_autoencoder_is_right(configuration):
    usual = {name: next(iter(values)) for name, values in TRANSFORMERS.items()}
    configuration = {**usual, **configuration}
    (rows, plain_y, plain), (X, y, given) = arguments_of(configuration)
    before = as_rows(X).copy()
    model = learned(transformer_of(configuration), configuration, X, y, given)
    if configuration["output"] != "default":
        model.set_output(transform=configuration["output"])
    codes = model.transform(X)
    check_output(codes, X, model, configuration)

    # The container does not matter, nor what the estimator learned before.
    simple = {**configuration, "route": "fit"}
    if configuration["route"] == "partial_fit":
        simple["route"] = "partial_fit"
    expected = learned(transformer_of(simple), simple, rows, plain_y, plain)
    tolerance = tolerance_of(configuration["container"])
    assert model.selected_model_ == expected.selected_model_
    assert_close(codes, expected.transform(rows), tolerance)

    # Methods agree with each other.
    model.set_output(transform="default")
    codes = np.asarray(model.transform(X))
    assert np.isfinite(codes).all()
    if configuration["container"] != "Dask frame":
        assert_close(model.transform(row_of(X, 3)), codes[3:4], tolerance)
    reconstructed = np.asarray(model.reconstruct(X))
    assert_close(model.inverse_transform(codes), reconstructed, tolerance)
    scores = np.asarray(model.score_samples(X))
    observed = ~np.isnan(rows)
    errors = np.where(observed, np.square(np.nan_to_num(rows) - reconstructed), 0)
    if configuration["estimator"] == "variational":
        assert model.score(X) == pytest.approx(scores.mean(), rel=1e-4)
    else:
        n_observed = np.maximum(observed.sum(axis=1), 1)
        assert_close(-scores, errors.sum(axis=1) / n_observed, 10 * tolerance)
        deviations = np.where(
            observed, rows - np.nanmean(rows, axis=0, keepdims=True), 0
        )
        explained = 1 - errors.sum() / np.square(np.nan_to_num(deviations)).sum()
        assert model.score(X) == pytest.approx(explained, abs=1e-3)
        if configuration["missing"] == "none" and (
            configuration["target_weight"] == 0
            and configuration["route"] != "partial_fit"
            and configuration["estimator"] != "plain"
        ):
            check_against_pca(expected, rows, plain, configuration)
    if configuration["target_weight"]:
        assert_close(model.coef_, expected.coef_, 10 * tolerance)
        assert_close(model.intercept_, expected.intercept_, 10 * tolerance)
    if configuration["route"] != "partial_fit":
        assert model.best_loss_ <= model.start_loss_ + 1e-6

    # Nothing of the user's changes.
    np.testing.assert_array_equal(as_rows(X), before)


# The other estimators.

OTHERS = {
    "container": CONTAINERS,
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
    ({"container": ONLY_INTEGERS, "missing": {"some", "column", "row"}}, None),
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


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.usefixtures("unchanged_globals")
@pytest.mark.parametrize("configuration", covering(OTHERS, IMPUTER_RULES), ids=id_of)
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
    "estimator": ["dense", "linear", "image", "variational"],
    "contamination": ["auto", 0.1],
    "bandwidth": ["auto", 0.5, 1],
    "whiten": [False, True],
    "route": ["fit", "fit again", "clone", "pickle"],
    "missing": ["none"],
}
DETECTOR_RULES = [({"estimator": {"variational"}, "whiten": {True}}, None)]


def detector_of(configuration):
    kind = configuration["estimator"]
    parameters = {
        "hidden_layer_sizes": (8,),
        "max_iter": 2,
        "batch_size": 32,
        **TRANSFORMERS["estimator"][kind],
    }
    if kind == "variational":
        estimator = VariationalAutoencoderTransformer(**parameters)
    else:
        estimator = AutoencoderTransformer(whiten=configuration["whiten"], **parameters)
    return AutoencoderOutlierDetector(
        estimator,
        contamination=configuration["contamination"],
        bandwidth=configuration["bandwidth"],
        random_state=0,
    )


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.usefixtures("unchanged_globals")
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
    "container": CONTAINERS,
    "estimator": ["dense", "linear", "variational"],
    "labels": ["integers", "strings", "series", "categories", "booleans"],
    "sampling_strategy": ["auto", 0.8, "all"],
    "missing": ["none"],
}
OVER_SAMPLER_RULES = [
    (
        {"container": {"polars"}},
        r"takes data frames of pandas only.* Convert X by X\.to_pandas\(\)",
    )
]
ROUNDED = ONLY_INTEGERS | {"pandas Int64", "pandas boolean", "pandas pyarrow"}


def over_sampler_of(configuration):
    from skae.imbalance import AutoencoderOverSampler

    return AutoencoderOverSampler(
        detector_of(
            {**configuration, "whiten": False, "contamination": "auto", "bandwidth": 1}
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


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.usefixtures("unchanged_globals")
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


# What may not be used together.


def completed(configuration, rules):
    """Return a configuration with values for what is open, with which no rule matches.

    None if there is no such configuration.
    """
    if not is_allowed(configuration, rules):
        return None
    for name, values in TRANSFORMERS.items():
        if name not in configuration:
            tried = (completed({**configuration, name: one}, rules) for one in values)
            return next((found for found in tried if found is not None), None)
    return configuration


def refusals():
    """Return a configuration for all values that a rule refuses, and the message."""
    for rule, message in RULES:
        if message is IMPOSSIBLE:
            continue
        for values in itertools.product(*(sorted(v, key=repr) for v in rule.values())):
            chosen = dict(zip(rule, values, strict=True))
            # Nothing else is refused, unless it always is.
            others = [one for one in RULES if not matches(one[0], chosen)]
            found = completed(chosen, others)
            if found and is_allowed(
                chosen, [one for one in RULES if one[1] is IMPOSSIBLE]
            ):
                messages = [one for named, one in RULES if matches(named, chosen)]
                yield pytest.param(found, messages, id=", ".join(map(str, values)))


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.parametrize(("configuration", "messages"), list(refusals()))
def test_a_combination_is_refused(configuration, messages):
    _, (X, y, given) = arguments_of(configuration)
    model = transformer_of(configuration)
    kinds = (ValueError, TypeError, AttributeError)
    with pytest.raises(kinds) as caught:
        learned(model, configuration, X, y, given)
    found = str(caught.value.__cause__ or caught.value)
    assert any(re.search(message, found) for message in messages), found
    with pytest.raises(NotFittedError):
        model.transform(X)
