"""Held-out losses are computed in full float32 precision on every device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import dense_spec

from skae._data import Batch, Resident, Scaling
from skae._engines import HyperParameters, OptimizerSpec, engine, networks
from skae._engines.jax._precision import in_full_precision
from skae._networks import WeightScales, initial_weights
from skae._objective import Objective
from skae._objective.reconstruction import Reconstruction

pytestmark = pytest.mark.jax


@pytest.mark.parametrize("setting", [None, "bfloat16", "tensorfloat32"])
def test_matrix_products_have_full_precision_with_any_setting_of_jax(setting):
    def product(left, right):
        return left @ right

    rows = jnp.ones((3, 3), jnp.float32)
    with jax.default_matmul_precision(setting):
        assert "HIGHEST" in in_full_precision(product).lower(rows, rows).as_text()
        assert "HIGHEST" not in jax.jit(product).lower(rows, rows).as_text()
        assert jax.config.jax_default_matmul_precision == setting


def test_an_engine_evaluates_in_full_precision_and_trains_in_any():
    spec = dense_spec(4, 2, (3,))
    objective = Objective((Reconstruction.of({"loss": "mean_squared_error"}),))
    trainer = engine(spec, objective, OptimizerSpec.of("adam")[0])
    ones = WeightScales(1.0)
    weights = initial_weights(networks(spec), None, ones, np.random.RandomState(0))
    rows = Batch(np.zeros((32, 4), np.float32))
    feed = Resident.of(rows, Scaling.none(4), 32, trainer.place)
    (block,) = feed.in_order(np.arange(32))
    hyper, rates = HyperParameters(((),)), np.ones(1, np.float32)
    batches = trainer._batches
    with jax.default_matmul_precision("bfloat16"):
        evaluated = batches.evaluate.lower(block, weights, hyper).as_text()
        state, seed = trainer.init(weights), np.uint32(0)
        trained = batches.train.lower(block, state, rates, seed, hyper).as_text()
    assert "HIGHEST" in evaluated
    assert "HIGHEST" not in trained
