"""Data, estimators and helper functions that several tests share."""

import copy
import os
import pickle
import random
import subprocess
import sys
import warnings

# The workers of pytest-xdist share the cores, so each of them gets one thread. joblib
# does the same for its workers.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Many tests compare results with Keras models. By default a GPU may round the factors
# of matrix products to ten bits.
os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "float32")

# Some tests import Keras before skae does.
os.environ.setdefault("KERAS_BACKEND", "jax")

# Figures are drawn in memory.
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.exceptions import InconsistentVersionWarning

from skae import AutoencoderTransformer

# Most of the time goes into compilation. With these flags XLA compiles small programs
# in half the time, and they run as fast.
QUICK_XLA = "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false"


def pytest_configure():
    """Set flags of XLA, if this version knows them. Another one ends the process."""
    if "XLA_FLAGS" in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
        return
    done = run("import jax; jax.numpy.ones(1) + 1", XLA_FLAGS=QUICK_XLA)
    if done.returncode == 0:
        os.environ["XLA_FLAGS"] = QUICK_XLA


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark weekly tests as slow. Skip those of JAX on other backends of Keras."""
    for item in items:
        if "weekly" in item.keywords:
            item.add_marker("slow")
    name = os.environ["KERAS_BACKEND"]
    if name != "jax":
        skip = pytest.mark.skip(reason=f"runs on JAX only, and Keras runs on {name}")
        for item in items:
            if "jax" in item.keywords:
                item.add_marker(skip)


def pytest_terminal_summary(terminalreporter):
    """Print how many of scikit-learn's estimator checks ran."""
    ran = {
        outcome: sum(
            "test_estimator_checks" in report.nodeid
            for report in terminalreporter.stats.get(outcome, [])
            if getattr(report, "when", "call") in ("call", "setup")
        )
        for outcome in ("passed", "failed", "skipped", "xfailed")
    }
    if any(ran.values()):
        terminalreporter.write_line(f"scikit-learn estimator checks: {ran}")


@pytest.fixture(scope="session")
def digits():
    """Return 1797 images of digits: 64 pixels each, values from 0 to 16."""
    X = load_digits().data
    X.flags.writeable = False
    return X


@pytest.fixture(scope="session")
def wine():
    """Return a data frame of 178 wines and 13 measurements in different units."""
    return load_wine(as_frame=True).data


@pytest.fixture(scope="session")
def network(digits):
    """Return an estimator that was fitted to digits and kept its network."""
    fitted = small_network().fit(digits)
    assert fitted.score(digits) > 0.5  # PCA explains 0.40
    return fitted


@pytest.fixture
def close_figures():
    """Close all figures of matplotlib after the test."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture
def one_thread():
    """Compute collections of Dask in this thread."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def unchanged_globals():
    """Fail a test that changes what is global in the process."""
    import keras

    # To copy an optimizer, Keras imports TensorFlow, if it is there. That sets
    # variables.
    copy.deepcopy(keras.optimizers.Adam())

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


def images(n_components=2, **parameters):
    """Return an estimator for rows that are images, or lines of pixels."""
    return AutoencoderTransformer(n_components, **{"image_shape": "auto", **parameters})


def on_grid(values):
    """Round to multiples of 2^-16, as training does. This removes rounding errors."""
    return np.rint(values * 2.0**16).astype(np.float32) / np.float32(2**16)


def small_network(**parameters):
    """Return an estimator that beats PCA on digits in about a second."""
    return AutoencoderTransformer(
        **{
            "n_components": 3,
            "hidden_layer_sizes": (32,),
            "max_iter": 15,
            "random_state": 0,
            **parameters,
        }
    )


def run(code, timeout=120, **environment):
    """Run code in a fresh process. One that takes too long fails the test."""
    # An import of JAX sets the second one.
    ours = "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL"
    variables = {k: v for k, v in os.environ.items() if k not in ours}
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True,
        text=True,
        env={**variables, **environment},
        check=False,
        timeout=timeout,
    )


def loaded(pickled):
    """Load a pickle of other versions. That results may differ is known here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        warnings.filterwarnings("ignore", "This .* was stored by skae")
        return pickle.loads(pickled)


def dense_spec(n_features, n_components, sizes, activation="relu", **parameters):
    """Return the spec of a dense network. By default it has a linear path."""
    from skae._networks import DenseLayers, NetworkSpec

    layer_parameters = {
        name: parameters.pop(name)
        for name in ("dropout", "see_inputs")
        if name in parameters
    }
    layers = DenseLayers(sizes, activation, **layer_parameters)
    networks = {"encoder": layers, "decoder": layers, **parameters}
    return NetworkSpec(n_features, n_components, **networks)


@pytest.fixture(scope="session")
def curve():
    """Return points near a curve in four dimensions. One component describes them."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, size=(400, 1))
    X = np.hstack([t, t**2, np.sin(4 * t), np.cos(4 * t)])
    return X + 0.01 * rng.normal(size=X.shape)


def in_numpy(function, *arrays):
    """Return, as an array of NumPy, what a function of tensors makes of arrays."""
    from skae import _keras as keras

    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    return keras.ops.convert_to_numpy(function(*tensors))
