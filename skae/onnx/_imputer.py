"""Converter of the imputer."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._imputation import Correction, Units
from .._linear import ProbabilisticPCA
from ._graph import Graph
from ._layers import Network
from ._transformers import checked_type, entered

_DOUBLE = np.float64
"""As in skae, imputations are computed in float64."""


def imputer_shapes(operator: Any) -> None:
    """Check the input of an imputer, and set the type of its output."""
    imputer = operator.raw_operator
    check_is_fitted(imputer)
    if imputer._model is None:
        raise NotImplementedError(
            "AutoencoderImputer has no ONNX converter if it was fitted without any "
            "observed value. Fit it to rows with values."
        )
    n_rows = operator.inputs[0].get_first_dimension()
    kind = checked_type(operator, imputer.n_features_in_)
    width = len(imputer.get_feature_names_out())
    operator.outputs[0].type = kind([n_rows, width])


def convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    """Write an imputer."""
    imputer = operator.raw_operator
    graph = Graph(scope, container)
    rows, dtype = entered(graph, operator)
    if np.isnan(imputer.missing_values):
        missing = graph.node("IsNaN", rows)
    else:
        missing = graph.node("Equal", rows, np.array([imputer.missing_values], dtype))
    valid = np.flatnonzero(imputer._valid)
    kept = graph.node("Gather", rows, valid, axis=1)
    holes = graph.node("Gather", missing, valid, axis=1)
    values = _imputed(graph, imputer, graph.cast(kept, _DOUBLE), holes)
    filled = graph.node("Where", holes, graph.cast(values, dtype), kept)
    if imputer.keep_empty_features:
        # A column of zeros is appended. Empty features are copies of it.
        one = graph.cast(graph.node("Gather", holes, np.array([0]), axis=1), dtype)
        filled = graph.node("Concat", filled, graph.node("Sub", one, one), axis=1)
        places = np.full(len(imputer._valid), len(valid))
        places[valid] = np.arange(len(valid))
        filled = graph.node("Gather", filled, places, axis=1)
    if imputer.indicator_ is not None:
        marked = graph.node("Gather", missing, imputer.indicator_.features_, axis=1)
        filled = graph.node("Concat", filled, graph.cast(marked, dtype), axis=1)
    graph.end(filled, operator.outputs[0].full_name)


def _imputed(graph: Graph, imputer: Any, rows: str, holes: str) -> str:
    """Return the values that rows have where there are holes."""
    units: Units = imputer._units
    standard = graph.node("Div", graph.node("Sub", rows, units.mean), units.deviation)
    standard = graph.node("Where", holes, np.zeros(1), standard)
    means = _conditional_means(graph, imputer._model, standard, holes)
    standard = graph.node("Where", holes, means, standard)
    if imputer._correction is not None:
        correction = _corrections(graph, imputer._correction, units, standard, holes)
        standard = graph.node("Add", standard, correction)
    scaled = graph.node("Mul", standard, units.deviation)
    return graph.node("Add", scaled, units.mean)


def _conditional_means(
    graph: Graph, model: ProbabilisticPCA, rows: str, holes: str
) -> str:
    """Return what probabilistic PCA expects of all values, given those observed."""
    W, noise, k = model.loadings, model.positive_noise, model.n_components
    products = (W[:, :, None] * W[:, None, :]).reshape(-1, k * k)
    centred = graph.node("Sub", rows, model.mean)
    centred = graph.node("Where", holes, np.zeros(1), centred)
    projected = graph.node("MatMul", centred, W)
    seen = graph.cast(graph.node("Not", holes), _DOUBLE)
    precisions = graph.affine(seen, products, noise * np.identity(k).ravel())
    codes = _solved(graph, precisions, projected, k)
    return graph.affine(codes, np.ascontiguousarray(W.T), model.mean)


def _solved(graph: Graph, matrices: str, right: str, size: int) -> str:
    """Return the solution of one system of linear equations for each row.

    This is Gauss-Jordan elimination, since ONNX has no operator for it. The matrices
    are positive definite, so that it needs no pivots.
    """
    shape = np.array([-1, size, size])
    systems = graph.node(
        "Concat",
        graph.node("Reshape", matrices, shape),
        graph.node("Reshape", right, np.array([-1, size, 1])),
        axis=2,
    )
    for place in range(size):
        at = np.array([place])
        pivot_row = graph.node("Gather", systems, at, axis=1)
        pivot = graph.node("Gather", pivot_row, at, axis=2)
        pivot_row = graph.node("Div", pivot_row, pivot)
        column = graph.node("Gather", systems, at, axis=2)
        # The pivot's own row is divided, other rows lose their multiple of it.
        column = graph.node("Sub", column, np.identity(size)[:, at])
        systems = graph.node("Sub", systems, graph.node("Mul", column, pivot_row))
    solution = graph.node("Gather", systems, np.array([size]), axis=2)
    return graph.node("Reshape", solution, np.array([-1, size]))


def _corrections(
    graph: Graph, correction: Correction, units: Units, rows: str, holes: str
) -> str:
    """Return what the networks add to standardised rows."""
    parts = [
        _arcsinh(graph, graph.node("Mul", rows, np.array([2.0]))),
        _ranks(graph, units, rows),
        graph.cast(holes, _DOUBLE),
    ]
    # As in skae, networks see float32.
    inputs = graph.cast(graph.node("Concat", *parts, axis=1), np.float32)
    inputs = graph.cast(inputs, _DOUBLE)
    found = []
    for weights in correction.weights:
        sides = {
            side: Network(graph, correction.spec, side, weights[side][0], _DOUBLE)
            for side in ("encoder", "decoder")
        }
        found.append(sides["decoder"](sides["encoder"](inputs)))
    share = correction.shares * (correction.unit / len(correction.weights))
    return graph.node("Mul", graph.node("Sum", *found), share)


def _arcsinh(graph: Graph, values: str) -> str:
    # ONNX Runtime has no operator for it in float64.
    size = graph.node("Abs", values)
    squares = graph.node("Mul", values, values)
    root = graph.node("Sqrt", graph.node("Add", squares, np.array([1.0])))
    logarithm = graph.node("Log", graph.node("Add", size, root))
    return graph.node("Mul", graph.node("Sign", values), logarithm)


def _ranks(graph: Graph, units: Units, rows: str) -> str:
    """Return the rank of each value: ``np.interp`` as a sum over segments."""
    n_features = len(units.knots)
    n_segments = max(max(len(values) for values, _ in units.knots) - 1, 1)
    begins, lengths, slopes = np.zeros((3, n_features, n_segments))
    first = np.empty(n_features)
    for feature, (values, ranks) in enumerate(units.knots):
        here = feature, slice(len(values) - 1)
        begins[here], lengths[here] = values[:-1], np.diff(values)
        slopes[here] = np.diff(ranks) / lengths[here]
        first[feature] = ranks[0]
    columns = graph.node("Reshape", rows, np.array([-1, n_features, 1]))
    beyond = graph.node("Max", graph.node("Sub", columns, begins), np.zeros(1))
    inside = graph.node("Min", beyond, lengths)
    rises = graph.node("Mul", inside, slopes)
    sums = graph.node("MatMul", rises, np.ones((n_segments, 1)))
    sums = graph.node("Reshape", sums, np.array([-1, n_features]))
    return graph.node("Add", sums, first)
