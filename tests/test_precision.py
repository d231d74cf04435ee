"""Held-out losses are computed in full float32 precision on every device."""

import jax
import jax.numpy as jnp
import pytest

from skae._engines.jax._precision import in_full_precision


@pytest.mark.parametrize("setting", [None, "bfloat16", "tensorfloat32"])
def test_matrix_products_have_full_precision_with_any_setting_of_jax(setting):
    def product(left, right):
        return left @ right

    rows = jnp.ones((3, 3), jnp.float32)
    with jax.default_matmul_precision(setting):
        assert "HIGHEST" in in_full_precision(product).lower(rows, rows).as_text()
        assert "HIGHEST" not in jax.jit(product).lower(rows, rows).as_text()
        assert jax.config.jax_default_matmul_precision == setting
