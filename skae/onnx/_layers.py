"""The layers of each family as nodes, with weights in Keras' order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._networks import ConvolutionalLayers, DenseLayers, NetworkSpec
from ._graph import Graph

_MEND = (
    "Save its Keras models instead, by encoder_.export(path, format='onnx') and "
    "decoder_.export(path, format='onnx')."
)


def _scalar(value: float, dtype: Any) -> np.ndarray:
    return np.array(value, dtype)


def _leaky_relu(graph: Graph, hidden: str, dtype: Any) -> str:
    # ONNX Runtime has no operator for it in float64.
    return graph.node("Max", hidden, graph.node("Mul", hidden, _scalar(0.2, dtype)))


def _silu(graph: Graph, hidden: str, dtype: Any) -> str:
    # ONNX Runtime 1.20 fuses a product with a sigmoid, also in float64, and then has no
    # operator for it.
    exponential = graph.node("Exp", graph.node("Neg", hidden))
    return graph.node("Div", hidden, graph.node("Add", exponential, _scalar(1, dtype)))


def _gelu(graph: Graph, hidden: str, dtype: Any) -> str:
    scaled = graph.node("Mul", hidden, _scalar(math.sqrt(0.5), dtype))
    twice = graph.node("Add", graph.node("Erf", scaled), _scalar(1, dtype))
    return graph.node("Mul", graph.node("Mul", hidden, twice), _scalar(0.5, dtype))


def _operator(name: str) -> Callable[[Graph, str, Any], str]:
    return lambda graph, hidden, dtype: graph.node(name, hidden)


ACTIVATIONS: dict[Any, Callable[[Graph, str, Any], str]] = {
    None: lambda graph, hidden, dtype: hidden,
    "linear": lambda graph, hidden, dtype: hidden,
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


def activated(graph: Graph, hidden: str, activation: Any, dtype: Any) -> str:
    """Return the activation of hidden values."""
    if not isinstance(activation, str | None) or activation not in ACTIVATIONS:
        known = sorted(name for name in ACTIVATIONS if name)
        raise NotImplementedError(
            f"The activation {activation!r} has no ONNX converter. Those that have one "
            f"are {known}. Train with one of them, or keep the estimator. {_MEND}"
        )
    return ACTIVATIONS[activation](graph, hidden, dtype)


class Network:
    """An encoder or a decoder as nodes.

    Parameters
    ----------
    graph : Graph
        Takes the nodes.

    spec : NetworkSpec
        The network.

    side : {"encoder", "decoder"}
        Which of the two.

    weights : list of ndarray
        The trainable weights in Keras' order.

    dtype : dtype
        Of the values.
    """

    def __init__(
        self,
        graph: Graph,
        spec: NetworkSpec,
        side: str,
        weights: list[np.ndarray],
        dtype: Any,
    ) -> None:
        self._graph, self._spec, self._side = graph, spec, side
        self._dtype = dtype
        self._left: Iterator[np.ndarray] = iter([one.astype(dtype) for one in weights])

    def __call__(self, inputs: str) -> str:
        """Return the codes of rows, or the rows of codes."""
        family = getattr(self._spec, self._side)
        if isinstance(family, DenseLayers):
            return self._dense(family, inputs)
        if isinstance(family, ConvolutionalLayers):
            convolve = self._encoded if self._side == "encoder" else self._decoded
            return convolve(family, inputs)
        raise NotImplementedError(
            f"The {self._side} is a Keras network of your own. skae writes only its "
            f"own layers to ONNX. {_MEND}"
        )

    def _dense(self, family: DenseLayers, inputs: str) -> str:
        hidden = self._hidden(family, inputs)
        return self._last(hidden, inputs)

    def _hidden(self, family: DenseLayers, inputs: str) -> str:
        hidden = inputs
        for depth in range(len(family.sizes)):
            if depth and family.see_inputs:
                hidden = self._graph.node("Concat", hidden, inputs, axis=1)
            hidden = self._activated(family, self._affine(hidden))
        return hidden

    def _last(self, hidden: str, inputs: str) -> str:
        """Return the last layer's output, with the linear path."""
        if not self._spec.linear_path:
            return self._affine(hidden)
        linear = self._affine(inputs)
        if hidden == inputs:
            return linear
        correction = self._graph.node("MatMul", hidden, next(self._left))
        return self._graph.node("Add", linear, correction)

    def _encoded(self, family: ConvolutionalLayers, rows: str) -> str:
        cells = family.cells()
        hidden = self._as_images(rows, family.image_shape)
        for depth, one in enumerate(family.convolutions):
            margins = [
                max((after - 1) * step + window - before, 0)
                for before, after, window, step in zip(
                    cells[depth],
                    cells[depth + 1],
                    one.kernel_size,
                    one.strides,
                    strict=True,
                )
            ]
            begin = [margin // 2 for margin in margins]
            end = [margin - margin // 2 for margin in margins]
            kernel, bias = next(self._left), next(self._left)
            hidden = self._graph.node(
                "Conv",
                hidden,
                kernel.transpose(3, 2, 0, 1),
                bias,
                strides=one.strides,
                pads=[*begin, *end],
            )
            hidden = self._activated(family.dense_layers, hidden)
        hidden = self._as_rows(hidden, (*cells[-1], family.convolutions[-1].filters))
        return self._last(self._hidden(family.dense_layers, hidden), rows)

    def _decoded(self, family: ConvolutionalLayers, codes: str) -> str:
        cells = family.cells()
        layers = family.dense_layers
        hidden = self._affine(self._hidden(layers, codes))
        hidden = self._activated(layers, hidden)
        hidden = self._as_images(hidden, (*cells[-1], family.convolutions[-1].filters))
        for depth in reversed(range(len(family.convolutions))):
            one = family.convolutions[depth]
            begin, end = [], []
            for before, after, window, step in zip(
                cells[depth + 1],
                cells[depth],
                one.kernel_size,
                one.strides,
                strict=True,
            ):
                # Keras' padding "same", and then the cropping.
                same, extra = window - step, before * step - after
                begin.append(same // 2 + extra // 2)
                end.append(same - same // 2 + extra - extra // 2)
            kernel = next(self._left).transpose(3, 2, 0, 1)
            inputs: list[str | np.ndarray] = [hidden, kernel]
            is_correction = depth == 0 and self._spec.linear_path
            if not is_correction:
                inputs.append(next(self._left))
            hidden = self._graph.node(
                "ConvTranspose", *inputs, strides=one.strides, pads=[*begin, *end]
            )
            if depth:
                hidden = self._activated(layers, hidden)
        rows = self._as_rows(hidden, family.image_shape)
        if not self._spec.linear_path:
            return rows
        return self._graph.node("Add", rows, self._affine(codes))

    def _activated(self, family: DenseLayers, hidden: str) -> str:
        return activated(self._graph, hidden, family.activation, self._dtype)

    def _affine(self, values: str) -> str:
        return self._graph.affine(values, next(self._left), next(self._left))

    def _as_images(self, rows: str, shape: tuple[int, ...]) -> str:
        """Return rows as images. Their channels come first, as ONNX wants them."""
        images = self._graph.node("Reshape", rows, np.array([-1, *shape]))
        return self._graph.node("Transpose", images, perm=[0, 3, 1, 2])

    def _as_rows(self, images: str, shape: tuple[int, ...]) -> str:
        """Return images as rows. Their channels come last, as in Keras."""
        images = self._graph.node("Transpose", images, perm=[0, 2, 3, 1])
        return self._graph.node("Reshape", images, np.array([-1, math.prod(shape)]))
