"""The process around skae: variables, generators, cores, versions, Keras' backend.

This is the only module that reads or sets environment variables.
"""

from __future__ import annotations

import json
import os
import platform
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np

BACKENDS = "jax", "tensorflow", "torch"
"""The backends that skae trains on. The first that is installed is the default."""

_WRITTEN_BY_KERAS = {
    "floatx": "float32",
    "epsilon": 1e-07,
    "backend": "tensorflow",
    "image_data_format": "channels_last",
}

_LIBRARIES = [
    *("skae", "numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl"),
    *("keras", "jax", "jaxlib", "tensorflow", "tensorflow-cpu", "torch"),
    *("pandas", "polars", "matplotlib", "dask", "distributed"),
    *("imbalanced-learn", "onnx", "onnxruntime", "skl2onnx", "skops"),
]
_VARIABLES = ["KERAS_BACKEND", "OMP_NUM_THREADS", "JAX_PLATFORMS", "XLA_FLAGS"]
"""What reports of bugs name."""


@contextmanager
def environment(**defaults: str | None) -> Iterator[None]:
    """Set variables that are not set, inside. Then put all variables back."""
    before = dict(os.environ)
    for name, value in defaults.items():
        if value is not None:
            os.environ.setdefault(name, value)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put the global generators of Python and NumPy back as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let an interrupt by the keyboard wait until the end."""
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    if not is_main or handler is None:
        yield
        return
    received: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *details: received.append(details))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if received and callable(handler):
        handler(*received[0])


def variable(name: str) -> str | None:
    """Return the value of an environment variable, or None."""
    return os.environ.get(name)


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return joblib.cpu_count()


class BackendChoice(NamedTuple):
    """A backend of Keras.

    Parameters
    ----------
    name : str
        "jax", "tensorflow" or "torch". Keras has others, on which skae does not train.

    reason : str
        Why it is this one.
    """

    name: str
    reason: str


def chosen_backend() -> BackendChoice:
    """Return the backend that Keras runs on, or that it would run on if it started.

    Raises
    ------
    ImportError
        If none is installed.
    """
    keras = sys.modules.get("keras")
    # While Keras is being imported, there is no configuration yet.
    config = getattr(keras, "config", None)
    if config is not None:
        return BackendChoice(config.backend(), "Keras was imported before, on it")
    name = variable("KERAS_BACKEND")
    if name:
        return BackendChoice(name, "the variable KERAS_BACKEND names it")
    path = _configuration_file()
    name = _configured(path)
    if name in BACKENDS and find_spec(name):
        return BackendChoice(name, f"the configuration file {path} names it")
    for name in BACKENDS:
        if find_spec(name):
            first = name == BACKENDS[0]
            reason = "it is the default" if first else f"{BACKENDS[0]} is not installed"
            return BackendChoice(name, reason)
    raise ImportError(
        "skae trains on Keras' JAX, TensorFlow and PyTorch backends, and none of these "
        "libraries is installed. Install one, for example by: pip install jax"
    )


def _configuration_file() -> Path:
    given = variable("KERAS_HOME")
    if given:
        return Path(given).expanduser() / "keras.json"
    home = Path.home()
    return (
        (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras" / "keras.json"
    )


def _configured(path: Path) -> str | None:
    """Return the backend of a configuration file that somebody has edited.

    Keras writes the file itself where there is none, with TensorFlow in it. That says
    nothing about what the user wants.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content == _WRITTEN_BY_KERAS:
        return None
    return content.get("backend")


def show_versions() -> None:
    """Print the versions of Python and libraries, for reports of bugs.

    It also prints the Keras backend, the number of cores, and the environment variables
    that decide about them. It imports no library.

    Examples
    --------
    >>> import skae
    >>> skae.show_versions()  # doctest: +ELLIPSIS
    System:
    ...python: 3...
    """
    try:
        backend = "{0.name} ({0.reason})".format(chosen_backend())
    except ImportError:
        backend = "none is installed"
    parts = {
        "System": {
            "python": " ".join(sys.version.split()),
            "executable": sys.executable,
            "machine": platform.platform(),
            "cores": str(n_cores()),
        },
        "Libraries": {name: _installed_version(name) for name in _LIBRARIES},
        "Keras": {
            "backend": backend,
            **{name: variable(name) or "not set" for name in _VARIABLES},
        },
    }
    for number, (title, lines) in enumerate(parts.items()):
        print("\n" * (number > 0) + f"{title}:")
        for name, value in lines.items():
            print(f"{name:>16}: {value}")


def _installed_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
