"""Compiled inference gives the results of the Keras models, block by block."""

import numpy as np
import pytest
from test_forward import keras_results, random_model

from skae._inference._compiled import FEW, MANY
from skae._networks import ConvolutionalLayers, DenseLayers, convolutions


def image_layers(shape):
    """Return two convolutional layers, so that the second has several channels."""
    found = convolutions(shape, [3, 2], [3, 2], [2, 1])
    return ConvolutionalLayers(shape, found, DenseLayers((7,), "silu"))


NETWORKS = {
    "dense": {"activation": "gelu"},
    # So large a network needs no branch around the linear model.
    "large": {"activation": "gelu", "sizes": (64, 32)},
    "images": {"encoder": image_layers((4, 3, 1)), "decoder": image_layers((4, 3, 1))},
    "variational": {
        "bounded": False,
        "activation": "gelu",
        "likelihood": "bernoulli",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_blocks_of_any_size_equal_keras(network):
    model, rows = random_model(**NETWORKS[network])
    assert not model.spec.runs_in_numpy
    # Rows near the mean are inside the bounds, the last row is far outside.
    inside = model.scaling.mean + 0.2 * (rows - model.scaling.mean)
    rows = np.concatenate([inside[: 2 * MANY + 1], 1e3 * rows[-1:]])
    atol = 2e-5 + 1e-6 * np.abs(rows).max()
    codes, decoded = keras_results(model, rows)
    np.testing.assert_allclose(model.encode(rows), codes, atol=atol)
    np.testing.assert_allclose(model.decode(codes), decoded, atol=atol)
    for n_rows in (1, FEW, FEW + 1, MANY):
        some = slice(len(rows) - n_rows, len(rows))
        np.testing.assert_allclose(model.encode(rows[some]), codes[some], atol=atol)
        np.testing.assert_allclose(model.decode(codes[some]), decoded[some], atol=atol)
