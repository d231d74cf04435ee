"""Large batches are shared between the devices that JAX has."""

import pytest
from conftest import run

pytestmark = pytest.mark.jax

CODE = """
import jax, keras, numpy as np
from sklearn.datasets import load_digits
from skae import AutoencoderTransformer
from skae._data import Batch
from skae._engines.jax._devices import FEWEST_ROWS, over_devices

assert len(jax.devices()) == 2
found = {}
for n_rows in (2 * FEWEST_ROWS, 2 * FEWEST_ROWS + 1, 2 * FEWEST_ROWS - 2):
    rows = np.zeros((n_rows, 3), np.float32)
    shared = jax.jit(lambda rows: over_devices(Batch(rows)).input + 1)(rows)
    found[n_rows] = len(shared.devices())
assert list(found.values()) == [2, 1, 1], found

X = np.resize(load_digits().data, (4500, 64))
X += np.random.default_rng(0).normal(size=X.shape)

def losses(**parameters):
    n_devices = []
    def look(*_):
        n_devices.append(max(len(one.devices()) for one in jax.live_arrays()))
    model = AutoencoderTransformer(
        3, hidden_layer_sizes=(16,), max_iter=3, random_state=0, **parameters
    ).set_callbacks(keras.callbacks.LambdaCallback(on_epoch_end=look)).fit(X)
    curves = model.loss_curve_ + model.validation_loss_curve_
    return max(n_devices), np.array(curves)

for parameters in (
    dict(batch_size=2 * FEWEST_ROWS),
    dict(batch_size=2 * FEWEST_ROWS, dropout=0.2, corruption="masking"),
):
    with jax.default_device(jax.devices()[0]):
        n_devices, expected = losses(**parameters)
    assert n_devices == 1
    n_devices, found = losses(**parameters)
    assert n_devices == 2
    np.testing.assert_allclose(found, expected, rtol=1e-5)
n_devices, _ = losses(batch_size=512)
assert n_devices == 1
print("ok")
"""


def test_losses_on_two_devices_are_those_on_one(tmp_path):
    result = run(
        CODE,
        XLA_FLAGS="--xla_force_host_platform_device_count=2 "
        "--xla_backend_optimization_level=0",
        KERAS_HOME=str(tmp_path),
        KERAS_BACKEND="jax",
    )
    assert result.stdout == "ok\n", result.stderr
