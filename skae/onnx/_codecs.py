"""Codecs as nodes: from rows to codes and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data import Scaling
from .._model import TINY, Box, Codec, LinearCodec, NetworkCodec
from ._graph import Graph
from ._layers import Network, activated


def encoded(graph: Graph, codec: Codec, rows: str, dtype: Any) -> str:
    """Return the codes of rows, in the ``dtype`` of the rows."""
    if isinstance(codec, LinearCodec):
        return _linearly_encoded(graph, codec, rows, dtype)
    assert isinstance(codec, NetworkCodec)
    working, transform = _working_dtype(codec, dtype), codec.transform
    values = _in_network_units(graph, codec, rows, working)
    network = Network(
        graph, codec.spec, "encoder", codec.weights["encoder"][0], working
    )
    codes = _continued(
        graph, network, values, codec.bounds.rows, codec.bounds.down, working
    )
    centred = graph.node("Sub", codes, transform.offset.astype(working))
    codes = graph.node("MatMul", centred, transform.matrix.astype(working))
    return graph.cast(codes, dtype)


def decoded(graph: Graph, codec: Codec, codes: str, dtype: Any) -> str:
    """Return the rows of codes, in the ``dtype`` of the codes."""
    if isinstance(codec, LinearCodec):
        return _linearly_decoded(graph, codec, codes, dtype)
    assert isinstance(codec, NetworkCodec)
    working, transform, spec = _working_dtype(codec, dtype), codec.transform, codec.spec
    values = graph.affine(
        # As in skae, networks see codes as float32.
        graph.cast(graph.cast(codes, np.float32), working),
        transform.inverse.astype(working),
        transform.offset.astype(working),
    )
    network = Network(graph, spec, "decoder", codec.weights["decoder"][0], working)
    bounds = codec.bounds
    rows = _continued(graph, network, values, bounds.codes, bounds.components, working)
    rows = activated(graph, rows, spec.final_activation, working)
    rows = _in_data_units(graph, codec.scaling, graph.cast(rows, np.float64))
    return graph.cast(rows, dtype)


def _linearly_encoded(graph: Graph, codec: LinearCodec, rows: str, dtype: Any) -> str:
    axes = codec.components.T if codec.projection is None else codec.projection
    centred = graph.node("Sub", rows, codec.mean.astype(dtype))
    codes = graph.node("MatMul", centred, axes.astype(dtype))
    if codec.deviations is None:
        return codes
    return graph.node("Div", codes, codec.deviations.astype(dtype))


def _linearly_decoded(graph: Graph, codec: LinearCodec, codes: str, dtype: Any) -> str:
    if codec.deviations is not None:
        codes = graph.node("Mul", codes, codec.deviations.astype(dtype))
    return graph.affine(codes, codec.components.astype(dtype), codec.mean.astype(dtype))


def _working_dtype(codec: NetworkCodec, dtype: Any) -> Any:
    """Return the dtype in which the network computes.

    As in skae, only what NumPy computes may be in float64. ONNX Runtime has no
    convolution in float64 either.
    """
    return dtype if codec.spec.has_numpy_forward else np.float32


def _in_network_units(graph: Graph, codec: NetworkCodec, rows: str, working) -> str:
    """Return rows centred and scaled, at first in float64.

    In float32 rows far from the origin would lose their small differences.
    """
    scaling = codec.scaling
    # As in skae, NumPy sees rows in float32 where they keep enough digits.
    rounds_first = codec.spec.has_numpy_forward and scaling.is_mild
    values = graph.cast(rows, np.float32) if rounds_first else rows
    values = graph.cast(values, np.float64)
    if scaling.mean.any():
        values = graph.node("Sub", values, scaling.mean.astype(np.float64))
    if scaling.scale != 1:
        values = graph.node("Div", values, np.array(scaling.scale, np.float64))
    if not rounds_first:
        values = graph.cast(values, np.float32)
    return graph.cast(values, working)


def _in_data_units(graph: Graph, scaling: Scaling, rows: str) -> str:
    """Return a network's rows in the data's units, in float64."""
    if scaling.scale != 1:
        rows = graph.node("Mul", rows, np.array(scaling.scale, np.float64))
    if scaling.mean.any():
        rows = graph.node("Add", rows, scaling.mean.astype(np.float64))
    return rows


def _continued(
    graph: Graph, network: Network, values: str, box: Box, outside: np.ndarray, dtype
) -> str:
    """Return the network of values, continued beyond the box: ``blend`` as nodes."""
    if np.isinf(box.high).all():
        return network(values)
    inside = graph.node("Max", values, box.low.astype(dtype))
    inside = graph.node("Min", inside, box.high.astype(dtype))
    outputs = network(inside)
    outside = outside.astype(dtype)
    linear = graph.node("MatMul", inside, outside)
    beyond = graph.node("MatMul", graph.node("Sub", values, inside), outside)
    width = outside.shape[1]
    distance = graph.squared_lengths(beyond, width, dtype)
    length = graph.squared_lengths(outputs, width, dtype)
    least, one = np.array([TINY], dtype), np.array([1], dtype)
    ratio = graph.node("Div", distance, graph.node("Max", length, least))
    share = graph.node("Max", graph.node("Sub", one, ratio), np.array([0], dtype))
    # share * outputs + (1 - share) * linear, as a sum of the linear part and a rest.
    rest = graph.node("Sub", one, share)
    blended = graph.node(
        "Add", graph.node("Mul", share, outputs), graph.node("Mul", rest, linear)
    )
    return graph.node("Add", blended, beyond)
