"""Arrays that users give, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    get_tags,
)
from sklearn.utils.validation import validate_data

from ._data import (
    Batch,
    Collection,
    Scaling,
    chunks,
    few_or_collection,
    header,
    is_collection,
)

_CHANNELS = 1, 3, 4
"""Numbers of channels of usual images."""

_FLOATS = [np.float64, np.float32]


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
    _check_flat(estimator, X, "X")
    data = validate_data(
        estimator,
        X,
        accept_sparse="csr",
        dtype=_FLOATS,
        reset=reset,
        ensure_all_finite=False,
    )
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


def validated_for_fit(
    estimator: Any, X: Any, X_clean: Any, X_val: Any, groups: Any
) -> tuple[Batch, Any, np.ndarray | None]:
    """Return the arguments of ``fit``: rows, held-out rows and groups."""
    if is_collection(X):
        beside = {"X_clean": X_clean, "X_val": X_val, "groups": groups}
        rows_of_dask, X = X, few_or_collection(X, estimator, beside)
        if isinstance(X, Collection):
            names = header(rows_of_dask)
            validate_data(estimator, names, reset=True, skip_check_array=True)
            check_finite(estimator, X.extremes)
            return Batch(X), None, None
    data = validated(estimator, X, reset=True, finite=False)
    rows = Batch(data, mask=observed_values(estimator, data))
    if rows.mask is not None:
        _check_no_more(estimator, X_clean, X_val)
    shape = rows.input.shape
    if X_clean is not None:
        clean = _validated_beside(estimator, X_clean, "X_clean", shape)
        rows = rows._replace(target=clean)
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
        X_val = _validated_beside(estimator, X_val, "X_val", (None, shape[1]))
    if groups is not None:
        groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
        if groups.ndim != 1:
            raise ValueError(
                f"groups must have one dimension. Got shape {groups.shape} instead."
            )
        check_consistent_length(rows.input, groups)
    return rows, X_val, groups


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
    if not takes_nan or not any(np.isnan(data[part]).any() for part in chunks(data)):
        return None
    return ~np.isnan(data)


def check_finite(
    estimator: Any, data: Any, name: str = "X", allow_nan: bool = False
) -> None:
    """Raise ``ValueError`` where a value is missing, infinite or too large."""
    values = data.data if issparse(data) else data
    owner = type(estimator).__name__
    with np.errstate(over="ignore", invalid="ignore"):
        assert_all_finite(
            values, estimator_name=owner, input_name=name, allow_nan=allow_nan
        )
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


def check_n_components(
    n_components: float | None, shape: tuple[int, int], skip_connections: str | None
) -> None:
    """Raise ``ValueError`` if PCA of such data has fewer components."""
    limit = min(shape)
    if n_components is not None and n_components > limit:
        raise ValueError(
            f"n_components={n_components} must be between 1 and min(n_samples, "
            f"n_features)={limit} with skip_connections={skip_connections!r}: training "
            "starts at PCA, which has no more components than that."
        )


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


def _check_no_more(estimator: Any, X_clean: Any, X_val: Any) -> None:
    """Raise ``ValueError`` for what ``fit`` does not do with missing values."""
    for name, rows in (("X_clean", X_clean), ("X_val", X_val)):
        if rows is not None:
            raise ValueError(
                f"Input X contains NaN, which {type(estimator).__name__} does not take "
                f"together with {name}. Leave that out, or fill the missing values in "
                "by skae.impute.AutoencoderImputer."
            )


def _validated_beside(estimator: Any, rows: Any, name: str, shape: tuple) -> Any:
    """Return rows that ``fit`` gets beside ``X``."""
    _check_flat(estimator, rows, name)
    rows = check_array(
        rows,
        accept_sparse="csr",
        dtype=_FLOATS,
        ensure_all_finite=False,
        input_name=name,
    )
    wanted = tuple(
        have if want is None else want
        for have, want in zip(rows.shape, shape, strict=True)
    )
    if rows.shape != wanted:
        raise ValueError(
            f"{name} has shape {rows.shape}, but must have shape {wanted} to fit to X."
        )
    rows = _canonical(rows)
    check_finite(estimator, rows, name)
    return rows


def _check_flat(estimator: Any, X: Any, name: str) -> None:
    """Raise ``ValueError`` for images that are not flattened, and say how to."""
    if getattr(X, "ndim", 2) <= 2:
        return
    flat, shape = f"{name}.reshape(len({name}), -1)", tuple(X.shape[1:])
    if len(shape) == 3 and shape[0] in _CHANNELS and shape[2] not in _CHANNELS:
        shape = (*shape[1:], shape[0])
        flat = f"numpy.moveaxis({name}, 1, -1).reshape(len({name}), -1)"
    owner = type(estimator).__name__
    if not hasattr(estimator, "image_shape"):
        owner = "ConvolutionalAutoencoderTransformer"
    raise ValueError(
        f"Found array with dim {X.ndim}. {type(estimator).__name__} expected <= 2: "
        f"{name} has shape {tuple(X.shape)}, and every row is to be one sample. "
        f"Flatten images by {flat}. To use their neighbourhoods, give "
        f"image_shape={shape} to {owner}."
    )


def _canonical(data: Any) -> Any:
    """Return sparse rows with one entry for each value. The user's stay as they are."""
    if issparse(data) and not data.has_canonical_format:
        data = data.copy()
        data.sum_duplicates()
    return data
