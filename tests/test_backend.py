"""The Keras backend, and the effects of imports on a process."""

import os
import platform
import re
from importlib.util import find_spec

import pytest
from conftest import run

FIT = """
import numpy as np
from skae import AutoencoderTransformer
X = np.random.default_rng(0).normal(size=(40, 4))
AutoencoderTransformer(max_iter=1).fit(X)
import keras
print(keras.backend.backend())
"""


def test_importing_skae_imports_neither_keras_nor_jax():
    result = run("import sys, skae; print({'keras', 'jax'} & set(sys.modules))")
    assert result.stdout.strip() == "set()", result.stderr


def test_a_linear_autoencoder_imports_neither_keras_nor_jax():
    code = """
import sys
import numpy as np
from skae import AutoencoderTransformer
X = np.random.default_rng(0).normal(size=(40, 4))
linear = AutoencoderTransformer(2, hidden_layer_sizes=())
linear.fit(X).score(X)
linear.partial_fit(X).partial_fit(X).transform(X)
print({'keras', 'jax'} & set(sys.modules))
"""
    result = run(code)
    assert result.stdout.strip() == "set()", result.stderr


@pytest.mark.parametrize(
    "estimator",
    [
        "AutoencoderTransformer(dropout=0.1, corruption='gaussian', contraction=0.1)",
        "ConvolutionalAutoencoderTransformer(filters=4)",
        "VariationalAutoencoderTransformer()",
        "AutoencoderTransformer(optimizer='adafactor', activation='gelu')",
    ],
)
def test_estimators_work_if_jax_uses_double_precision(estimator, tmp_path):
    code = f"""
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from skae import *
X = np.random.default_rng(0).normal(size=(1200, 16)) ** 2
fitted = {estimator}.set_params(
    hidden_layer_sizes=(8,), max_iter=2, random_state=0, early_stopping=False
).fit(X)
print(np.isfinite(fitted.transform(X)).all(), np.isfinite(fitted.loss_curve_).all())
"""
    result = run(code, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["True", "True"], result.stderr


CHOICE = FIT + "import skae; print(skae.keras_backend().reason, end='')"
DEFAULT_FILE = (
    '{"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow", '
    '"image_data_format": "channels_last"}'
)
# What runs before skae, KERAS_BACKEND, keras.json, the backend and the reason.
CASES = {
    "nothing": ("", None, None, "jax", "it is the default"),
    "variable": ("", "torch", None, "torch", "KERAS_BACKEND names it"),
    "variable and file": ("", "jax", '{"backend": "torch"}', "jax", "KERAS_BACKEND"),
    "Keras first": ("import keras", None, None, "tensorflow", "Keras was imported"),
    "Keras first, with a variable": (
        "import keras",
        "torch",
        None,
        "torch",
        "Keras was imported before",
    ),
    "set_backend": (
        "import warnings; warnings.simplefilter('ignore')\n"
        "import keras; keras.config.set_backend('jax')",
        "torch",
        None,
        "jax",
        "Keras was imported before",
    ),
    "TensorFlow first": (
        # Importing TensorFlow imports Keras, which then runs on it.
        "import tensorflow",
        None,
        None,
        "tensorflow",
        "Keras was imported before",
    ),
    "PyTorch first": ("import torch", None, None, "jax", "it is the default"),
    "file": ("", None, '{"backend": "torch"}', "torch", "keras.json names it"),
    "file that Keras wrote": ("", None, DEFAULT_FILE, "jax", "it is the default"),
    "file that is damaged": ("", None, '{"backend": ', "jax", "it is the default"),
    "file with a missing backend": (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name: None if name == 'torch' else find(name)",
        None,
        '{"backend": "torch"}',
        "jax",
        "it is the default",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_backend_and_why(case, tmp_path):
    before, named, file, expected, reason = CASES[case]
    for name in ("torch", "tensorflow"):
        if name in (expected, named) or f"import {name}" in before:
            pytest.importorskip(name)
    if file is not None:
        (tmp_path / "keras.json").write_text(file)
    variables = {"KERAS_HOME": str(tmp_path)}
    if named is not None:
        variables["KERAS_BACKEND"] = named
    result = run(before + "\n" + CHOICE, **variables)
    name, _, said = result.stdout.partition("\n")
    assert name == expected, result.stderr
    assert reason in said


def test_before_the_first_fit_the_choice_is_known_and_nothing_is_imported(tmp_path):
    code = """
import sys, skae
first = skae.keras_backend().name
print(first, {'keras', 'jax', 'torch', 'tensorflow'} & set(sys.modules))
"""
    result = run(code, KERAS_BACKEND="torch", KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["torch", "set()"], result.stderr


def test_no_environment_variable_is_set(tmp_path):
    code = FIT + "import os; print('KERAS_BACKEND' in os.environ)"
    result = run(code, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["jax", "False"], result.stderr


@pytest.mark.parametrize("order", ["before", "after"])
def test_keras_may_be_imported_before_or_after_skae(order, tmp_path):
    code = "import keras\n" + FIT if order == "before" else FIT
    result = run(code, KERAS_BACKEND="jax", KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["jax"], result.stderr


def test_a_backend_without_an_engine_raises_an_error_that_says_why(tmp_path):
    # The NumPy backend is part of Keras.
    result = run(FIT, KERAS_BACKEND="numpy", KERAS_HOME=str(tmp_path))
    assert "ImportError: skae trains on Keras' JAX, TensorFlow and" in result.stderr
    assert "'numpy' here, because the variable KERAS_BACKEND names it" in result.stderr


@pytest.mark.parametrize("missing", ["torch", "jax tensorflow torch"])
def test_a_backend_that_cannot_be_loaded_raises_an_error_that_says_why(
    missing, tmp_path
):
    hidden = f"""
import importlib.util, sys
missing, find = {missing.split()}, importlib.util.find_spec

class Missing:
    def find_spec(name, path=None, target=None):
        if name in missing:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Missing)
importlib.util.find_spec = lambda name: None if name in missing else find(name)
"""
    named = {"KERAS_BACKEND": "torch"} if missing == "torch" else {}
    result = run(hidden + FIT, **named, KERAS_HOME=str(tmp_path))
    if missing == "torch":
        assert "ImportError: Keras cannot start on 'torch'" in result.stderr
        assert "chosen because the variable KERAS_BACKEND names it" in result.stderr
    else:
        assert "none of these libraries is installed" in result.stderr


def test_another_backend_after_the_first_fit_raises_an_error(tmp_path):
    code = (
        FIT
        + """
import warnings
warnings.simplefilter("ignore")
keras.config.set_backend("numpy")
AutoencoderTransformer(max_iter=1).fit(X)
"""
    )
    result = run(code, KERAS_BACKEND="jax", KERAS_HOME=str(tmp_path))
    assert "Change the backend before the first fit" in result.stderr


@pytest.mark.parametrize("backend", ["numpy", "torch", "tensorflow"])
def test_keras_models_of_pca_need_no_engine(backend, tmp_path):
    pytest.importorskip(backend)
    code = """
import numpy as np
from skae import AutoencoderTransformer
X = np.random.default_rng(0).normal(size=(40, 4))
pca = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
codes = pca.transform(X)
print(np.abs(pca.encoder_.predict(X, verbose=0) - codes).max() < 1e-5)
print(np.abs(pca.decoder_.predict(codes, verbose=0) - pca.reconstruct(X)).max() < 1e-5)
"""
    result = run(code, KERAS_BACKEND=backend, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["True", "True"], result.stderr


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores, because it counts threads",
)
def test_omp_num_threads_limits_the_threads_of_jax(tmp_path):
    # joblib and Dask set OMP_NUM_THREADS in their workers.
    code = FIT + (
        "import os; print(len(os.listdir('/proc/self/task')), 'NPROC' in os.environ)"
    )
    limited = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    one = run(code, **limited, KERAS_HOME=str(tmp_path))
    several = run(code, **limited, NPROC="2", KERAS_HOME=str(tmp_path))
    assert one.stdout.split()[2] == "False", one.stderr
    assert int(one.stdout.split()[1]) < int(several.stdout.split()[1])


PRECISIONS = {
    "float64": "keras.config.set_floatx('float64')",
    "mixed_float16": "keras.config.set_dtype_policy('mixed_float16')",
    "mixed_bfloat16": "keras.config.set_dtype_policy('mixed_bfloat16')",
}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_estimators_work_with_any_precision_that_keras_is_told(precision, tmp_path):
    # skae's own layers compute in float32. Custom layers do as Keras is told.
    code = f"""
import keras
import numpy as np
{PRECISIONS[precision]}
from skae import *

def custom(n_features, n_components):
    return keras.Sequential([
        keras.Input((n_features,)),
        keras.layers.Reshape((4, 4, 1)),
        keras.layers.Conv2D(2, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(8, "relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(n_components),
    ])

X = np.random.default_rng(0).normal(size=(300, 16)) ** 2
few = dict(hidden_layer_sizes=(8,), max_iter=2, random_state=0)
own = dict(few, skip_connections=None)
models = [
    AutoencoderTransformer(2, dropout=0.1, corruption="gaussian", **own),
    ConvolutionalAutoencoderTransformer(2, filters=4, **own),
    VariationalAutoencoderTransformer(2, **few),
    AutoencoderTransformer(2, encoder=custom, **own),
    AutoencoderTransformer(2, encoder=custom, **few),
]
for model in models:
    codes = model.fit(X).transform(X)
    atol = 0.3 if "mixed" in {precision!r} else 1e-4
    assert np.isfinite(model.loss_curve_).all() and np.isfinite(codes).all()
    exported = model.encoder_.predict(X, verbose=0)
    np.testing.assert_allclose(exported, codes, atol=atol)
print("works")
"""
    variables = {
        "KERAS_BACKEND": os.environ["KERAS_BACKEND"],
        "KERAS_HOME": str(tmp_path),
        # Without it JAX turns float64 into float32 and warns.
        "JAX_ENABLE_X64": str(int(precision == "float64")),
    }
    result = run(code, timeout=300, **variables)
    assert result.stdout.split() == ["works"], result.stderr


QUIET = """
import os, pickle
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skae import AutoencoderTransformer

X = np.random.default_rng(0).normal(size=(40, 4))
autoencoder = AutoencoderTransformer(
    2, hidden_layer_sizes=(4,), max_iter=2, early_stopping=False, random_state=0
)
pickle.loads(pickle.dumps(autoencoder.fit(X))).transform(X)
pipeline = make_pipeline(autoencoder, LogisticRegression())
grid = {"autoencodertransformer__alpha": [0, 0.1]}
search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, refit=False)
search.fit(X, X[:, 0] > 0)
assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ
"""


EARLY_NOTE = re.compile("oneDNN custom operations|before absl::InitializeLog")


@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_nothing_is_printed(backend, tmp_path):
    # What libraries in C++ write reaches these pipes, too, also from worker processes.
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    variables = {"KERAS_BACKEND": backend, "KERAS_HOME": str(tmp_path)}
    result = run(QUIET, timeout=300, **variables)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    lines = result.stderr.splitlines()
    if backend == "tensorflow":
        # It writes these before it reads the level of its log.
        lines = [line for line in lines if not EARLY_NOTE.search(line)]
    assert lines == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other notes elsewhere")
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow")
def test_the_level_that_the_user_sets_for_the_log_of_tensorflow_counts(tmp_path):
    code = "from skae import _keras; _keras.ops"
    variables = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(tmp_path)}
    result = run(code, TF_CPP_MIN_LOG_LEVEL="0", **variables)
    assert "cpu_feature_guard" in result.stderr
