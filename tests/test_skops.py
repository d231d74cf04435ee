"""Files of skops: which types they need, and what is refused."""

import dataclasses
import pathlib
import pickle
import re
import zipfile

import numpy as np
import pytest
from conftest import LAYOUT_0, loaded
from sklearn.base import clone

from skae import AutoencoderTransformer, _layout
from skae._imputation import Correction
from skae._networks import CustomLayers
from skae.outliers import AutoencoderOutlierDetector

skops = pytest.importorskip("skops.io", reason="skops is not installed")
from skops.io.exceptions import UntrustedTypesFoundException  # noqa: E402

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "shipping.md"


def listed():
    """Return the types that docs/shipping.md lists."""
    section = PAGE.read_text().split("### skops")[1].split("\n#")[0]
    return re.findall(r"^skae\.\S+$", section, re.MULTILINE)


def unpickled(name):
    return loaded(LAYOUT_0[name]["stored"])


@pytest.mark.parametrize("name", LAYOUT_0)
def test_a_file_with_the_listed_types_is_loaded(name, tmp_path):
    estimator, part = unpickled(name), LAYOUT_0[name]
    skops.dump(estimator, tmp_path / "estimator.skops")
    loaded = skops.load(tmp_path / "estimator.skops", trusted=listed())
    assert vars(loaded).keys() == vars(estimator).keys()
    found = getattr(loaded, part["method"])(part["rows"])
    expected = getattr(estimator, part["method"])(part["rows"])
    np.testing.assert_array_equal(found, expected)


def build(n_features, n_components):
    """Stand for a function of the user's."""


def with_custom_layers(network):
    """Return a network as if ``build`` had built its encoder."""
    network = unpickled(network)
    codec = network._codec
    spec = dataclasses.replace(codec.spec, encoder=CustomLayers(build))
    network._codec = dataclasses.replace(codec, spec=spec)
    return network


def test_the_list_holds_exactly_the_types_that_files_name():
    X = np.random.RandomState(0).normal(size=(60, 6))
    linear = AutoencoderTransformer(2, hidden_layer_sizes=())
    labelled = AutoencoderTransformer(2, hidden_layer_sizes=(), target_weight=0.5)
    imputer = unpickled("imputer")
    imputer._correction = Correction(
        unpickled("dense")._codec.spec, [], 1.0, np.ones(6)
    )
    estimators = [
        *map(unpickled, LAYOUT_0),
        labelled.partial_fit(X, X[:, 0] > 0, [False, True]),
        AutoencoderOutlierDetector(linear, bandwidth=0.5, random_state=0).fit(X),
        imputer,
        clone(linear).fit(np.where(X > 2, np.nan, X)),
        with_custom_layers("dense"),
    ]
    found = set()
    for estimator in estimators:
        found |= set(skops.get_untrusted_types(data=skops.dumps(estimator)))
    found.remove(f"{__name__}.build")
    assert listed() == sorted(found)


def test_functions_of_the_user_are_not_trusted():
    data = skops.dumps(with_custom_layers("dense"))
    with pytest.raises(UntrustedTypesFoundException, match=f"{__name__}.build"):
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
    skops.dump(unpickled("dense"), path)
    for module, name in (("os", "system"), ("skae._environment", "os")):

        def change(member, content, module=module, name=name):
            if member != "schema.json":
                return content
            assert b'"skae._data._scaling"' in content
            content = content.replace(b'"Scaling"', f'"{name}"'.encode())
            return content.replace(b'"skae._data._scaling"', f'"{module}"'.encode())

        changed(path, tampered, change)
        assert f"{module}.{name}" in skops.get_untrusted_types(file=tampered)
        with pytest.raises(UntrustedTypesFoundException, match=f"{module}.{name}"):
            skops.load(tampered, trusted=listed())


def test_nothing_in_a_file_runs(tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "estimator.skops"
    # That a pickle would run it is the reason for this test.
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists()
    trace.unlink()

    skops.dump(unpickled("dense"), path)

    def with_pickle(member, content):
        if not member.endswith(".npy"):
            return content
        array = np.empty(1, object)
        array[0] = Payload(trace)
        np.save(tmp_path / "array.npy", array, allow_pickle=True)
        return (tmp_path / "array.npy").read_bytes()

    changed(path, tmp_path / "tampered.skops", with_pickle)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        skops.load(tmp_path / "tampered.skops", trusted=listed())
    assert not trace.exists()


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "estimator.skops"
    skops.dump(unpickled("dense"), path)
    content = bytearray(path.read_bytes())
    place = content.index(b"\x93NUMPY") + 140
    content[place] ^= 255
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        skops.load(path, trusted=listed())


def test_a_newer_layout_is_refused(monkeypatch):
    estimator = unpickled("detector")
    monkeypatch.setattr(_layout, "LAYOUT", 7)
    newer = skops.dumps(estimator)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="in layout 7"):
        skops.loads(newer, trusted=listed())
