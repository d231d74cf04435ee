"""Arrays of NumPy as tensors on Keras' device, and back."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from ... import _keras as keras
from .._keras_engine import as_on_jax


@cache
def device() -> torch.device:
    """Return the device that Keras chose."""
    return keras.ops.convert_to_tensor(0.0).device


def tensors(arrays: Any) -> Any:
    """Return nested arrays and numbers as tensors on the device. None stays None."""
    return keras.tree.map_structure(_tensor, arrays)


def fetched(arrays: Any) -> Any:
    """Return nested tensors as arrays of their own."""
    return keras.tree.map_structure(
        lambda array: np.array(array.cpu() if torch.is_tensor(array) else array), arrays
    )


def _tensor(array: Any) -> Any:
    if array is None or torch.is_tensor(array):
        return array
    return torch.tensor(as_on_jax(array), device=device())
