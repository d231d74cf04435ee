"""The display of an estimator imports no backend and builds no model."""

import joblib
import pytest
from conftest import run, small_network

SHOW = """
import sys, joblib
for fitted in joblib.load({path!r}):
    assert "n_components" in repr(fitted)
    assert "<" in fitted._repr_html_()
    assert "text/plain" in fitted._repr_mimebundle_()
assert not {{"keras", "jax", "tensorflow", "torch"}} & sys.modules.keys()
"""


def test_displays_import_neither_keras_nor_a_backend(network, digits, tmp_path):
    compiled = small_network(max_iter=1, activation="gelu", skip_connections=None)
    pca = small_network(hidden_layer_sizes=())
    estimators = network, compiled.fit(digits[:200]), pca.fit(digits)
    joblib.dump(estimators, tmp_path / "estimators")
    result = run(SHOW.format(path=str(tmp_path / "estimators")))
    assert result.returncode == 0, result.stderr


def test_displays_build_no_keras_model(digits):
    fitted = small_network(hidden_layer_sizes=()).fit(digits)
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
