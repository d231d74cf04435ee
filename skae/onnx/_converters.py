"""What ``skl2onnx`` calls: the shapes and the nodes of each estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.helper import np_dtype_to_tensor_dtype
from scipy.linalg import solve_triangular
from scipy.sparse import issparse
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
)
from sklearn.utils.validation import check_is_fitted

from .._autoencoder import AutoencoderTransformer
from .._data import dense
from .._inference import Box, InferenceParts, NetworkModel, blend
from .._linear import LinearModel
from .._outlier_scores import LOG_2_PI, CodeDensity, RowDensity
from .._outlier_views import SAME_ROW, IsolationTrees, Tail, Views
from .._variational import VariationalAutoencoderTransformer
from ..outliers import AutoencoderOutlierDetector
from ._network import Graph, Network, Value, activated

_METHODS = ("transform", "reconstruct", "inverse_transform")
"""Which method of a transformer the graph computes."""


def register_converters() -> None:
    """Tell ``skl2onnx`` how to convert skae's estimators.

    Then ``skl2onnx.to_onnx`` takes the transformers and the outlier detector, alone and
    in pipelines. Transformers have the option ``method``, see the example. A further
    call changes nothing.

    Read more in ``docs/shipping.md``.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderTransformer
    >>> from skae.onnx import register_converters
    >>> from skl2onnx import to_onnx
    >>> X = np.arange(12, dtype=np.float32).reshape(4, 3) ** 2
    >>> autoencoder = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
    >>> register_converters()
    >>> encoder = to_onnx(autoencoder, X[:1])
    >>> options = {id(autoencoder): {"method": "reconstruct"}}
    >>> restorer = to_onnx(autoencoder, X[:1], options=options)
    """
    for estimator in (AutoencoderTransformer, VariationalAutoencoderTransformer):
        update_registered_converter(
            estimator,
            f"Skae{estimator.__name__}",
            _transformer_shapes,
            _convert_transformer,
            options={"method": list(_METHODS)},
        )
    update_registered_converter(
        AutoencoderOutlierDetector,
        "SkaeAutoencoderOutlierDetector",
        _detector_shapes,
        _convert_detector,
    )


def _transformer_shapes(operator: Any) -> None:
    """Check the input of a transformer, and set the type of its output."""
    estimator = operator.raw_operator
    check_is_fitted(estimator)
    method = _method(operator.scope_inst, estimator)
    n_features, n_components = estimator.n_features_in_, estimator.n_components_
    n_inputs = n_components if method == "inverse_transform" else n_features
    n_outputs = n_components if method == "transform" else n_features
    n_rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = _checked_type(operator, n_inputs)([n_rows, n_outputs])


def _convert_transformer(scope: Any, operator: Any, container: Any) -> None:
    """Write a transformer."""
    estimator = operator.raw_operator
    graph = Graph(scope, container)
    values = _entered(graph, operator)
    method, model = _method(container, estimator), estimator._model
    if method != "inverse_transform":
        values = _encoded(model, values)
    if method != "transform":
        values = _decoded(model, values)
    graph.end(values, operator.outputs[0].full_name)


def _detector_shapes(operator: Any) -> None:
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
    kind = _checked_type(operator, detector.n_features_in_)
    operator.outputs[0].type = Int64TensorType([n_rows, 1])
    operator.outputs[1].type = kind([n_rows, 1])


def _convert_detector(scope: Any, operator: Any, container: Any) -> None:
    """Write a detector: what ``predict`` and ``decision_function`` return."""
    detector = operator.raw_operator
    graph = Graph(scope, container)
    rows = _entered(graph, operator)
    # As in skae, scores are computed in float64: residuals are small differences.
    scores = _scores(detector, rows.cast(np.float64))
    decision = scores - detector.offset_
    is_outlier = graph.node("Less", decision, np.array([0.0])).name
    labels = 1 - Value(graph, is_outlier, bool).cast(np.int64) * 2
    graph.end(labels, operator.outputs[0].full_name)
    graph.end(decision.cast(rows.dtype), operator.outputs[1].full_name)


def _encoded(model: LinearModel | NetworkModel, rows: Value) -> Value:
    """Return the codes of rows, in the dtype of the rows."""
    if isinstance(model, LinearModel):
        codes = (rows - model.scaling.mean) @ model.down
        return codes if model.deviations is None else codes / model.deviations
    parts, working = model.parts, _working_dtype(model, rows)
    network = Network(parts.spec, "encoder", _cast(parts, "encoder", working))
    values = _in_network_units(parts, rows).cast(working)
    codes = _continued(network, values, parts.row_box, parts.down)
    codes = (codes - parts.transform.offset) @ parts.transform.matrix
    return codes.cast(rows.dtype)


def _decoded(model: LinearModel | NetworkModel, codes: Value) -> Value:
    """Return the rows of codes, in the dtype of the codes."""
    if isinstance(model, LinearModel):
        if model.deviations is not None:
            codes = codes * model.deviations
        return codes @ model.components + model.scaling.mean
    parts, working = model.parts, _working_dtype(model, codes)
    network = Network(parts.spec, "decoder", _cast(parts, "decoder", working))
    # As in skae, networks see codes as float32.
    values = codes.cast(np.float32).cast(working)
    values = values @ parts.transform.inverse + parts.transform.offset
    rows = _continued(network, values, parts.code_box, parts.up)
    rows = activated(rows, parts.spec.final_activation).cast(np.float64)
    rows = rows * parts.scaling.scale + parts.scaling.mean
    return rows.cast(codes.dtype)


def _working_dtype(model: NetworkModel, values: Value) -> Any:
    """Return the dtype in which the network computes.

    As in skae, only what NumPy computes may be in float64. ONNX Runtime has no
    convolution in float64 either.
    """
    return values.dtype if model.spec.runs_in_numpy else np.float32


def _cast(parts: InferenceParts, side: str, dtype: Any) -> list[np.ndarray]:
    return [array.astype(dtype) for array in parts.weights[side][0]]


def _in_network_units(parts: InferenceParts, rows: Value) -> Value:
    """Return rows centred and scaled in float64.

    In float32 rows far from the origin would lose their small differences.
    """
    scaling = parts.scaling
    # As in skae, NumPy sees rows in float32 where they keep enough digits.
    rounds_first = parts.spec.runs_in_numpy and scaling.is_mild
    values = rows.cast(np.float32) if rounds_first else rows
    values = (values.cast(np.float64) - scaling.mean) / scaling.scale
    return values if rounds_first else values.cast(np.float32)


def _continued(network: Network, values: Value, box: Box, outside: np.ndarray) -> Value:
    """Return the network of values, continued by the linear model beyond the box."""
    if not box.is_bounded:
        return network(values)
    graph, dtype = values.graph, values.dtype
    inside = graph.node("Max", values, box.low.astype(dtype))
    inside = graph.node("Min", inside, box.high.astype(dtype))
    linear, beyond = inside @ outside, (values - inside) @ outside
    return blend(graph, network(inside), linear, beyond)


def _scores(detector: AutoencoderOutlierDetector, rows: Value) -> Value:
    """Return what ``score_samples`` returns, as a column."""
    density, views = _log_density(detector._density, rows), detector._views
    if views is None:
        return density
    centred = rows - views.trees.centre
    found = (
        density * -1.0,
        _isolation(views.trees, centred.cast(np.float32)),
        _distance(views, centred),
    )
    tails = [_tail(*one) for one in zip(detector._tails, found, strict=True)]
    return rows.graph.node("Min", *tails) - rows.graph.node("Sum", *tails)


def _isolation(trees: IsolationTrees, rows: Value) -> Value:
    """Return how few splits isolate a row, in float64."""
    is_leaf, inner = trees.is_leaf, np.nonzero(~trees.is_leaf)
    exists = np.zeros(is_leaf.shape, bool)
    exists[:, 0] = True
    for children in (trees.left, trees.right):
        exists[inner[0], children[inner]] = True
    number, node = np.nonzero(exists)
    leaves = np.nonzero(exists & is_leaf)
    lengths = rows.graph.trees(
        rows,
        n_targets=1,
        nodes_treeids=number.tolist(),
        nodes_nodeids=node.tolist(),
        nodes_featureids=trees.features[exists].tolist(),
        nodes_modes=np.where(is_leaf, "LEAF", "BRANCH_LEQ")[exists].tolist(),
        nodes_values=trees.thresholds[exists].tolist(),
        nodes_truenodeids=np.where(is_leaf, 0, trees.left)[exists].tolist(),
        nodes_falsenodeids=np.where(is_leaf, 0, trees.right)[exists].tolist(),
        target_treeids=leaves[0].tolist(),
        target_nodeids=leaves[1].tolist(),
        target_ids=[0] * len(leaves[0]),
        target_weights=trees.lengths[leaves].tolist(),
    )
    mean = lengths.cast(np.float64) / len(trees.left)
    return rows.graph.node("Exp", mean * (-np.log(2) / trees.mean_length))


def _distance(views: Views, rows: Value) -> Value:
    """Return the distance to the nearest reference that is not the row itself."""
    points = np.asarray(dense(views.references), dtype=np.float64)
    if issparse(views.references):
        points -= views.trees.centre
    lengths = _squared_lengths(rows)
    squares = lengths + rows @ (-2 * points.T) + np.square(points).sum(axis=1)
    squares = rows.graph.maximum(0.0, squares)
    nearest, *others = rows.graph.smallest(squares, min(2, len(points)))
    is_same = rows.graph.node("LessOrEqual", nearest, lengths * SAME_ROW**2)
    second = others[0] if others else nearest
    chosen = rows.graph.node("Where", is_same, second, nearest)
    return Value(rows.graph, rows.graph.node("Sqrt", chosen).name, np.float64)


def _tail(tail: Tail, view: Value) -> Value:
    """Return a piecewise linear function, which is the sum of its pieces."""
    low, high = tail.knots[:-1], tail.knots[1:]
    graph = view.graph
    beyond = graph.maximum(0.0, view - tail.knots[-1]) * tail.slope + tail.values[0]
    if not len(low):
        return beyond
    pieces = graph.node("Min", graph.node("Max", view, low[None]), high[None]) - low
    return beyond + pieces @ (np.diff(tail.values) / (high - low))[:, None]


def _log_density(density: RowDensity, rows: Value) -> Value:
    """Return the logarithm of the density of rows, as a column."""
    model = density.autoencoder._model
    codes = _encoded(model, rows)
    in_units = codes * density.code_units
    found = _log_density_of_codes(density.codes, in_units)
    n_free = density.autoencoder.n_features_in_ - len(density.codes.mean)
    if n_free <= 0:
        return found
    squares = _squared_lengths(rows - _decoded(model, codes))
    constant = 0.5 * n_free * (LOG_2_PI + np.log(density.noise))
    return found + (squares * (-0.5 / density.noise) - constant)


def _log_density_of_codes(density: CodeDensity, codes: Value) -> Value:
    width = len(density.mean)
    inverse = solve_triangular(density.root, np.eye(width), lower=True)
    white = (codes - density.mean) @ inverse.T
    squares = _squared_lengths(white)
    constant = 0.5 * width * (LOG_2_PI + 2 * np.log(density.bandwidth))
    constant += np.log(np.diag(density.root)).sum()
    if not density.samples:
        return squares * -0.5 - constant
    total: Value | None = None
    for centres in density.samples:
        distances = squares + white @ (-2 * centres.T) + np.square(centres).sum(axis=1)
        kernels = codes.graph.log_sum_exp(distances * (-0.5 / density.bandwidth**2))
        one = kernels - np.log(len(centres))
        total = one if total is None else total + one
    assert total is not None
    return total / len(density.samples) - constant


def _squared_lengths(rows: Value) -> Value:
    return rows.graph.sum(rows.graph.square(rows), axis=-1, keepdims=True)


def _checked_type(operator: Any, width: int) -> Any:
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


def _entered(graph: Graph, operator: Any) -> Value:
    """Return the input. Integers and booleans of every width become float32."""
    given = operator.inputs[0]
    dtype = np.float64 if isinstance(given.type, DoubleTensorType) else np.float32
    value = Value(graph, given.full_name, dtype)
    if isinstance(given.type, DoubleTensorType | FloatTensorType):
        return value
    return graph.node("Cast", value, to=np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _method(options_of: Any, estimator: Any) -> str:
    return options_of.get_options(estimator, {"method": _METHODS[0]})["method"]
