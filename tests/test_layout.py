"""Stored estimators of older layouts are read, and those of newer ones are refused."""

import copy
import pickle

import numpy as np
import pytest
from conftest import LAYOUT_0, loaded

from skae import __version__, _layout

WITHOUT_VERSION = "detector", "imputer"


@pytest.mark.parametrize("name", LAYOUT_0)
def test_layout_0_is_read(name):
    """It was written before layouts had numbers, with NumPy 1.26."""
    part = LAYOUT_0[name]
    assert b"_skae_layout" not in part["stored"]
    estimator = loaded(part["stored"])
    found = getattr(estimator, part["method"])(part["rows"])
    np.testing.assert_allclose(found, part["expected"], rtol=1e-5, atol=1e-5)
    # From now on it is stored in the present layout.
    again = pickle.dumps(estimator)
    assert b"_skae_layout" in again
    assert vars(loaded(again)).keys() == vars(estimator).keys()


def test_batches_continue_from_layout_0():
    part = LAYOUT_0["batches"]
    estimator = loaded(part["stored"])
    seen = estimator.n_samples_seen_
    estimator.partial_fit(part["rows"])
    assert estimator.n_samples_seen_ == seen + len(part["rows"])


@pytest.mark.parametrize("name", WITHOUT_VERSION)
def test_a_state_without_a_version_warns(name):
    estimator = loaded(LAYOUT_0[name]["stored"])
    state = estimator.__getstate__()
    del state["_skae_layout"]
    again = type(estimator)()
    with pytest.warns(UserWarning, match="stored by skae an unknown version and is"):
        again.__setstate__(state)
    assert vars(again).keys() == vars(estimator).keys()


@pytest.mark.parametrize("name", LAYOUT_0)
def test_a_newer_layout_is_refused(name, monkeypatch):
    estimator = loaded(LAYOUT_0[name]["stored"])
    monkeypatch.setattr(_layout, "LAYOUT", 7)
    monkeypatch.setattr(_layout, "__version__", "9.8.7")
    newer = pickle.dumps(estimator)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="by skae 9.8.7 in layout 7") as refused:
        pickle.loads(newer)
    assert f"skae {__version__} reads the layouts 0 to 1" in str(refused.value)
    assert "Install skae 9.8.7 or later, or fit the estimator" in str(refused.value)


def test_a_newer_layout_is_refused_before_its_new_classes_are_missed(monkeypatch):
    estimator = loaded(LAYOUT_0["dense"]["stored"])
    monkeypatch.setattr(_layout, "LAYOUT", 7)
    newer = pickle.dumps(estimator).replace(b"NetworkCodec", b"RenamedCodec")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="in layout 7"):
        pickle.loads(newer)


def test_copies_do_not_warn():
    estimator = loaded(LAYOUT_0["dense"]["stored"])
    assert vars(copy.deepcopy(estimator)).keys() == vars(estimator).keys()
