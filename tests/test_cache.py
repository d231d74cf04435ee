"""Engines and inference programs are built once, and shared by all estimators."""

import threading

import jax
import numpy as np
import pytest
from conftest import dense_spec, small_network
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from skae import _keras as keras
from skae._backends import MOST_PROGRAMS, backend, engine, shared
from skae._inference._compiled import inference_program
from skae.impute import AutoencoderImputer

COMPILED = []


def _record_compilation(event, duration, **details):
    if event == "/jax/core/compile/backend_compile_duration":
        COMPILED.append(details.get("fun_name", "a function"))


jax.monitoring.register_event_duration_secs_listener(_record_compilation)


@pytest.fixture
def compiled():
    """Return a list that records every compilation from now on."""
    if keras.backend.backend() != "jax":
        pytest.skip("only JAX tells of its compilations")
    COMPILED.clear()
    return COMPILED


def test_the_compilation_of_a_new_network_is_recorded(compiled, digits):
    # The other tests rely on this.
    small_network(hidden_layer_sizes=(11,), max_iter=1).fit(digits)
    assert compiled


def test_a_grid_over_numeric_parameters_compiles_once(compiled, digits):
    estimator = small_network(max_iter=2, corruption="gaussian", n_components=2)
    folds = KFold(2)  # 898 and 899 rows
    search = GridSearchCV(estimator, {"alpha": [1e-5]}, cv=folds, refit=False)
    search.fit(digits)
    compiled.clear()
    changes = {
        "alpha": 1e-3,
        "learning_rate": 5e-3,
        "random_state": 1,
        "corruption_level": 0.5,
        "max_iter": 3,
    }
    grid = [{name: [value]} for name, value in changes.items()]
    GridSearchCV(estimator, grid, cv=folds, refit=False).fit(digits)
    assert compiled == []


@pytest.mark.parametrize("parameters", [{}, {"target_weight": 0.5}], ids=str)
def test_numbers_of_components_share_programs(compiled, digits, parameters):
    network = small_network(max_iter=1, hidden_layer_sizes=(15,), **parameters)
    labels = np.arange(300) % 3
    network.set_params(n_components=2).fit(digits[:300], labels)
    compiled.clear()
    for n_components in (3, 5, 6, 7, 8):
        network.set_params(n_components=n_components).fit(digits[:300], labels)
    assert compiled == []
    network.set_params(n_components=9).fit(digits[:300], labels)
    assert compiled
    compiled.clear()
    network.set_params(n_components=16).fit(digits[:300], labels)
    assert compiled == []


@pytest.mark.slow
def test_several_threads_compile_no_more_than_one(compiled, digits, monkeypatch):
    counts = []
    for n_threads, width in ((1, 12), (1, 13), (6, 14)):
        monkeypatch.setattr(backend(), "n_threads", n_threads)
        compiled.clear()
        small_network(hidden_layer_sizes=(width,), max_iter=2).fit(digits[:300])
        counts.append(len(compiled))
    # The first fit also compiles functions that all later fits share.
    assert counts[1] == counts[2] > 0


def test_samples_of_similar_size_compile_nothing_new(compiled, digits):
    few = small_network(max_iter=2)
    few.fit(digits[:1700])
    compiled.clear()
    for n_rows in (1670, 1792):
        few.fit(digits[:n_rows])
    assert compiled == []


@pytest.mark.parametrize("activation", ["relu", "gelu"], ids=["numpy", "compiled"])
def test_inference_on_any_number_of_rows_compiles_nothing_new(
    activation, compiled, digits
):
    rows = np.random.default_rng(0).uniform(0, 16, size=(10_000, 64))
    fitted = small_network(max_iter=2, activation=activation).fit(digits)
    compiled.clear()
    # One call with few rows and one with many: there are blocks of two sizes.
    fitted.reconstruct(rows[:1])
    fitted.reconstruct(rows[:9])
    assert bool(compiled) == (activation == "gelu")
    compiled.clear()
    for n_rows in (1, 7, 100, 9999, 10_000):
        fitted.reconstruct(rows[:n_rows])
    fitted.transform(rows.astype(np.float32))
    assert compiled == []


def test_clones_with_keras_instances_share_an_engine(digits):
    estimator = small_network(
        optimizer=keras.optimizers.Adam(1e-3), loss=keras.losses.Huber(0.5), max_iter=2
    )
    codes = clone(estimator).fit(digits).transform(digits)
    built = engine.cache_info().misses
    again = clone(estimator).set_params(alpha=estimator.alpha).fit(digits)
    np.testing.assert_array_equal(again.transform(digits), codes)
    clone(estimator).set_params(alpha=0.1, random_state=1).fit(digits)
    assert engine.cache_info().misses == built


def test_the_cache_keeps_what_was_used_last():
    built = []
    build = shared(lambda number: built.append(number) or number)
    for number in range(MOST_PROGRAMS + 1):
        assert build(0) == 0
        assert build(number) == number
    assert built == list(range(MOST_PROGRAMS + 1))
    # Number 1 has left the cache. Number 0 has not.
    build(0), build(1)
    assert built[MOST_PROGRAMS + 1 :] == [1]
    for function in (engine, inference_program):
        assert function.cache_info().maxsize == MOST_PROGRAMS


def in_threads(functions):
    """Call all functions at the same time in threads, and return their results."""
    start, results = threading.Barrier(len(functions)), [None] * len(functions)

    def call(number, function):
        start.wait()
        results[number] = function()

    threads = [
        threading.Thread(target=call, args=item) for item in enumerate(functions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads)
    return results


def test_concurrent_threads_build_a_program_once():
    spec = dense_spec(17, 2, (13,))
    built = in_threads([lambda: inference_program(spec)] * 8)
    assert len({id(program) for program in built}) == 1


def test_concurrent_fits_give_the_same_codes(digits):
    X = digits[:1100]
    estimators = [
        small_network(random_state=seed, hidden_layer_sizes=sizes, max_iter=2)
        for seed in (0, 1)
        for sizes in ((32,), (19, 7))
    ]

    def codes(estimator):
        return clone(estimator).fit(X).transform(X)

    alone = [codes(estimator) for estimator in estimators]
    together = in_threads([lambda e=e: codes(e) for e in estimators])
    for expected, found in zip(alone, together, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_other_missing_values_compile_nothing_more(compiled, digits):
    rng = np.random.default_rng(0)
    X = np.where(rng.uniform(size=(200, 64)) < 0.1, np.nan, digits[:200])
    imputer = AutoencoderImputer(8, hidden_layer_sizes=(9,), max_iter=1, random_state=0)
    imputer.fit(X)
    assert compiled
    compiled.clear()
    other = np.where(rng.uniform(size=X.shape) < 0.3, np.nan, digits[:200])
    clone(imputer).set_params(random_state=1, n_components=3).fit(other)
    imputer.fit(digits[:200])
    assert compiled == []


def test_fits_with_missing_values_compile_no_more_than_others(compiled, digits):
    rng = np.random.default_rng(0)
    X = np.where(rng.uniform(size=(200, 64)) < 0.1, np.nan, digits[:200])
    counts = []
    for rows, width in ((digits[:200], 21), (X, 22)):
        compiled.clear()
        small_network(hidden_layer_sizes=(width,), max_iter=3).fit(rows)
        counts.append(len(compiled))
    assert 0 < counts[1] <= counts[0]
    compiled.clear()
    other = np.where(rng.uniform(size=X.shape) < 0.3, np.nan, digits[:200])
    small_network(hidden_layer_sizes=(22,), max_iter=2, random_state=1).fit(other)
    assert compiled == []
