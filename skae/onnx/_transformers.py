"""Converters of the transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    guess_numpy_type,
)
from sklearn.utils.validation import check_is_fitted

from ._codecs import decoded, encoded
from ._graph import Graph

METHODS = ("transform", "reconstruct", "inverse_transform")
"""Which method of the estimator the graph computes."""


def transformer_shapes(operator: Any) -> None:
    """Check the input of a transformer, and set the type of its output."""
    estimator = operator.raw_operator
    check_is_fitted(estimator)
    method = _method(operator.scope_inst, estimator)
    n_features, n_components = estimator.n_features_in_, estimator.n_components_
    n_inputs = n_components if method == "inverse_transform" else n_features
    n_outputs = n_components if method == "transform" else n_features
    n_rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = checked_type(operator, n_inputs)([n_rows, n_outputs])


def convert_transformer(scope: Any, operator: Any, container: Any) -> None:
    """Write a transformer."""
    estimator = operator.raw_operator
    graph = Graph(scope, container)
    values, dtype = entered(graph, operator)
    method, codec = _method(container, estimator), estimator._codec
    if method != "inverse_transform":
        values = encoded(graph, codec, values, dtype)
    if method != "transform":
        values = decoded(graph, codec, values, dtype)
    graph.end(values, operator.outputs[0].full_name)


def checked_type(operator: Any, width: int) -> Any:
    """Return the type of tensors that the converted estimator returns.

    Raises
    ------
    ValueError
        If the input has another number of columns than ``width``.
    """
    given = operator.inputs[0].type
    shape = given.shape
    if len(shape) == 2 and isinstance(shape[1], int) and shape[1] not in (0, width):
        raise ValueError(
            f"The ONNX input of {type(operator.raw_operator).__name__} must have "
            f"{width} columns. Got {shape[1]} instead."
        )
    is_double = isinstance(given, DoubleTensorType)
    return DoubleTensorType if is_double else FloatTensorType


def entered(graph: Graph, operator: Any) -> tuple[str, Any]:
    """Return the input and its dtype. Integers become float32."""
    given = operator.inputs[0]
    name, is_double = given.full_name, isinstance(given.type, DoubleTensorType)
    dtype = np.float64 if is_double else np.float32
    if guess_numpy_type(given.type) != dtype:
        name = graph.cast(name, dtype)
    return name, dtype


def _method(options_of: Any, estimator: Any) -> str:
    return options_of.get_options(estimator, {"method": METHODS[0]})["method"]
