"""Pickled estimators are small and give identical results after loading."""

import pathlib
import pickle
import subprocess
import sys
import tomllib

import joblib
import numpy as np
import pytest
from conftest import LAYOUT_0, loaded, small_network
from sklearn.base import clone

from skae import __version__, _layout

LOADED = """
import sys
import joblib, numpy as np
estimator = joblib.load({path!r})
assert "keras" not in sys.modules and "jax" not in sys.modules
np.save({out!r}, estimator.{method}(np.load({data!r})))
# NumPy alone computes dense networks, and others for few rows.
assert "keras" not in sys.modules and "jax" not in sys.modules
"""


def weight_bytes(fitted):
    return 4 * (fitted.encoder_.count_params() + fitted.decoder_.count_params())


@pytest.mark.parametrize("hidden_layer_sizes", [(), (32,)], ids=["pca", "network"])
@pytest.mark.parametrize("save", [pickle.dumps, joblib.dump])
def test_a_pickle_is_about_as_large_as_the_weights(
    save, hidden_layer_sizes, digits, tmp_path
):
    def size(estimator):
        if save is pickle.dumps:
            return len(pickle.dumps(estimator))
        joblib.dump(estimator, tmp_path / "estimator")
        return (tmp_path / "estimator").stat().st_size

    parameters = dict(
        n_components=24, hidden_layer_sizes=hidden_layer_sizes, max_iter=9
    )
    wide = np.tile(digits, 5)
    fitted = small_network(**parameters).fit(wide)
    more = small_network(**parameters).fit(np.repeat(wide, 3, axis=0))
    assert size(more) == pytest.approx(size(fitted), rel=0.01)
    overhead = size(fitted) / weight_bytes(fitted)
    assert overhead < 1.2
    _ = fitted.encoder_, fitted.decoder_
    assert size(fitted) / weight_bytes(fitted) == pytest.approx(overhead, rel=0.01)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (32,)], ids=["pca", "network"])
def test_a_new_process_gives_identical_codes(hidden_layer_sizes, digits, tmp_path):
    fitted = small_network(hidden_layer_sizes=hidden_layer_sizes).fit(digits)
    assert_equal_in_a_new_process(fitted, "transform", digits, tmp_path)


@pytest.mark.parametrize("name", ["labelled", "convolutional", "variational"])
@pytest.mark.parametrize("method", ["transform", "reconstruct"])
def test_a_new_process_serves_few_rows_without_keras(name, method, tmp_path):
    fitted = loaded(LAYOUT_0[name]["stored"])
    rows = LAYOUT_0[name]["rows"]
    assert_equal_in_a_new_process(fitted, method, rows[:1], tmp_path)


def assert_equal_in_a_new_process(fitted, method, rows, folder):
    paths = {
        "path": str(folder / "estimator.joblib"),
        "data": str(folder / "data.npy"),
        "out": str(folder / "out.npy"),
    }
    joblib.dump(fitted, paths["path"])
    np.save(paths["data"], rows)
    code = LOADED.format(**paths, method=method)
    subprocess.run([sys.executable, "-c", code], check=True)
    found = np.load(paths["out"])
    np.testing.assert_array_equal(found, getattr(fitted, method)(rows))


def test_warm_start_continues_after_unpickling(digits):
    fitted = small_network(warm_start=True).fit(digits)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert vars(loaded).keys() == vars(fitted).keys()
    np.testing.assert_array_equal(
        loaded.fit(digits).transform(digits), fitted.fit(digits).transform(digits)
    )


def test_a_pickle_contains_only_objects_of_skae_and_numpy(network):
    modules = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module, name):
            modules.add(module.split(".")[0])
            return super().find_class(module, name)

    import io

    Recorder(io.BytesIO(pickle.dumps(network))).load()
    assert modules <= {"skae", "numpy"}


@pytest.mark.parametrize("hidden_layer_sizes", [None, (), (32,)])
def test_a_pickle_of_another_version_warns(hidden_layer_sizes, digits, monkeypatch):
    model = small_network()
    if hidden_layer_sizes is not None:
        model = small_network(hidden_layer_sizes=hidden_layer_sizes).fit(digits)
    monkeypatch.setattr(_layout, "__version__", "0.0.1")
    stored = pickle.dumps(model)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="stored by skae 0.0.1 and is loaded by skae"):
        loaded = pickle.loads(stored)
    assert vars(loaded).keys() == vars(model).keys()
    # The suite turns warnings into errors: these do not warn.
    again = clone(pickle.loads(pickle.dumps(loaded)))
    assert again.get_params() == model.get_params()


def test_the_version_is_that_of_the_installed_package():
    project = pathlib.Path(__file__).parents[1] / "pyproject.toml"
    stated = tomllib.loads(project.read_text())["project"]["version"]
    assert __version__ == stated


@pytest.mark.parametrize("name", ["dense", "PCA", "convolutional", "imputer"])
def test_arrays_that_are_mapped_into_memory_give_the_same_results(name, tmp_path):
    """They are read-only."""
    part = LAYOUT_0[name]
    estimator = loaded(part["stored"])
    joblib.dump(estimator, tmp_path / "estimator.joblib")
    mapped = joblib.load(tmp_path / "estimator.joblib", mmap_mode="r")
    if name == "imputer":
        holder = mapped._units
    else:
        holder = mapped._codec if name == "PCA" else mapped._codec.scaling
    assert isinstance(holder.mean, np.memmap)
    assert not holder.mean.flags.writeable
    for method in {part["method"], "transform", "reconstruct"} & set(dir(mapped)):
        found = getattr(mapped, method)(part["rows"])
        expected = getattr(estimator, method)(part["rows"])
        np.testing.assert_array_equal(found, expected)
