"""Nodes of an ONNX graph, written one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import numpy_helper
from onnx.helper import np_dtype_to_tensor_dtype

_AXES_ARE_INPUTS = 18
"""Operator set from which a reduction takes its axes as an input."""


class Graph:
    """A graph in the making. Values are known by their names.

    Parameters
    ----------
    scope : skl2onnx Scope
        Gives names that no other value has.

    container : skl2onnx ModelComponentContainer
        Takes the nodes.
    """

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(self, operator: str, *inputs: str | np.ndarray, **attributes: Any) -> str:
        """Add a node, and return the name of its output.

        Parameters
        ----------
        operator : str
            Name of the ONNX operator.

        *inputs : str or ndarray
            Names of values, or constants.

        **attributes
            Of the operator.
        """
        output = self._scope.get_unique_variable_name("skae")
        self._write(operator, inputs, output, attributes)
        return output

    def cast(self, value: str, dtype: Any) -> str:
        """Return the value in another dtype."""
        return self.node("Cast", value, to=np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def affine(self, values: str, kernel: np.ndarray, bias: np.ndarray) -> str:
        """Return ``values @ kernel + bias``."""
        return self.node("Add", self.node("MatMul", values, kernel), bias)

    def squared_lengths(self, values: str, width: int, dtype: Any) -> str:
        """Return the sum of the squares of each row, as a column."""
        # A product with ones is the same in all operator sets. A reduction is not.
        squares = self.node("Mul", values, values)
        return self.node("MatMul", squares, np.ones((width, 1), dtype))

    def log_sum_exp(self, values: str) -> str:
        """Return the logarithm of the sum of exponentials of each row, as a column."""
        if self._container.target_opset >= _AXES_ARE_INPUTS:
            return self.node("ReduceLogSumExp", values, np.array([1]), keepdims=1)
        return self.node("ReduceLogSumExp", values, axes=[1], keepdims=1)

    def end(self, value: str, output: str) -> None:
        """Give a value the name of an output of the converted estimator."""
        self._write("Identity", (value,), output, {})

    def _write(self, operator: str, inputs: Any, output: str, attributes: dict) -> None:
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        name = self._scope.get_unique_operator_name(f"skae_{operator}")
        self._container.add_node(operator, names, [output], name=name, **attributes)

    def _constant(self, array: np.ndarray) -> str:
        name = self._scope.get_unique_variable_name("skae_constant")
        tensor = numpy_helper.from_array(np.ascontiguousarray(array), name)
        self._container.add_initializer(
            name, tensor.data_type, list(array.shape), tensor
        )
        return name
