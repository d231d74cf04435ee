"""The display of an estimator imports no backend and builds no model."""

import subprocess
import sys

import joblib
import pytest
from conftest import small_network

SHOW = """
import sys, joblib
for path in sys.argv[1:]:
    fitted = joblib.load(path)
    assert "n_components" in repr(fitted)
    assert "<" in fitted._repr_html_()
    assert {"text/plain"} <= fitted._repr_mimebundle_().keys()
print({"keras", "jax"} & set(sys.modules))
"""


def test_displays_import_neither_keras_nor_jax(digits, tmp_path):
    estimators = {
        "dense": small_network(max_iter=2),
        "compiled": small_network(max_iter=2, activation="gelu"),
        "pca": small_network(hidden_layer_sizes=()),
    }
    paths = []
    for name, estimator in estimators.items():
        joblib.dump(estimator.fit(digits), path := str(tmp_path / name))
        paths.append(path)
    result = subprocess.run(
        [sys.executable, "-c", SHOW, *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "set()", result.stderr


def test_displays_build_no_keras_model(digits):
    fitted = small_network(max_iter=2).fit(digits)
    fitted._repr_html_()
    assert not {"encoder_", "decoder_"} & vars(fitted).keys()
    assert "encoder_" not in dir(fitted)
    model = fitted.encoder_
    assert "encoder_" in dir(fitted)
    assert fitted.encoder_ is model


def test_unfitted_estimators_have_no_components():
    with pytest.raises(AttributeError, match="is not fitted yet"):
        _ = small_network().components_
    assert "n_components" in small_network()._repr_html_()
