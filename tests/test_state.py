"""Files of estimators: what is in them, which versions load, and what is refused."""

import copy
import functools
import importlib
import io
import pathlib
import pickle
import pickletools
import re
import zipfile
from importlib import metadata

import joblib
import numpy as np
import pytest
from conftest import run
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from skae import (
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
    __version__,
    _state,
)
from skae import _keras as keras
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

skops = pytest.importorskip("skops.io", reason="skops is not installed")
from skops.io.exceptions import UntrustedTypesFoundException  # noqa: E402

ROOT = pathlib.Path(__file__).parents[1]

SMALL = dict(hidden_layer_sizes=(16,), max_iter=25, random_state=0)
# Fewer programs to compile: no rows are held out.
SHORT = {**SMALL, "early_stopping": False}


def own_encoder(n_features, n_components):
    """Return an encoder of the user's."""
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(n_components)]
    return keras.Sequential(layers)


def rows():
    """Return points near a curve in four dimensions. One component describes them."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, size=(400, 1))
    X = np.hstack([t, t**2, np.sin(4 * t), np.cos(4 * t)])
    return X + 0.01 * rng.normal(size=X.shape)


X = rows()
Y = np.digitize(X[:, 0], [-0.3, 0.3])
WITH_MISSING = np.where(np.random.default_rng(1).uniform(size=X.shape) < 0.1, np.nan, X)


def autoencoder(**parameters):
    return AutoencoderTransformer(1, **{**SHORT, **parameters})


def in_batches():
    fitted = autoencoder(max_iter=1)
    for _ in range(40):
        fitted.partial_fit(X[:200]).partial_fit(X[200:])
    return fitted


def over_sampler():
    imbalance = pytest.importorskip("skae.imbalance")
    fitted = imbalance.AutoencoderOverSampler(autoencoder(), random_state=0)
    fitted.fit_resample(X, Y > 0)
    return fitted


FITS = {
    "PCA": lambda: autoencoder(hidden_layer_sizes=()).fit(X),
    "whitened PCA": lambda: autoencoder(hidden_layer_sizes=(), whiten=True).fit(X),
    "covariates": lambda: autoencoder(hidden_layer_sizes=(), target_weight=0.5).fit(
        X, Y
    ),
    "dense": lambda: autoencoder(early_stopping=True).fit(X),
    "whitened": lambda: autoencoder(whiten=True).fit(X),
    "labels": lambda: autoencoder(target_weight=0.5).fit(X, Y),
    "missing values": lambda: autoencoder().fit(WITH_MISSING),
    "density": lambda: autoencoder(density=GaussianMixture(2, random_state=0)).fit(X),
    "batches": in_batches,
    "PCA in batches": lambda: autoencoder(hidden_layer_sizes=()).partial_fit(X),
    "own network": lambda: autoencoder(encoder=own_encoder).fit(X),
    "images": lambda: autoencoder(image_shape=(2, 2), filters=4).fit(X),
    "variational": lambda: VariationalAutoencoderTransformer(
        1, **{**SHORT, "max_iter": 60}
    ).fit(X),
    "imputer": lambda: AutoencoderImputer(**SMALL).fit(WITH_MISSING),
    "detector": lambda: AutoencoderOutlierDetector(
        autoencoder(), bandwidth=0.5, random_state=0
    ).fit(X),
    "over-sampler": over_sampler,
}
SLOW = "own network", "images", "variational"
NETWORKS = set(FITS) - {"PCA", "whitened PCA", "covariates", "PCA in batches"}


@functools.cache
def fitted_as(name):
    """Return one of the estimators, fitted."""
    fitted = FITS[name]()
    kept = getattr(fitted, "estimator_", fitted).selected_model_
    assert kept == ("network" if name in NETWORKS else "linear")
    return fitted


EACH = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in FITS
]


@pytest.fixture(params=EACH)
def fitted(request):
    return fitted_as(request.param)


def results(estimator):
    """Return all that an estimator computes, by the name of the method."""
    if hasattr(estimator, "sampling_strategy_"):
        estimator = estimator.estimator_
    given = WITH_MISSING if hasattr(estimator, "corrected_features_") else X
    found = {
        name: getattr(estimator, name)(given[:30])
        for name in ("transform", "reconstruct", "score", "score_samples", "predict")
        if hasattr(estimator, name)
    }
    if hasattr(estimator, "inverse_transform"):
        found["inverse_transform"] = estimator.inverse_transform(found["transform"])
        found["sample"] = estimator.sample(5, random_state=0)
        found["components"] = estimator.components_
    return found


def trusted():
    """Return the types of skae in files, and the user's function in one of them."""
    return [*listed(), "skae.imbalance.AutoencoderOverSampler", OF_THE_USER]


