"""The rows of a batch, shared between several devices."""

from __future__ import annotations

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..._data import Batch

FEWEST_ROWS = 1024
"""Rows for each device from which on a batch is shared. With few rows the exchange of
gradients takes longer than the step. The limit is a guess, not measured."""


def over_devices(batch: Batch) -> Batch:
    """Return a batch, inside a compiled function, with its rows on all devices.

    JAX then computes with the rows where they are, and adds up the gradients. A batch
    with few rows for each device stays as it is, and so does one whose rows cannot be
    shared equally. Nothing is shared inside ``jax.default_device``, either.
    """
    devices = jax.local_devices()
    n_rows, n_devices = batch.n_rows, len(devices)
    chosen = jax.config.jax_default_device  # type: ignore[attr-defined]
    if n_devices == 1 or chosen is not None:
        return batch
    if n_rows % n_devices or n_rows < FEWEST_ROWS * n_devices:
        return batch
    by_row = NamedSharding(Mesh(np.array(devices), ("rows",)), PartitionSpec("rows"))
    return batch.map(lambda part: jax.lax.with_sharding_constraint(part, by_row))
