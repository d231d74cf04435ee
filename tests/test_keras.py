"""When Keras is imported, on which backend it runs, and in which precision."""

import os
import platform
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from conftest import dense_spec, run

from skae import _environment
from skae import _keras as keras
from skae._environment import BACKENDS, chosen_backend
from skae._networks import (
    ConvolutionalLayers,
    DenseLayers,
    build_networks,
    convolutions,
)

FIT = """
import numpy as np
from skae import AutoencoderTransformer
X = np.random.default_rng(0).normal(size=(40, 4))
small = AutoencoderTransformer(
    2, hidden_layer_sizes=(4,), max_iter=1, early_stopping=False, skip_connections=None
)
small.fit(X)
"""

BEFORE_AND_AFTER = f"""
import os, sys, skae

def imported():
    return sorted({{"keras", "jax", "tensorflow", "torch"}} & set(sys.modules))

assert imported() == []
assert skae.keras_backend() == ("jax", "it is the default")
import numpy as np
X = np.random.default_rng(0).normal(size=(40, 4))
linear = skae.AutoencoderTransformer(2, hidden_layer_sizes=())
linear.fit(X).score(X)
linear.partial_fit(X).partial_fit(X).transform(X)
assert imported() == []
{FIT}
assert imported() == ["jax", "keras"]
assert sys.modules["keras"].backend.backend() == "jax"
assert skae.keras_backend() == ("jax", "it is the default")
assert "KERAS_BACKEND" not in os.environ
print("ok")
"""


