"""Arrays of NumPy as tensors on Keras' device, and back."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from ... import _keras as keras


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
    array = np.asarray(array)
    # As on JAX, unless it is told otherwise.
    dtype = np.float32 if array.dtype == np.float64 else array.dtype
    return torch.tensor(array.astype(dtype, copy=False), device=device())
