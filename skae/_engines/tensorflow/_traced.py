"""Functions of tensors, traced once for each shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from .._keras_engine import as_on_jax


class Traced:
    """A function of nested arrays, as one graph for each combination of shapes.

    ``tf.function`` warns of many shapes. Here each one is wanted.

    Parameters
    ----------
    function : callable
        Takes and returns nested tensors.

    compiled : bool
        Whether XLA compiles the graph.
    """

    def __init__(self, function: Callable, compiled: bool) -> None:
        self._function = tf.function(function, autograph=False, jit_compile=compiled)
        self._graphs: dict[Any, Callable] = {}

    def __call__(self, *arrays: Any) -> Any:
        """Return what the function returns."""
        arguments = tensors(arrays)
        leaves = tf.nest.flatten(arguments)
        shapes = tuple(
            None if leaf is None else (tuple(leaf.shape), leaf.dtype) for leaf in leaves
        )
        if shapes not in self._graphs:
            self._graphs[shapes] = self._function.get_concrete_function(*arguments)
        return self._graphs[shapes](*arguments)


def tensors(arrays: Any) -> Any:
    """Return nested arrays and numbers as tensors. None stays None."""
    return tf.nest.map_structure(_tensor, arrays)


def _tensor(array: Any) -> Any:
    if array is None or tf.is_tensor(array):
        return array
    if isinstance(array, int):
        return tf.constant(array, tf.int32)
    return tf.convert_to_tensor(as_on_jax(array))