@pytest.mark.slow
@pytest.mark.jax
def test_keras_is_imported_by_the_first_fit_of_a_network(tmp_path):
    result = run(BEFORE_AND_AFTER, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["ok"], result.stderr


@pytest.mark.slow
@pytest.mark.jax
def test_keras_may_be_imported_first_and_its_backend_must_stay(tmp_path):
    code = f"""
import keras
{FIT}
import warnings
print(keras.backend.backend())
warnings.simplefilter("ignore")
keras.config.set_backend("numpy")
small.fit(X)
"""
    result = run(code, KERAS_BACKEND="jax", KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["jax"], result.stderr
    assert "Change the backend before the first fit" in result.stderr


WRITTEN_BY_KERAS = (
    '{"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow", '
    '"image_data_format": "channels_last"}'
)
# The variable KERAS_BACKEND, keras.json, what is installed, the backend and the reason.
CASES = {
    "nothing": (None, None, BACKENDS, "jax", "it is the default"),
    "no jax": (None, None, BACKENDS[1:], "tensorflow", "jax is not installed"),
    "variable": ("torch", None, BACKENDS, "torch", "KERAS_BACKEND names it"),
    "variable and file": (
        "jax",
        '{"backend": "torch"}',
        BACKENDS,
        "jax",
        "KERAS_BACKEND",
    ),
    "file": (None, '{"backend": "torch"}', BACKENDS, "torch", "keras.json names it"),
    "file by Keras": (None, WRITTEN_BY_KERAS, BACKENDS, "jax", "it is the default"),
    "damaged file": (None, '{"backend": ', BACKENDS, "jax", "it is the default"),
    "other file": (None, '["torch"]', BACKENDS, "jax", "it is the default"),
    "missing backend": (
        None,
        '{"backend": "torch"}',
        BACKENDS[:1],
        "jax",
        "it is the default",
    ),
}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Return a function that sets what the choice of a backend depends on."""

    def change(named=None, file=None, installed=BACKENDS):
        monkeypatch.delitem(sys.modules, "keras", raising=False)
        monkeypatch.setattr(
            _environment, "find_spec", lambda name: name in installed or None
        )
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        if named is not None:
            monkeypatch.setenv("KERAS_BACKEND", named)
        if file is not None:
            (tmp_path / "keras.json").write_text(file)

    return change


@pytest.mark.jax
@pytest.mark.parametrize("case", CASES)
def test_the_backend_and_why(case, environment):
    named, file, installed, expected, reason = CASES[case]
    environment(named, file, installed)
    name, said = chosen_backend()
    assert name == expected
    assert reason in said


@pytest.mark.jax
def test_a_keras_that_is_imported_already_decides(environment, monkeypatch):
    environment(named="torch")
    keras = SimpleNamespace(config=SimpleNamespace(backend=lambda: "tensorflow"))
    monkeypatch.setitem(sys.modules, "keras", keras)
    name, said = chosen_backend()
    assert (name, said) == ("tensorflow", "Keras was imported before, on it")


@pytest.mark.jax
def test_without_any_backend_the_error_says_what_to_install(environment):
    environment(installed=())
    with pytest.raises(ImportError, match="none of these libraries is installed"):
        chosen_backend()


WHICH = """
import skae
from skae import _keras
print(_keras.backend.backend())
print(skae.keras_backend().reason)
"""


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow")
def test_keras_starts_on_the_backend_of_the_configuration_file(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    result = run(WHICH, KERAS_HOME=str(tmp_path), TF_CPP_MIN_LOG_LEVEL="0")
    name, said = result.stdout.splitlines()
    assert name == "tensorflow", result.stderr
    assert "keras.json names it" in said
    if platform.machine() == "x86_64":
        # The level that the user sets for the log of TensorFlow counts.
        assert "cpu_feature_guard" in result.stderr


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow")
def test_keras_stays_on_tensorflow_if_that_is_imported_first(tmp_path):
    # Importing TensorFlow imports Keras, which then runs on it.
    result = run("import tensorflow\n" + WHICH, KERAS_HOME=str(tmp_path))
    name, said = result.stdout.splitlines()
    assert name == "tensorflow", result.stderr
    assert "Keras was imported before" in said


@pytest.mark.slow
@pytest.mark.jax
def test_on_another_backend_of_keras_pca_works_and_an_error_says_why_no_network_does(
    tmp_path,
):
    # The NumPy backend is part of Keras.
    code = f"""
import numpy as np
from skae import AutoencoderTransformer
X = np.random.default_rng(0).normal(size=(40, 4))
pca = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
codes = pca.transform(X)
print(np.abs(pca.encoder_.predict(X, verbose=0) - codes).max() < 1e-5)
print(np.abs(pca.decoder_.predict(codes, verbose=0) - pca.reconstruct(X)).max() < 1e-5)
{FIT}
"""
    result = run(code, KERAS_BACKEND="numpy", KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["True", "True"], result.stderr
    assert "ImportError: skae trains on Keras' JAX, TensorFlow and" in result.stderr
    assert "'numpy' here, because the variable KERAS_BACKEND names it" in result.stderr


@pytest.mark.jax
def test_a_backend_that_cannot_be_loaded_raises_an_error_that_says_why(tmp_path):
    hidden = """
import importlib.util, sys
find = importlib.util.find_spec

class Missing:
    def find_spec(name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Missing)
importlib.util.find_spec = lambda name: None if name == "torch" else find(name)
"""
    result = run(hidden + FIT, KERAS_BACKEND="torch", KERAS_HOME=str(tmp_path))
    assert "ImportError: Keras cannot start on 'torch'" in result.stderr
    assert "chosen because the variable KERAS_BACKEND names it" in result.stderr


@pytest.mark.weekly
@pytest.mark.slow
@pytest.mark.jax
@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores, because it counts threads",
)
def test_omp_num_threads_limits_the_threads_of_jax(tmp_path):
    # joblib and Dask set OMP_NUM_THREADS in their workers.
    code = """
import os
from skae import _keras
_keras.ops.ones((3, 3)) + 1
print(len(os.listdir("/proc/self/task")), "NPROC" in os.environ)
"""
    limited = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    one = run(code, **limited, KERAS_HOME=str(tmp_path))
    several = run(code, **limited, NPROC="2", KERAS_HOME=str(tmp_path))
    assert one.stdout.split()[1] == "False", one.stderr
    assert int(one.stdout.split()[0]) < int(several.stdout.split()[0])


IMAGES = ConvolutionalLayers(
    (4, 4, 1), convolutions((4, 4, 1), [2, 3], 2, [2, 1]), DenseLayers((4,))
)
NETWORKS = {
    "dense": dense_spec(16, 2, (4, 3), dropout=0.1, see_inputs=True),
    "plain": dense_spec(16, 2, (4,), linear_path=False, output_activation="sigmoid"),
    "images": dense_spec(16, 2, (), encoder=IMAGES, decoder=IMAGES),
    "gaussian": dense_spec(16, 2, (4,), likelihood="gaussian"),
    "bernoulli": dense_spec(16, 2, (4,), likelihood="bernoulli"),
    "labels": dense_spec(16, 2, (4,), n_targets=3, target_kind="numbers"),
}


@pytest.mark.jax
@pytest.mark.parametrize("policy", ["float64", "mixed_bfloat16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_layers_of_skae_compute_in_float32_whatever_keras_is_told(name, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        models = build_networks(NETWORKS[name])
    finally:
        keras.config.set_dtype_policy(before)
    for model in (models.encoder, models.decoder):
        for layer in model.layers:
            assert layer.output.dtype == "float32"
            assert {weight.dtype for weight in layer.weights} <= {"float32"}


IN_ANY_PRECISION = """
import numpy as np
import keras
from skae import *

X = np.random.default_rng(0).normal(size=(320, 16)) ** 2  # ten full batches
few = dict(max_iter=2, random_state=0, early_stopping=False)

def custom(n_features, n_components):
    return keras.Sequential([
        keras.Input((n_features,)),
        keras.layers.Reshape((4, 4, 1)),
        keras.layers.Conv2D(2, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(n_components),
    ])

def works(width, names, atol=1e-4):
    # Equal networks share a program, which keeps its precision. So widths differ.
    own = dict(few, hidden_layer_sizes=width)
    models = {
        "custom": AutoencoderTransformer(
            2, encoder=custom, skip_connections=None, **own
        ),
        "dense": AutoencoderTransformer(
            2, corruption="gaussian", dropout=0.1, contraction=0.1,
            optimizer="adafactor", activation="gelu", **own
        ),
        "images": AutoencoderTransformer(
            2, image_shape="auto", filters=4, corruption="gaussian", **own
        ),
        "variational": VariationalAutoencoderTransformer(2, **own),
    }
    for name in names.split():
        model = models[name].fit(X)
        codes = model.transform(X)
        assert np.isfinite(model.loss_curve_).all() and np.isfinite(codes).all()
        exported = keras.ops.convert_to_numpy(model.encoder_(X.astype("float32")))
        np.testing.assert_allclose(exported, codes, atol=atol)

keras.config.set_dtype_policy("mixed_bfloat16")
works(8, "custom", atol=0.3)
keras.config.set_dtype_policy("float32")
is_jax = keras.backend.backend() == "jax"
if is_jax:
    # Without this, JAX turns float64 into float32.
    import jax
    jax.config.update("jax_enable_x64", True)
    works(9, "dense images")
keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
works(10, "custom" if is_jax else "custom images")
print("works")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend",
    [
        pytest.param("jax", marks=[pytest.mark.jax, pytest.mark.weekly]),
        pytest.param("tensorflow", marks=pytest.mark.weekly),
        pytest.param("torch", marks=pytest.mark.weekly),
    ],
)
def test_estimators_work_with_any_precision_that_keras_is_told(backend, tmp_path):
    # skae's own layers compute in float32. Custom layers do as Keras is told.
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    variables = {"KERAS_BACKEND": backend, "KERAS_HOME": str(tmp_path)}
    result = run(IN_ANY_PRECISION, timeout=300, **variables)
    assert result.stdout.split() == ["works"], result.stderr
