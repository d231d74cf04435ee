"""Options of autoencoders in pairs: each is right, or refused with a remedy.

A covering array has every pair of options that may be used together at least once. Each
of its configurations is compared with the same rows in a plain array, with PCA and with
what its methods promise. What may not be used together is in ``RULES``.
"""

import itertools
import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from containers import (
    BINARY,
    CONTAINERS,
    DASK,
    INDEX,
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
from covering_array import IMPOSSIBLE, completed, covering, id_of, is_allowed, matches
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer

pytestmark = [
    pytest.mark.weekly,
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread", "unchanged_globals"),
]


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


@pytest.mark.parametrize("dimensions", [OPTIONS, AROUND], ids=["options", "around"])
def test_every_pair_that_is_not_refused_occurs(dimensions):
    found = covering(dimensions, RULES)
    for one, other in itertools.combinations(dimensions, 2):
        there = {(chosen[one], chosen[other]) for chosen in found}
        for pair in itertools.product(dimensions[one], dimensions[other]):
            chosen = dict(zip((one, other), pair, strict=True))
            assert pair in there or completed(chosen, dimensions, RULES) is None
    assert all(is_allowed(chosen, RULES) for chosen in found)


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


def refusals():
    """Return a configuration for all values that a rule refuses, and the message."""
    for rule, message in RULES:
        if message is IMPOSSIBLE:
            continue
        for values in itertools.product(*(sorted(v, key=repr) for v in rule.values())):
            chosen = dict(zip(rule, values, strict=True))
            # Nothing else is refused, unless it always is.
            others = [one for one in RULES if not matches(one[0], chosen)]
            found = completed(chosen, TRANSFORMERS, others)
            if found and is_allowed(
                chosen, [one for one in RULES if one[1] is IMPOSSIBLE]
            ):
                messages = [one for named, one in RULES if matches(named, chosen)]
                yield pytest.param(found, messages, id=", ".join(map(str, values)))


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
