"""Nodes of an ONNX graph, written as arithmetic, and the layers of networks in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import numpy_helper
from onnx.helper import np_dtype_to_tensor_dtype

from .._networks import ConvolutionalLayers, DenseLayers, NetworkSpec

_AXES_ARE_INPUTS = 18
"""Operator set from which a reduction takes its axes as an input."""

_HINT = (
    "Save its Keras models instead, by encoder_.export(path, format='onnx') and "
    "decoder_.export(path, format='onnx')."
)


class Graph:
    """A graph in the making. As ``ops`` it does with values what NumPy does.

    Parameters
    ----------
    scope : skl2onnx Scope
        Gives names that no other value has.

    container : skl2onnx ModelComponentContainer
        Takes the nodes.
    """

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(
        self, operator: str, *inputs: Value | np.ndarray, **attributes: Any
    ) -> Value:
        """Add a node, and return its output, in the dtype of its first input.

        Parameters
        ----------
        operator : str
            Name of the ONNX operator.

        *inputs : Value or ndarray
            Values and constants.

        **attributes
            Of the operator.
        """
        output = self._scope.get_unique_variable_name("skae")
        self._write(operator, inputs, [output], attributes)
        return Value(self, output, inputs[0].dtype)

    def trees(self, value: Value, **attributes: Any) -> Value:
        """Return the sum of what trees say of each row, as a column."""
        output = self._scope.get_unique_variable_name("skae")
        attributes["op_domain"] = "ai.onnx.ml"
        self._write("TreeEnsembleRegressor", (value,), [output], attributes)
        return Value(self, output, np.float32)

    def smallest(self, value: Value, count: int) -> list[Value]:
        """Return the smallest numbers of each row, in increasing order, as columns."""
        names = [self._scope.get_unique_variable_name("skae") for _ in range(2)]
        inputs = value, np.array([count])
        self._write("TopK", inputs, names, {"axis": 1, "largest": 0})
        found = Value(self, names[0], value.dtype)
        return [found @ column[:, None] for column in np.eye(count)]

    def end(self, value: Value, output: str) -> None:
        """Give a value the name of an output of the converted estimator."""
        self._write("Identity", (value,), [output], {})

    def square(self, value: Value) -> Value:
        """Return the square of each number."""
        return value * value

    def maximum(self, least: Any, value: Any) -> Value:
        """Return the larger of a number and each number of a value, in any order."""
        if isinstance(least, Value):
            least, value = value, least
        return self.node("Max", value, np.array([least], value.dtype))

    def sum(self, value: Value, axis: int, keepdims: bool) -> Value:
        """Return the sum of each row, as a column."""
        return self._reduced("ReduceSum", value, since=13)

    def log_sum_exp(self, value: Value) -> Value:
        """Return the logarithm of the sum of exponentials of each row, as a column."""
        return self._reduced("ReduceLogSumExp", value, since=_AXES_ARE_INPUTS)

    def _reduced(self, operator: str, value: Value, since: int) -> Value:
        if self._container.target_opset >= since:
            return self.node(operator, value, np.array([1]), keepdims=1)
        return self.node(operator, value, axes=[1], keepdims=1)

    def _write(
        self, operator: str, inputs: Any, outputs: list[str], attributes: dict
    ) -> None:
        names = [
            one.name if isinstance(one, Value) else self._of(one) for one in inputs
        ]
        name = self._scope.get_unique_operator_name(f"skae_{operator}")
        self._container.add_node(operator, names, outputs, name=name, **attributes)

    def _of(self, array: np.ndarray) -> str:
        name = self._scope.get_unique_variable_name("skae_constant")
        tensor = numpy_helper.from_array(np.ascontiguousarray(array), name)
        self._container.add_initializer(
            name, tensor.data_type, list(array.shape), tensor
        )
        return name


@dataclass(frozen=True)
class Value:
    """A value of a graph, in two dimensions. Arithmetic with it adds nodes.

    Parameters
    ----------
    graph : Graph
        Where it is.

    name : str
        What it is called there.

    dtype : dtype
        Of its numbers.
    """

    graph: Graph
    name: str
    dtype: Any

    def cast(self, dtype: Any) -> Value:
        """Return the value in another dtype."""
        if np.dtype(dtype) == np.dtype(self.dtype):
            return self
        kind = np_dtype_to_tensor_dtype(np.dtype(dtype))
        name = self.graph.node("Cast", self, to=kind).name
        return Value(self.graph, name, dtype)

    def __add__(self, other: Any) -> Value:
        return self._with("Add", other)

    def __sub__(self, other: Any) -> Value:
        return self._with("Sub", other)

    def __mul__(self, other: Any) -> Value:
        return self._with("Mul", other)

    def __truediv__(self, other: Any) -> Value:
        return self._with("Div", other)

    def __matmul__(self, other: Any) -> Value:
        return self._with("MatMul", other)

    def __rsub__(self, other: Any) -> Value:
        return self.graph.node("Sub", self._constant(other), self)

    def _with(self, operator: str, other: Any) -> Value:
        other = other if isinstance(other, Value) else self._constant(other)
        return self.graph.node(operator, self, other)

    def _constant(self, number: Any) -> np.ndarray:
        return np.asarray(number, self.dtype)


def _leaky_relu(graph: Graph, hidden: Value) -> Value:
    # ONNX Runtime has no operator for it in float64.
    return graph.node("Max", hidden, hidden * 0.2)


def _silu(graph: Graph, hidden: Value) -> Value:
    # ONNX Runtime 1.20 fuses a product with a sigmoid, also in float64, and then has no
    # operator for it.
    return hidden / (graph.node("Exp", graph.node("Neg", hidden)) + 1)


def _gelu(graph: Graph, hidden: Value) -> Value:
    return hidden * (graph.node("Erf", hidden * math.sqrt(0.5)) + 1) * 0.5


def _operator(name: str) -> Callable[[Graph, Value], Value]:
    return lambda graph, hidden: graph.node(name, hidden)


ACTIVATIONS: dict[Any, Callable[[Graph, Value], Value]] = {
    None: lambda graph, hidden: hidden,
    "linear": lambda graph, hidden: hidden,
    "elu": _operator("Elu"),
    "gelu": _gelu,
    "leaky_relu": _leaky_relu,
    "relu": _operator("Relu"),
    "selu": _operator("Selu"),
    "sigmoid": _operator("Sigmoid"),
    "silu": _silu,
    "softplus": _operator("Softplus"),
    "softsign": _operator("Softsign"),
    "swish": _silu,
    "tanh": _operator("Tanh"),
}
"""Keras' activations by name."""


