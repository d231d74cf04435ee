"""Parameters and arrays that users give, checked before any long work."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from scipy.stats import trim_mean
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    get_tags,
)
from sklearn.utils.validation import validate_data

from . import _keras as keras
from ._backends import OptimizerChoice
from ._data import (
    RESIDENT_BYTES,
    Batch,
    DaskRows,
    Scaling,
    as_array,
    chunks,
    dense,
    is_dask,
    is_missing,
    meta,
)
from ._labels import Labels
from ._losses import Term
from ._networks import NUMPY_ACTIVATIONS, checked_sizes

_CHANNELS = 1, 3, 4
"""Numbers of channels of usual images."""

_FLOATS = [np.float64, np.float32]

_MOST_FEATURES = 4000
"""With more features, a matrix of products between them is too large."""

_MOST_COMPARED = 1000
"""So many rows show whether two arrays have the same units."""

_MOST_FAR, _MOST_FAR_FROM_DAMAGED = 25, 9
"""Largest squared distance between features of the same kind, in their variances."""

_TRIMMED = 0.1
"""Fraction of outliers at each end that do not count."""

_CHANCE = 0.1
"""Fractions of a variance below this may be explained by chance."""

_FEWEST_COMPARED = 20
"""Fewer rows do not show how far such rows spread."""

_WELL_KNOWN = {
    "activation": NUMPY_ACTIVATIONS - {None},
    "loss": {"mean_squared_error", "mse"},
    "optimizer": {"adam"},
    "output_activation": NUMPY_ACTIVATIONS,
}
"""Names that need no look at Keras, so that it need not be imported for them."""


class FitData(NamedTuple):
    """What ``fit`` knows of its rows.

    Parameters
    ----------
    parameters : dict
        The parameters of the estimator.

    rows : Batch
        All rows. The output is ``X_clean``, the mask says which values are observed.

    X_val : {array, CSR matrix} of shape (n_validation, n_features) or None
        Rows to hold out.

    groups : ndarray of shape (n_samples,) or None
        Group of each row.

    labels : Labels or None
        Labels of the rows, if they count.

    X : {array, CSR matrix, DaskRows} of shape (n_samples, n_features)
        What the network should return, without missing values. None before the linear
        model is fitted.

    linear : LinearModel
        The linear model of that.
    """

    parameters: dict[str, Any]
    rows: Batch
    X_val: Any = None
    groups: np.ndarray | None = None
    labels: Labels | None = None
    X: Any = None
    linear: Any = None


def validate_fit(
    estimator: Any, X: Any, y: Any, X_clean: Any, X_val: Any, groups: Any
) -> FitData:
    """Return the arguments of ``fit``.

    Raises
    ------
    ValueError
        If parameters do not fit together, or the arrays to them.
    """
    parameters, terms = estimator._parameters(), estimator._terms
    check_together(type(estimator).__name__, parameters, terms)
    rows, X_val, groups = _validated_rows(estimator, X, X_clean, X_val, groups)
    data = FitData(parameters, rows, X_val, groups)
    target, name = rows.target, "X" if X_clean is None else "X_clean"
    for term in terms:
        term.check_rows(parameters, target, name)
        if X_val is not None:
            term.check_rows(parameters, X_val, "X_val")
    # An impossible network is refused before any long work.
    estimator._network_spec(parameters, target.shape[1], 1)
    for name, other in (("X_clean", rows.output), ("X_val", X_val)):
        if other is not None:
            _warn_of_other_units(estimator, rows.input, other, name)
    if not parameters.get("target_weight"):
        warn_of_rows_as_labels(estimator, target.shape[1], y)
        return data
    return data._replace(labels=Labels.of(estimator, y, target))


def merged_constraints(owners: Iterable[Any]) -> dict[str, list]:
    """Return the constraints of all parameters that some classes own."""
    return {
        name: allowed for owner in owners for name, allowed in owner.CONSTRAINTS.items()
    }


def check_together(
    name: str, parameters: dict[str, Any], terms: tuple[type[Term], ...]
) -> None:
    """Raise ``ValueError`` where parameters of an estimator do not fit together.

    Parameters
    ----------
    name : str
        Name of the estimator, for the message.

    parameters : dict
        Its parameters, each of them valid.

    terms : tuple of type
        The terms that its objective may have.
    """
    for parameter, known in _WELL_KNOWN.items():
        value = parameters.get(parameter)
        is_known = isinstance(value, str | None) and value in known
        if parameter in parameters and not is_known:
            _check_identifier(name, parameter, value)
    if parameters["optimizer"] != "adam":
        OptimizerChoice.of(parameters).warn_if_slow()
    checked_sizes("hidden_layer_sizes", parameters["hidden_layer_sizes"])
    is_custom = False
    for one in ("encoder", "decoder"):
        if parameters.get(one) is None:
            continue
        is_custom = True
        if isinstance(parameters[one], keras.layers.Layer):
            raise TypeError(
                f"{one} must be a callable that returns a keras.Model, but got the "
                f"model {parameters[one].name!r} itself. Give a function with the "
                "arguments n_features and n_components that returns it. Training "
                "starts at its weights and leaves the model as it is."
            )
    if is_custom and parameters["skip_connections"] == "dense":
        raise ValueError(
            "skip_connections='dense' connects to every layer, which is not possible "
            f"in the encoder or decoder given to {name}. Use 'linear' or None."
        )
    is_image = parameters.get("image_shape") is not None
    if is_image and parameters.get("skip_connections") == "dense":
        raise ValueError(
            "skip_connections='dense' connects to every layer, which is not possible "
            f"for images. Use 'linear' or None, or image_shape=None, in {name}."
        )
    output_activation = parameters.get("output_activation")
    if output_activation is not None and parameters["skip_connections"] is not None:
        raise ValueError(
            f"output_activation={output_activation!r} needs skip_connections=None in "
            f"{name}: with it, training cannot start at PCA."
        )
    for term in terms:
        term.check(parameters)


def validated(estimator: Any, X: Any, reset: bool = False, finite: bool = True) -> Any:
    """Return rows as an array or a CSR matrix of float64 or float32.

    Parameters
    ----------
    estimator : estimator
        It stores the names and the number of features if ``reset``.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows.

    reset : bool
        Whether these are training rows.

    finite : bool
        Whether to raise where a value is not finite.
    """
    if getattr(X, "ndim", 2) > 2:
        _refuse_images(estimator, X, "X")
    if is_dask(X):
        # A computed data frame still has the names of its columns.
        X = X.compute()
    data = validate_data(
        estimator,
        X,
        accept_sparse="csr",
        dtype=_FLOATS,
        reset=reset,
        ensure_all_finite=False,
    )
    if issparse(data):
        data = _canonical(data)
    if finite:
        check_finite(estimator, data)
    return data


def validated_codes(estimator: Any, X: Any) -> np.ndarray:
    """Return codes as an array of float64 or float32."""
    codes = check_array(X, dtype=_FLOATS, input_name="X")
    check_finite(estimator, codes)
    if codes.shape[1] != estimator.n_components_:
        raise ValueError(
            f"X has {codes.shape[1]} features, but "
            f"{type(estimator).__name__}.inverse_transform is expecting "
            f"{estimator.n_components_} features as input, one for each component."
        )
    return codes


def validated_beside(estimator: Any, rows: Any, name: str, shape: tuple) -> Any:
    """Return rows that ``fit`` or ``score`` gets beside ``X``.

    Parameters
    ----------
    estimator : estimator
        It knows the names of the features of ``X``.

    rows : {array-like, sparse matrix} of shape (n_rows, n_features)
        The rows.

    name : {"X_clean", "X_val"}
        What they are.

    shape : tuple
        Which shape they need. None stands for any length.
    """
    if is_dask(rows):
        # A computed data frame still has the names of its columns.
        rows = rows.compute()
    if hasattr(rows, "columns") and hasattr(estimator, "feature_names_in_"):
        # The names must be those of X, in the same order.
        validate_data(estimator, rows, reset=False, skip_check_array=True)
    if getattr(rows, "ndim", 2) > 2:
        _refuse_images(estimator, rows, name)
    rows = check_array(
        rows,
        accept_sparse="csr",
        dtype=_FLOATS,
        ensure_all_finite=False,
        input_name=name,
    )
    expected = tuple(
        have if want is None else want
        for have, want in zip(rows.shape, shape, strict=True)
    )
    if rows.shape != expected:
        raise ValueError(
            f"{name} has shape {rows.shape}, but must have shape {expected} to match "
            f"X. {_in_a_pipeline(name)}"
        )
    if issparse(rows):
        rows = _canonical(rows)
    check_finite(estimator, rows, name)
    return rows


def warn_of_rows_as_labels(estimator: Any, n_features: int, y: Any) -> None:
    """Warn if labels that are ignored look like undamaged rows."""
    shape = tuple(getattr(y, "shape", ()))
    if len(shape) == 2 and shape[-1] == n_features > 1:
        warnings.warn(
            f"y has the shape {shape} of rows, and {type(estimator).__name__} ignores "
            "it. To restore damaged rows, pass undamaged ones by the keyword X_clean.",
            UserWarning,
            stacklevel=2,
        )


def _validated_rows(
    estimator: Any, X: Any, X_clean: Any, X_val: Any, groups: Any
) -> tuple[Batch, Any, np.ndarray | None]:
    """Return the arrays that ``fit`` gets, beside labels."""
    if is_dask(X):
        beside = {"X_clean": X_clean, "X_val": X_val, "groups": groups}
        names, X = meta(X), _rows_of_dask(X, estimator, beside)
        if isinstance(X, DaskRows):
            validate_data(estimator, names, reset=True, skip_check_array=True)
            _check_nothing_missing(estimator, X)
            check_finite(estimator, X.extremes)
            return Batch(X), None, None
    data = validated(estimator, X, reset=True, finite=False)
    rows = Batch(data, mask=observed_values(estimator, data))
    if rows.mask is not None:
        _check_no_more(estimator, X_clean, X_val)
    shape = rows.input.shape
    if X_clean is not None:
        clean = validated_beside(estimator, X_clean, "X_clean", shape)
        rows = rows._replace(output=clean)
    if X_val is not None:
        for name, other in (("X_clean", X_clean), ("groups", groups)):
            if other is not None:
                raise ValueError(
                    f"X_val cannot be combined with {name}. Leave one of them out."
                )
        if getattr(estimator, "target_weight", 0):
            raise ValueError(
                "X_val needs target_weight=0: its rows have no labels. Got "
                f"target_weight={estimator.target_weight}."
            )
        if not estimator.early_stopping:
            raise ValueError(
                "X_val needs early_stopping=True: without it no rows are held out."
            )
        X_val = validated_beside(estimator, X_val, "X_val", (None, shape[1]))
    if groups is not None:
        groups = validated_groups(groups, rows.input)
    return rows, X_val, groups


def validated_groups(groups: Any, X: Any) -> np.ndarray:
    """Return the group of each row of ``X``, as labels that have an order."""
    groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
    if groups.ndim != 1:
        raise ValueError(
            f"groups must have one dimension. Got shape {groups.shape} instead."
        )
    check_consistent_length(X, groups)
    if groups.dtype.kind == "O":
        if any(is_missing(group) for group in groups):
            raise ValueError(
                "Input groups contains missing values. Give every row a group, for "
                "example one of its own."
            )
        # Objects of different types have no order, but they can be numbered.
        numbers: dict[Any, int] = {}
        groups = np.array([numbers.setdefault(one, len(numbers)) for one in groups])
    return groups


def observed_values(estimator: Any, data: Any) -> np.ndarray | None:
    """Return which values are observed, or None if none is missing.

    Raises
    ------
    ValueError
        If a value is infinite or too large, or if one is missing and the estimator
        takes no missing values. No estimator takes them in sparse matrices.
    """
    takes_nan = get_tags(estimator).input_tags.allow_nan and not issparse(data)
    check_finite(estimator, data, allow_nan=takes_nan)
    if takes_nan:
        for part in chunks(data):
            if np.isnan(data[part]).any():
                return ~np.isnan(data)
    return None


def check_finite(
    estimator: Any, data: Any, name: str = "X", allow_nan: bool = False
) -> None:
    """Raise ``ValueError`` where a value is missing, infinite or too large."""
    values = data.data if issparse(data) else data
    owner = type(estimator).__name__
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            assert_all_finite(
                values, estimator_name=owner, input_name=name, allow_nan=allow_nan
            )
        except ValueError:
            if allow_nan or not np.isnan(values).any():
                raise
            raise ValueError(
                f"Input {name} contains NaN, which {owner} does not take"
                f"{_besides(estimator, data)}. Fill the missing values in before, for "
                "example by skae.impute.AutoencoderImputer."
            ) from None
    if values.dtype == np.float32:
        return
    # Unlike `max` and `min`, these leave NaN out.
    largest = max(
        np.fmax.reduce(values, axis=None, initial=0),
        -np.fmin.reduce(values, axis=None, initial=0),
    )
    if largest > np.finfo(np.float32).max:
        raise ValueError(
            f"Input {name} contains infinity or a value too large for "
            f"dtype('float32'), in which {owner} computes. Rescale the data first."
        )


def _besides(estimator: Any, data: Any) -> str:
    """Say beside which parameter, or in what, an estimator takes no missing values."""
    if issparse(data) and get_tags(estimator).input_tags.allow_nan:
        return " in a sparse matrix"
    shape = getattr(estimator, "image_shape", None)
    if shape is not None and hasattr(estimator, "corruption"):
        return f" together with image_shape={shape!r}"
    return ""


def check_computed(estimator: Any, values: np.ndarray) -> None:
    """Raise ``ValueError`` where codes, rows or errors of finite input overflow."""
    if not np.isfinite(values).all():
        raise ValueError(
            "Input X contains values too large for dtype('float32'): what "
            f"{type(estimator).__name__} computes of them is infinite."
        )


def check_scale(estimator: Any, scaling: Scaling, dtype: Any, is_network: bool) -> None:
    """Raise ``ValueError`` if the data's scale is too small or too large.

    Variances have the dtype of the data, and networks compute with one over the scale
    in float32.
    """
    low, high = 1e-140, np.inf
    if is_network:
        low, high = 1e-30, 1e30
    if dtype == np.float32:
        low, high = max(low, 1e-18), 1e18
    if not low <= scaling.scale <= high:
        raise ValueError(
            f"Input X has a standard deviation of {scaling.scale:.1e}. "
            f"{type(estimator).__name__} computes with numbers from {low:.0e} to "
            f"{high:.0e} here. Rescale the data first."
        )


def _rows_of_dask(X: Any, estimator: Any, beside: dict[str, Any]) -> Any:
    """Return rows of Dask for ``fit``: an array or a frame if few, else a collection.

    Parameters
    ----------
    X : dask.array.Array or dask.dataframe.DataFrame
        The rows.

    estimator : estimator
        It is named in errors.

    beside : dict
        Arguments of ``fit`` that go with arrays only, by name.
    """
    name, (n_rows, n_features) = type(estimator).__name__, as_array(X).shape
    most = RESIDENT_BYTES // (4 * n_features)
    if n_rows <= most:
        return X.compute()
    if n_features > _MOST_FEATURES:
        raise ValueError(
            f"{name} takes at most {_MOST_FEATURES} features from Dask, since it "
            f"stores their products with each other. X has {n_features} features."
        )
    # The number of rows of a data frame is not known before the first pass.
    collection = DaskRows.of(X)
    if collection.shape[0] <= most:
        return X.compute()
    parameters = estimator.get_params(deep=False)
    beside = beside | {"density": parameters.get("density")}
    beside["target_weight"] = parameters.get("target_weight") or None
    for other, value in beside.items():
        if value is not None:
            raise ValueError(
                f"{other} cannot be combined with a Dask collection of more than "
                f"{RESIDENT_BYTES // 2**20} MiB. Leave it out, or give {name} an "
                "array or a memory map."
            )
    return collection


def _check_identifier(owner: str, parameter: str, identifier: Any) -> None:
    """Raise ``ValueError`` where Keras does not know what a parameter names."""
    kind = parameter.removeprefix("output_")
    known = {
        "activation": keras.activations,
        "loss": keras.losses,
        "optimizer": keras.optimizers,
    }
    try:
        # Keras takes a dict apart.
        found = known[kind].get(
            dict(identifier) if isinstance(identifier, dict) else identifier
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The {parameter!r} parameter of {owner} must be the name or an "
            f"instance of a Keras {kind}. Got {identifier!r} instead."
        ) from error
    if kind != "activation":
        return
    shape = (2, 4)
    found_shape = tuple(getattr(found(keras.ops.zeros(shape)), "shape", ()))
    if found_shape != shape:
        raise ValueError(
            f"{parameter}={identifier!r} must return as many values as it gets. For "
            f"shape {shape} it returned shape {found_shape}; use another activation."
        )


def _check_no_more(estimator: Any, X_clean: Any, X_val: Any) -> None:
    """Raise ``ValueError`` for what ``fit`` does not do with missing values."""
    for name, rows in (("X_clean", X_clean), ("X_val", X_val)):
        if rows is not None:
            raise ValueError(
                f"Input X contains NaN, which {type(estimator).__name__} does not take "
                f"together with {name}. Leave that out, or fill the missing values in "
                "by skae.impute.AutoencoderImputer."
            )


def _check_nothing_missing(estimator: Any, X: DaskRows) -> None:
    """Raise ``ValueError`` for missing values in rows that only Dask holds."""
    if get_tags(estimator).input_tags.allow_nan and np.isnan(X.extremes).any():
        raise ValueError(
            f"Input X contains NaN, which {type(estimator).__name__} takes in arrays "
            f"and memory maps, but not in a Dask collection of more than "
            f"{RESIDENT_BYTES // 2**20} MiB. Give one of those, or fill the missing "
            "values in by a skae.impute.AutoencoderImputer that is fitted to some rows."
        )


def _in_a_pipeline(name: str) -> str:
    """Say how the steps before an estimator transform what ``fit`` gets beside X."""
    return (
        f"In a pipeline, the steps before transform only X. Set transform_input="
        f"[{name!r}] of the Pipeline and set_fit_request({name}=True) of this "
        f"estimator to transform {name}, too."
    )


def _warn_of_other_units(estimator: Any, X: Any, other: Any, name: str) -> None:
    r"""Warn if rows beside ``X`` cannot be rows of the same kind.

    A feature :math:`a` is far from a feature :math:`b` by the mean of :math:`(a - \bar
    b)^2`, divided by the variance of :math:`b`. The larger of both ways counts, and the
    median of the features. Damage makes this larger, too. But then a feature of ``X``
    explains less of that of ``X_clean``. With the explained fraction :math:`R^2`, the
    product of both is at most 1 for independent noise of any strength and for any
    fraction of masked values.

    Parameters
    ----------
    estimator : estimator
        It is named in the warning.

    X, other : {array, CSR matrix} of shape (n_rows, n_features)
        The rows. Those of ``X_clean`` and ``X`` belong together.

    name : {"X_clean", "X_val"}
        What the other rows are.
    """
    rows, others = _some(X), _some(other)
    if min(len(rows), len(others)) < _FEWEST_COMPARED:
        return
    is_clean = name == "X_clean"
    most, trimmed = (_MOST_FAR_FROM_DAMAGED, 0) if is_clean else (_MOST_FAR, _TRIMMED)
    far = np.maximum(
        _distances(others, rows.mean(axis=0), rows.var(axis=0), trimmed),
        _distances(rows, others.mean(axis=0), others.var(axis=0), trimmed),
    )
    if is_clean:
        far *= _explained_fractions(others, rows)
    varies = (np.ptp(rows, axis=0) > 0) & (np.ptp(others, axis=0) > 0)
    if varies.any() and np.median(far[varies]) > most:
        warnings.warn(
            f"{name} and X of {type(estimator).__name__}.fit seem to have different "
            f"units or centres. {_in_a_pipeline(name)}",
            UserWarning,
            stacklevel=2,
        )


def warn_of_far_batch(
    estimator: Any, X: Any, mean: np.ndarray, variance: np.ndarray
) -> None:
    """Warn if a batch lies far from all rows before it, feature by feature.

    Parameters
    ----------
    estimator : estimator
        It is named in the warning.

    X : {array, CSR matrix} of shape (n_rows, n_features)
        The batch.

    mean, variance : ndarray of shape (n_features,)
        Of the features of the rows before.
    """
    far = _distances(_some(X), mean, variance, _TRIMMED)
    if (variance > 0).any() and np.median(far[variance > 0]) > _MOST_FAR:
        warnings.warn(
            f"The batch X of {type(estimator).__name__}.partial_fit lies far from the "
            "batches before it. Check that all batches have the same units. The first "
            "batch has fixed the units of the network.",
            UserWarning,
            stacklevel=2,
        )


def _some(X: Any) -> np.ndarray:
    """Return some of the rows in float64, evenly spread."""
    return dense(X[:: -(-X.shape[0] // _MOST_COMPARED)]).astype(np.float64)


def _distances(
    rows: np.ndarray, mean: np.ndarray, variance: np.ndarray, trimmed: float
) -> np.ndarray:
    """Return how far features are from given means, in given variances.

    A fraction of the values at each end does not count.
    """
    squares = trim_mean(np.square(rows - mean), trimmed, axis=0)
    return np.divide(squares, variance, out=np.zeros_like(squares), where=variance > 0)


def _explained_fractions(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the fraction of each feature's variance that the other feature explains.

    What may be chance counts as nothing.
    """
    rows, others = rows - rows.mean(axis=0), others - others.mean(axis=0)
    total = np.square(rows).sum(axis=0) * np.square(others).sum(axis=0)
    explained = np.square((rows * others).sum(axis=0))
    found = np.divide(explained, total, out=np.zeros_like(total), where=total > 0)
    return np.where(found > _CHANCE, found, 0)


def _refuse_images(estimator: Any, X: Any, name: str) -> None:
    """Raise ``ValueError`` for images that are not flattened, and say how to."""
    flat, shape = f"{name}.reshape(len({name}), -1)", tuple(X.shape[1:])
    if len(shape) == 3 and shape[0] in _CHANNELS and shape[2] not in _CHANNELS:
        shape = (*shape[1:], shape[0])
        flat = f"numpy.moveaxis({name}, 1, -1).reshape(len({name}), -1)"
    owner = type(estimator).__name__
    if not hasattr(estimator, "image_shape"):
        owner = "AutoencoderTransformer"
    raise ValueError(
        f"Found array with dim {X.ndim}. {type(estimator).__name__} expected <= 2: "
        f"{name} has shape {tuple(X.shape)}, and every row is to be one sample. "
        f"Flatten images by {flat}. To use their neighbourhoods, give "
        f"image_shape={shape} to {owner}."
    )


def _canonical(data: Any) -> Any:
    """Return sparse rows with one entry for each value. The user's stay as they are."""
    if not data.has_canonical_format:
        data = data.copy()
        data.sum_duplicates()
    return data
