"""Results for the rows of a Dask collection, computed when they are needed."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from ._data import as_array, floats, header, is_collection


def lazy_for_dask(width: str | None, sees_codes: bool = False) -> Callable:
    """Make a method return a lazy array where it gets rows of Dask.

    Parameters
    ----------
    width : str or None
        Attribute with the number of columns of the result. None for one dimension.

    sees_codes : bool
        Whether the rows are codes.
    """

    def decorate(method: Callable) -> Callable:
        @functools.wraps(method)
        def computed(self: Any, X: Any) -> Any:
            if not is_collection(X):
                return method(self, X)
            check_is_fitted(self)
            if not sees_codes:
                validate_data(self, header(X), reset=False, skip_check_array=True)
            n_columns = None if width is None else getattr(self, width)
            return _mapped(self, method.__name__, as_array(X), n_columns)

        return computed

    return decorate


def _mapped(estimator: Any, name: str, X: Any, width: int | None) -> Any:
    shipped = copy.copy(estimator)
    # Names were compared here. Blocks have none.
    vars(shipped).pop("feature_names_in_", None)
    dtype = floats(X.dtype) if width is not None else np.dtype(np.float64)
    shape: tuple[int, ...] = () if width is None else (width,)
    function = functools.partial(_of_block, shipped, name, shape, dtype)
    meta = np.empty((0, *shape), dtype)
    if width is None:
        return X.map_blocks(function, drop_axis=1, dtype=dtype, meta=meta)
    chunks = (X.chunks[0], (width,))
    return X.map_blocks(function, chunks=chunks, dtype=dtype, meta=meta)


def _of_block(
    estimator: Any, name: str, shape: tuple[int, ...], dtype: np.dtype, rows: Any
) -> np.ndarray:
    if not len(rows):
        return np.empty((0, *shape), dtype)
    return np.asarray(getattr(estimator, name)(rows), dtype)