def activated(hidden: Value, activation: Any) -> Value:
    """Return the activation of hidden values."""
    if not isinstance(activation, str | None) or activation not in ACTIVATIONS:
        known = sorted(name for name in ACTIVATIONS if name)
        raise NotImplementedError(
            f"The activation {activation!r} has no ONNX converter. Those that have one "
            f"are {known}. Train with one of them, or keep the estimator. {_HINT}"
        )
    return ACTIVATIONS[activation](hidden.graph, hidden)


class Network:
    """An encoder or a decoder as nodes.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    side : {"encoder", "decoder"}
        Which of the two.

    weights : list of ndarray
        The trainable weights in Keras' order.
    """

    def __init__(self, spec: NetworkSpec, side: str, weights: list[np.ndarray]) -> None:
        self._spec, self._side = spec, side
        self._left: Iterator[np.ndarray] = iter(weights)

    def __call__(self, inputs: Value) -> Value:
        """Return the codes of rows, or the rows of codes."""
        layers = getattr(self._spec, self._side)
        if isinstance(layers, DenseLayers):
            return self._last(self._hidden(layers, inputs), inputs)
        if isinstance(layers, ConvolutionalLayers):
            convolve = self._encoded if self._side == "encoder" else self._decoded
            return convolve(layers, inputs)
        raise NotImplementedError(
            f"The {self._side} is a Keras network of your own. skae writes only its "
            f"own layers to ONNX. {_HINT}"
        )

    def _hidden(self, layers: DenseLayers, inputs: Value) -> Value:
        hidden = inputs
        for depth in range(len(layers.sizes)):
            if depth and layers.see_inputs:
                hidden = inputs.graph.node("Concat", hidden, inputs, axis=1)
            hidden = activated(self._affine(hidden), layers.activation)
        return hidden

    def _last(self, hidden: Value, inputs: Value) -> Value:
        """Return the last layer's output, with the linear path."""
        if not self._spec.linear_path:
            return self._affine(hidden)
        linear = self._affine(inputs)
        return linear if hidden == inputs else linear + hidden @ next(self._left)

    def _encoded(self, layers: ConvolutionalLayers, rows: Value) -> Value:
        cells = layers.cells()
        hidden = _as_images(rows, layers.image_shape)
        for depth, one in enumerate(layers.convolutions):
            begin, end = [], []
            for before, after, window, step in zip(
                *(cells[depth], cells[depth + 1], one.kernel_size, one.strides),
                strict=True,
            ):
                margin = max((after - 1) * step + window - before, 0)
                begin.append(margin // 2)
                end.append(margin - margin // 2)
            kernel, bias = next(self._left), next(self._left)
            hidden = rows.graph.node(
                *("Conv", hidden, kernel.transpose(3, 2, 0, 1), bias),
                strides=one.strides,
                pads=[*begin, *end],
            )
            hidden = activated(hidden, layers.dense_layers.activation)
        hidden = _as_rows(hidden, (*cells[-1], layers.convolutions[-1].filters))
        return self._last(self._hidden(layers.dense_layers, hidden), rows)

    def _decoded(self, layers: ConvolutionalLayers, codes: Value) -> Value:
        cells, activation = layers.cells(), layers.dense_layers.activation
        hidden = self._affine(self._hidden(layers.dense_layers, codes))
        hidden = activated(hidden, activation)
        hidden = _as_images(hidden, (*cells[-1], layers.convolutions[-1].filters))
        for depth in reversed(range(len(layers.convolutions))):
            one = layers.convolutions[depth]
            begin, end = [], []
            for before, after, window, step in zip(
                *(cells[depth + 1], cells[depth], one.kernel_size, one.strides),
                strict=True,
            ):
                # Keras' padding "same", and then the cropping.
                same, extra = window - step, before * step - after
                begin.append(same // 2 + extra // 2)
                end.append(same - same // 2 + extra - extra // 2)
            inputs: list[Value | np.ndarray] = [hidden]
            inputs.append(next(self._left).transpose(3, 2, 0, 1))
            is_correction = depth == 0 and self._spec.linear_path
            if not is_correction:
                inputs.append(next(self._left))
            hidden = codes.graph.node(
                "ConvTranspose", *inputs, strides=one.strides, pads=[*begin, *end]
            )
            if depth:
                hidden = activated(hidden, activation)
        rows = _as_rows(hidden, layers.image_shape)
        return rows + self._affine(codes) if self._spec.linear_path else rows

    def _affine(self, values: Value) -> Value:
        return values @ next(self._left) + next(self._left)


def _as_images(rows: Value, shape: tuple[int, ...]) -> Value:
    """Return rows as images. Their channels come first, as ONNX wants them."""
    images = rows.graph.node("Reshape", rows, np.array([-1, *shape]))
    return rows.graph.node("Transpose", images, perm=[0, 3, 1, 2])


def _as_rows(images: Value, shape: tuple[int, ...]) -> Value:
    """Return images as rows. Their channels come last, as in Keras."""
    images = images.graph.node("Transpose", images, perm=[0, 2, 3, 1])
    return images.graph.node("Reshape", images, np.array([-1, math.prod(shape)]))
