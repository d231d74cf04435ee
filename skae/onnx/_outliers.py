"""Converter of the outlier detector."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from skl2onnx.common.data_types import Int64TensorType
from sklearn.utils.validation import check_is_fitted

from .._outliers import LOG_2_PI, CodeDensity, RowDensity
from .._variational import VariationalAutoencoderTransformer
from ._codecs import decoded, encoded
from ._graph import Graph
from ._transformers import checked_type, entered

_DOUBLE = np.float64
"""As in skae, scores are computed in float64: residuals are small differences."""


def detector_shapes(operator: Any) -> None:
    """Check the input of a detector, and set the types of its labels and scores."""
    detector = operator.raw_operator
    check_is_fitted(detector)
    if isinstance(detector.estimator_, VariationalAutoencoderTransformer):
        raise NotImplementedError(
            "AutoencoderOutlierDetector has no ONNX converter if its estimator is a "
            "VariationalAutoencoderTransformer. Use another autoencoder, or keep the "
            "detector."
        )
    n_rows = operator.inputs[0].get_first_dimension()
    kind = checked_type(operator, detector.n_features_in_)
    operator.outputs[0].type = Int64TensorType([n_rows, 1])
    operator.outputs[1].type = kind([n_rows, 1])


def convert_detector(scope: Any, operator: Any, container: Any) -> None:
    """Write a detector: what ``predict`` and ``decision_function`` return."""
    detector = operator.raw_operator
    graph = Graph(scope, container)
    rows, dtype = entered(graph, operator)
    scores = _log_density(graph, detector._density, graph.cast(rows, _DOUBLE))
    decision = graph.node("Sub", scores, np.array([detector.offset_]))
    is_outlier = graph.cast(graph.node("Less", decision, np.array([0.0])), np.int64)
    one, two = np.array([1]), np.array([2])
    labels = graph.node("Sub", one, graph.node("Mul", is_outlier, two))
    graph.end(labels, operator.outputs[0].full_name)
    graph.end(graph.cast(decision, dtype), operator.outputs[1].full_name)


def _log_density(graph: Graph, density: RowDensity, rows: str) -> str:
    """Return the logarithm of the density of rows, as a column."""
    codec = density.autoencoder._codec
    codes = encoded(graph, codec, rows, _DOUBLE)
    found = _log_density_of_codes(graph, density.codes, codes)
    n_features = density.autoencoder.n_features_in_
    n_free = n_features - len(density.codes.mean)
    if n_free <= 0:
        return found
    residuals = graph.node("Sub", rows, decoded(graph, codec, codes, _DOUBLE))
    squares = graph.squared_lengths(residuals, n_features, _DOUBLE)
    constant = 0.5 * n_free * (LOG_2_PI + np.log(density.noise))
    of_residuals = graph.node("Mul", squares, np.array([-0.5 / density.noise]))
    of_residuals = graph.node("Sub", of_residuals, np.array([constant]))
    return graph.node("Add", found, of_residuals)


def _log_density_of_codes(graph: Graph, density: CodeDensity, codes: str) -> str:
    width = len(density.mean)
    inverse = solve_triangular(density.root, np.eye(width), lower=True)
    centred = graph.node("Sub", codes, density.mean)
    white = graph.node("MatMul", centred, np.ascontiguousarray(inverse.T))
    squares = graph.squared_lengths(white, width, _DOUBLE)
    constant = 0.5 * width * (LOG_2_PI + 2 * np.log(density.bandwidth))
    constant += np.log(np.diag(density.root)).sum()
    if not density.samples:
        found = graph.node("Mul", squares, np.array([-0.5]))
        return graph.node("Sub", found, np.array([constant]))
    factor = np.array([-0.5 / density.bandwidth**2])
    parts = []
    for centres in density.samples:
        products = graph.node("MatMul", white, np.ascontiguousarray(-2 * centres.T))
        distances = graph.node("Add", squares, products)
        distances = graph.node("Add", distances, np.square(centres).sum(axis=1))
        total = graph.log_sum_exp(graph.node("Mul", distances, factor))
        parts.append(graph.node("Sub", total, np.array([np.log(len(centres))])))
    total = graph.node("Sum", *parts)
    mean = graph.node("Mul", total, np.array([1 / len(parts)]))
    return graph.node("Sub", mean, np.array([constant]))