def listed():
    """Return the types that docs/shipping.md lists."""
    section = (ROOT / "docs" / "shipping.md").read_text().split("### skops")[1]
    return re.findall(r"^skae\.\S+$", section.split("\n#")[0], re.MULTILINE)


OF_THE_USER = f"{__name__}.own_encoder"


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


def through_memory_map(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib", mmap_mode="r")


def through_skops(estimator, folder):
    skops.dump(estimator, folder / "estimator.skops")
    return skops.load(folder / "estimator.skops", trusted=trusted())


COPIES = {
    "pickle": lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
    "joblib": through_joblib,
    "memory map": through_memory_map,
    "skops": through_skops,
    "deepcopy": lambda estimator, folder: copy.deepcopy(estimator),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_stored_estimator_computes_the_same_bits(how, fitted, tmp_path):
    again = COPIES[how](fitted, tmp_path)
    unbuilt = {"encoder_", "decoder_"}
    assert vars(again).keys() == vars(fitted).keys() - unbuilt
    found, expected = results(again), results(fitted)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_memory_maps_are_read_only(tmp_path):
    mapped = through_memory_map(fitted_as("dense"), tmp_path)
    assert isinstance(mapped._model.scaling.mean, np.memmap)
    assert not mapped._model.scaling.mean.flags.writeable


@pytest.mark.parametrize("name", EACH)
def test_a_file_of_skops_names_only_public_classes(name):
    data = skops.dumps(fitted_as(name))
    types = set(skops.get_untrusted_types(data=data)) - {OF_THE_USER}
    assert types
    for path in types:
        assert re.fullmatch(r"skae(\.[a-z]+)?\.[A-Z][A-Za-z]+", path)
        module, _, name_of_class = path.rpartition(".")
        assert name_of_class in importlib.import_module(module).__all__


@pytest.mark.slow
def test_docs_list_exactly_the_types_that_files_name():
    found = set()
    for name in set(FITS) - {"over-sampler"}:
        data = skops.dumps(fitted_as(name))
        found |= set(skops.get_untrusted_types(data=data))
    assert sorted(found - {OF_THE_USER}) == sorted(listed())


def private_names(pickled):
    """Return the private names of skae in a pickle."""
    texts = [text for _, text, _ in pickletools.genops(pickled)]
    return [text for text in texts if str(text).startswith("skae._")]


def test_a_pickle_names_nothing_private(fitted):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert not private_names(pickle.dumps(fitted, protocol))


def test_private_names_would_be_found():
    model = fitted_as("dense")._model
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert private_names(pickle.dumps(model, protocol))


@pytest.mark.parametrize("name", ["PCA", "dense", "missing values", "labels"])
def test_a_pickle_holds_only_objects_of_skae_and_numpy(name):
    modules = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module, name):
            modules.add(module.split(".")[0])
            return super().find_class(module, name)

    Recorder(io.BytesIO(pickle.dumps(fitted_as(name)))).load()
    assert modules == {"skae", "numpy"}


@pytest.mark.parametrize(("n_components", "sizes"), [(24, ()), (4, (32,))])
def test_a_pickle_is_about_as_large_as_the_weights(n_components, sizes, digits):
    """It holds neither rows, which would be larger, nor Keras models."""
    fitted = AutoencoderTransformer(
        n_components,
        hidden_layer_sizes=sizes,
        max_iter=8,
        early_stopping=False,
        random_state=0,
    ).fit(np.tile(digits[:300], 5))
    assert fitted.selected_model_ == ("network" if sizes else "linear")
    before = len(pickle.dumps(fitted))
    n_weights = fitted.encoder_.count_params() + fitted.decoder_.count_params()
    assert len(pickle.dumps(fitted)) == before < 1.2 * 4 * n_weights


@pytest.mark.slow
def test_a_new_process_computes_the_same_bits_without_keras(tmp_path):
    """NumPy alone computes networks of tables, for few and for many rows."""
    names = "PCA", "whitened", "labels", "missing values", "variational"
    stored = {name: fitted_as(name) for name in names}
    joblib.dump((stored, X), tmp_path / "estimators.joblib")
    code = f"""
import sys, joblib
stored, X = joblib.load({str(tmp_path / "estimators.joblib")!r})
found = {{
    name: [estimator.transform(X), estimator.reconstruct(X[:1])]
    for name, estimator in stored.items()
}}
assert not {{"keras", "jax", "tensorflow", "torch"}} & sys.modules.keys()
joblib.dump(found, {str(tmp_path / "found.joblib")!r})
"""
    result = run(code)
    assert result.returncode == 0, result.stderr
    for name, (codes, row) in joblib.load(tmp_path / "found.joblib").items():
        np.testing.assert_array_equal(codes, stored[name].transform(X))
        np.testing.assert_array_equal(row, stored[name].reconstruct(X[:1]))


def test_warm_start_continues_after_unpickling():
    fitted = autoencoder(warm_start=True, max_iter=5).fit(X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.fit(X).transform(X), fitted.fit(X).transform(X))


def stored_by(
    monkeypatch, estimator, dumps, number=_state.FORMAT_VERSION, version="9.8.7"
):
    """Return a file as another version of skae would write it."""
    with monkeypatch.context() as patch:
        patch.setattr(_state, "FORMAT_VERSION", number)
        patch.setattr(_state, "__version__", version)
        return dumps(estimator)


@pytest.mark.parametrize(
    "name", ["PCA", "dense", "imputer", "detector", "over-sampler"]
)
def test_a_newer_format_is_refused(name, monkeypatch):
    fitted = fitted_as(name)
    newest = _state.FORMAT_VERSION
    message = (
        rf"by skae 9\.8\.7 in format version {newest + 1}\. The installed skae "
        rf"{re.escape(__version__)} reads format versions up to {newest}\. Install the "
        "skae that stored it, or fit the estimator again"
    )
    newer = stored_by(monkeypatch, fitted, pickle.dumps, newest + 1)
    with pytest.raises(ValueError, match=message):
        pickle.loads(newer)
    newer = stored_by(monkeypatch, fitted, skops.dumps, newest + 1)
    with pytest.raises(ValueError, match=message):
        skops.loads(newer, trusted=trusted())


def test_a_newer_format_is_refused_before_its_objects_are_built():
    fitted = fitted_as("dense")
    state = fitted.__getstate__()
    state["_skae_format"] += 1
    assert state["_model"]["skae_kind"] == "network model"
    state["_model"] = {"skae_kind": "network model", "a new field": 3}
    again = clone(fitted)
    before = vars(again).copy()
    with pytest.raises(ValueError, match="format version 2"):
        again.__setstate__(state)
    assert vars(again) == before


@pytest.mark.parametrize("name", ["PCA", "imputer", "detector"])
def test_a_state_without_a_format_version_is_refused(name):
    fitted = fitted_as(name)
    state = fitted.__getstate__()
    del state["_skae_format"]
    with pytest.raises(ValueError, match=f"by skae {re.escape(__version__)} in format"):
        clone(fitted).__setstate__(state)
    del state["_skae_version"]
    with pytest.raises(ValueError, match="by skae before 0.1.0 in format version None"):
        clone(fitted).__setstate__(state)


@pytest.mark.parametrize("name", ["PCA", "dense", "imputer", "detector"])
@pytest.mark.parametrize("is_fitted", [True, False])
def test_a_file_of_another_version_warns(is_fitted, name, monkeypatch):
    model = fitted_as(name)
    if not is_fitted:
        model = clone(model)
    other = stored_by(monkeypatch, model, pickle.dumps, version="0.0.1")
    with pytest.warns(UserWarning, match="stored by skae 0.0.1 and is loaded by skae"):
        again = pickle.loads(other)
    assert vars(again).keys() == vars(model).keys()
    # The suite turns warnings into errors: what the installed version stores is silent.
    again = pickle.loads(pickle.dumps(again))
    assert vars(again).keys() == vars(model).keys()


def test_the_version_is_that_of_the_installed_package():
    assert __version__ == metadata.version("skae")


def test_plain_data_are_what_objects_are_made_of_again():
    model = fitted_as("labels")._model
    plain = _state.to_plain({"one": [model, (1, "two")], "other": None})

    def kinds(value):
        if isinstance(value, dict):
            return {type(value)}.union(*map(kinds, value.values()))
        if isinstance(value, list | tuple):
            return {type(value)}.union(*map(kinds, value))
        return {type(value)}

    simple = {dict, list, tuple, str, int, float, bool, type(None), np.ndarray}
    assert kinds(plain) <= {*simple, np.float64}
    again = _state.from_plain(plain)
    assert again["one"][1] == (1, "two")
    np.testing.assert_array_equal(again["one"][0].encode(X), model.encode(X))


@pytest.mark.slow
def test_functions_of_the_user_are_not_trusted():
    data = skops.dumps(fitted_as("own network"))
    with pytest.raises(UntrustedTypesFoundException, match=OF_THE_USER):
        skops.loads(data, trusted=listed())


class Payload:
    """Leaves a trace where a pickle of it is loaded."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return pathlib.Path.touch, (self.trace,)


def changed(data, path, change):
    """Write a file of skops anew. ``change`` gets each member's name and bytes."""
    with (
        zipfile.ZipFile(path, "w") as new,
        zipfile.ZipFile(data) as old,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def test_a_file_that_names_another_type_is_refused(tmp_path):
    path, tampered = tmp_path / "estimator.skops", tmp_path / "tampered.skops"
    skops.dump(fitted_as("PCA"), path)
    for module, name in (("os", "system"), ("skae._environment", "os")):

        def change(member, content, module=module, name=name):
            if member != "schema.json":
                return content
            own = b'"AutoencoderTransformer"'
            assert content.count(own) == content.count(b'"skae"') == 1
            content = content.replace(own, f'"{name}"'.encode())
            return content.replace(b'"skae"', f'"{module}"'.encode())

        changed(path, tampered, change)
        assert f"{module}.{name}" in skops.get_untrusted_types(file=tampered)
        with pytest.raises(UntrustedTypesFoundException, match=f"{module}.{name}"):
            skops.load(tampered, trusted=trusted())


def test_nothing_in_a_file_runs(tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "estimator.skops"
    # That a pickle would run it is the reason for this test.
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists()
    trace.unlink()

    skops.dump(fitted_as("PCA"), path)

    def with_pickle(member, content):
        if not member.endswith(".npy"):
            return content
        array = np.empty(1, object)
        array[0] = Payload(trace)
        np.save(tmp_path / "array.npy", array, allow_pickle=True)
        return (tmp_path / "array.npy").read_bytes()

    changed(path, tmp_path / "tampered.skops", with_pickle)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        skops.load(tmp_path / "tampered.skops", trusted=trusted())
    assert not trace.exists()


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "estimator.skops"
    skops.dump(fitted_as("PCA"), path)
    content = bytearray(path.read_bytes())
    place = content.index(b"\x93NUMPY") + 140
    content[place] ^= 255
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        skops.load(path, trusted=trusted())
