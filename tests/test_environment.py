"""What is global in a process stays as it was."""

import os
import signal
import sys
import threading

import pytest
from conftest import run

from skae import show_versions
from skae._environment import environment, interrupts_deferred

WATCH = """
import os, random, warnings
import numpy as np

def state():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        dict(os.environ),
        list(warnings.filters),
    )

def report(name):
    kept = (was == now for was, now in zip(before, state()))
    print(name, *kept, sep=",", flush=True)

X = np.random.default_rng(0).normal(size=(40, 16))
small = dict(hidden_layer_sizes=(4,), max_iter=1, random_state=0)

def watch():
    global before
    random.seed(3), np.random.seed(3)
    before = state()
"""

FIRST_FIT = f"""
{WATCH}
import pickle
from skae import AutoencoderTransformer

watch()
table = AutoencoderTransformer(dropout=0.1, **small).fit(X)
report("first fit")
table.transform(X), table.encoder_, table.sample(2, random_state=0)
report("use of the fitted network")
images = AutoencoderTransformer(image_shape="auto", filters=2, **small).fit(X)
images.transform(X), images.encoder_
report("images")
model = AutoencoderTransformer(**small)
pickle.loads(pickle.dumps(model.partial_fit(X))).partial_fit(X).transform(X)
report("pickle")
"""

GIVEN_VARIABLES = f"""
# scikit-learn imports rich, if that is installed, and rich draws a number.
import sklearn.pipeline
try:
    from sklearn.callback import ScoringMonitor
except ImportError:  # scikit-learn < 1.9
    ScoringMonitor = None
{WATCH}
watch()
from skae import AutoencoderTransformer
report("import")
small.update(optimizer="adafactor", activation="gelu")
AutoencoderTransformer(**small).fit(X)
report("first fit")
if ScoringMonitor is not None:
    monitor = ScoringMonitor(scoring={{"score": lambda model, X, y: model.score(X)}})
    AutoencoderTransformer(**small).set_callbacks(monitor).fit(X, X[:, 0])
report("callbacks")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "variables", "steps"),
    [
        (FIRST_FIT, {}, ["first fit", "use of the fitted network", "images", "pickle"]),
        pytest.param(
            GIVEN_VARIABLES,
            {"KERAS_BACKEND": "jax", "NPROC": "1"},
            ["import", "first fit", "callbacks"],
            marks=pytest.mark.weekly,
        ),
    ],
    ids=["no variables", "variables of the user"],
)
def test_no_generator_variable_or_filter_of_warnings_changes(
    code, variables, steps, tmp_path
):
    result = run(code, **variables, KERAS_HOME=str(tmp_path))
    expected = [f"{step},True,True,True,True" for step in steps]
    assert result.stdout.splitlines() == expected, result.stderr


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

model = AutoencoderTransformer(2, hidden_layer_sizes=(4,), max_iter=1, random_state=0)
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


@pytest.mark.slow
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


def test_versions_are_printed_and_nothing_is_imported():
    result = run(
        """
import sys, skae
skae.show_versions()
assert not {"keras", "jax", "tensorflow", "torch"} & sys.modules.keys()
import numpy, sklearn, keras
print(sys.version.split()[0], numpy.__version__, sklearn.__version__, keras.__version__)
""",
        KERAS_BACKEND="jax",
    )
    assert result.returncode == 0, result.stderr
    *printed, expected = result.stdout.splitlines()
    lines = dict(line.strip().split(": ", 1) for line in printed if ": " in line)
    names = "python", "numpy", "scikit-learn", "keras"
    assert [lines[name].split()[0] for name in names] == expected.split()
    assert lines["backend"] == "jax (the variable KERAS_BACKEND names it)"
    assert lines["KERAS_BACKEND"] == "jax"


def test_versions_are_printed_where_no_backend_is_installed(monkeypatch, capsys):
    monkeypatch.setattr("skae._environment.find_spec", lambda name: None)
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    show_versions()
    assert "backend: none is installed" in capsys.readouterr().out
