"""What is global in a process stays as it was."""

import os
import signal
import threading

import pytest
from conftest import run

from skae._environment import environment, interrupts_deferred

NOTHING_CHANGES = """
import os, random
import numpy as np
{imports}
from skae import *

def state():
    return random.getstate(), np.random.get_state()[1].tolist(), dict(os.environ)

X = np.random.default_rng(0).normal(size=(40, 16))
random.seed(3), np.random.seed(3)
before = state()
{code}
print(*(was == now for was, now in zip(before, state())))
"""


@pytest.mark.parametrize(
    ("estimator", "variables"),
    [
        ("AutoencoderTransformer(hidden_layer_sizes=(8,), dropout=0.1)", {}),
        (
            "AutoencoderTransformer(optimizer='adafactor', activation='gelu')",
            {"KERAS_BACKEND": "jax", "NPROC": "1"},
        ),
        ("ConvolutionalAutoencoderTransformer(filters=4, hidden_layer_sizes=(8,))", {}),
    ],
)
def test_the_first_fit_changes_no_generator_and_no_variable(
    estimator, variables, tmp_path
):
    code = f"""
fitted = {estimator}.set_params(max_iter=1, random_state=0).fit(X)
fitted.transform(X), fitted.encoder_, fitted.sample(2, random_state=0)
"""
    result = run(
        NOTHING_CHANGES.format(imports="", code=code),
        **variables,
        KERAS_HOME=str(tmp_path),
    )
    assert result.stdout.split() == ["True"] * 3, result.stderr


def test_loading_and_using_a_pickle_changes_no_generator_and_no_variable(tmp_path):
    code = """
import pickle
model = AutoencoderTransformer(2, hidden_layer_sizes=(8,), max_iter=1, random_state=0)
pickle.loads(pickle.dumps(model.partial_fit(X))).partial_fit(X).transform(X)
"""
    result = run(
        NOTHING_CHANGES.format(imports="", code=code), KERAS_HOME=str(tmp_path)
    )
    assert result.stdout.split() == ["True"] * 3, result.stderr


def test_callbacks_change_no_generator_and_no_variable(tmp_path):
    pytest.importorskip(
        "sklearn.callback", reason="callbacks came with scikit-learn 1.9"
    )
    code = """
monitor = ScoringMonitor(scoring={"score": lambda model, X, y: model.score(X)})
model = AutoencoderTransformer(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)
model.set_callbacks(monitor).fit(X, X[:, 0])
"""
    # scikit-learn imports rich, if that is installed, and rich draws a number.
    imports = "from sklearn.callback import ScoringMonitor"
    result = run(
        NOTHING_CHANGES.format(imports=imports, code=code), KERAS_HOME=str(tmp_path)
    )
    assert result.stdout.split() == ["True"] * 3, result.stderr


def test_after_an_import_of_scikit_learn_importing_skae_draws_nothing():
    # scikit-learn imports rich, if that is installed, and rich draws a number.
    code = """
import random
import sklearn.pipeline
random.seed(3)
before = random.getstate()
import skae
print(random.getstate() == before)
"""
    result = run(code)
    assert result.stdout.split() == ["True"], result.stderr


@pytest.mark.parametrize("failure", [None, ZeroDivisionError])
def test_variables_are_put_back(failure, monkeypatch):
    monkeypatch.setenv("SKAE_GIVEN", "mine")
    monkeypatch.setenv("SKAE_REMOVED", "mine")
    monkeypatch.delenv("SKAE_NEW", raising=False)
    before = dict(os.environ)
    try:
        with environment(SKAE_GIVEN="other", SKAE_NEW="new", SKAE_UNKNOWN=None):
            assert os.environ["SKAE_GIVEN"] == "mine"
            assert os.environ["SKAE_NEW"] == "new"
            assert "SKAE_UNKNOWN" not in os.environ
            # A library that is imported inside may do anything.
            os.environ["SKAE_GIVEN"] = os.environ["SKAE_OTHER"] = "other"
            del os.environ["SKAE_REMOVED"]
            if failure:
                raise failure
    except ZeroDivisionError:
        pass
    assert dict(os.environ) == before


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
from skae import AutoencoderTransformer

def interrupt():
    # The import of JAX is under way, and takes a second from here.
    while "jax" not in sys.modules:
        time.sleep(1e-4)
    os.kill(os.getpid(), signal.SIGINT)

model = AutoencoderTransformer(2, hidden_layer_sizes=(8,), max_iter=2, random_state=0)
X = np.random.default_rng(0).normal(size=(60, 6))
threading.Thread(target=interrupt).start()
try:
    model.fit(X)
except KeyboardInterrupt:
    print("interrupted", hasattr(model, "n_features_in_"))
handler = signal.getsignal(signal.SIGINT)
print(handler is signal.default_int_handler)
print(np.isfinite(model.fit(X).transform(X)).all())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_an_interrupted_import_of_keras_can_be_repeated(tmp_path):
    result = run(INTERRUPTED, KERAS_HOME=str(tmp_path))
    expected = ["interrupted", "False", "True", "True"]
    assert result.stdout.split() == expected, result.stderr


@pytest.fixture
def interruptible():
    """Handle interrupts as Python does. A process in the background ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_an_interrupt_waits_until_the_end(interruptible):
    reached = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            reached.append("end")
        reached.append("after")
    assert reached == ["end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with interrupts_deferred():
        pass  # without an interrupt nothing is raised


def test_only_the_main_thread_handles_signals():
    handlers = []

    def other():
        with interrupts_deferred():
            handlers.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert handlers == [before]
