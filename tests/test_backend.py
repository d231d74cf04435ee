"""The Keras backend, and the effects of imports on a process."""

import os

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


def test_jax_is_the_default_backend_and_no_environment_variable_is_set(tmp_path):
    code = FIT + "import os; print('KERAS_BACKEND' in os.environ)"
    result = run(code, KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["jax", "False"], result.stderr


@pytest.mark.parametrize("order", ["before", "after"])
def test_keras_may_be_imported_before_or_after_skae(order, tmp_path):
    code = "import keras\n" + FIT if order == "before" else FIT
    result = run(code, KERAS_BACKEND="jax", KERAS_HOME=str(tmp_path))
    assert result.stdout.split() == ["jax"], result.stderr


def test_another_backend_raises_an_error_that_says_what_to_set(tmp_path):
    # The NumPy backend is part of Keras. Here it represents all backends except JAX.
    result = run(FIT, KERAS_BACKEND="numpy", KERAS_HOME=str(tmp_path))
    assert "Keras runs on 'numpy' here. Set KERAS_BACKEND=jax before" in result.stderr


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
