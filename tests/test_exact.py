"""Products that decide are not rounded on any device."""

import jax
import jax.numpy as jnp
import pytest

from skae._training._jax_exact import exact


@pytest.mark.parametrize("setting", [None, "bfloat16", "tensorfloat32"])
def test_products_are_of_whole_numbers_whatever_jax_is_set_to(setting):
    def product(left, right):
        return left @ right

    rows = jnp.ones((3, 3), jnp.float32)
    with jax.default_matmul_precision(setting):
        assert "HIGHEST" in exact(product).lower(rows, rows).as_text()
        assert "HIGHEST" not in jax.jit(product).lower(rows, rows).as_text()
        assert jax.config.jax_default_matmul_precision == setting
