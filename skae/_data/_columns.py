"""Columns of tables: what kind each is, its values, and the way back to its dtype."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils import check_array

from .._state import stored

Library = Literal["pandas", "polars", "numpy"]


@stored("column")
@dataclass(frozen=True)
class Column:
    """A column of a table: its name and its dtype.

    Parameters
    ----------
    name : object
        Its name, or its number where the table has no names.

    library : {"pandas", "polars", "numpy"}
        Where the table comes from.

    dtype : str
        Name of the dtype in that library. "" where the values decide.

    is_number : bool
        Whether it holds numbers. Otherwise it holds categories.

    is_integer : bool
        Whether the dtype holds integers only.

    takes_gaps : bool
        Whether the dtype can say that a value is missing.

    gap : None or float
        What says so in a column of objects: None or NaN.

    levels : list or None
        The values that a categorical dtype knows, in their order. None for others.

    is_ordered : bool
        Whether a categorical dtype of pandas is ordered.
    """

    name: Any
    library: Library
    dtype: str
    is_number: bool
    is_integer: bool = False
    takes_gaps: bool = True
    gap: Any = None
    levels: list | None = None
    is_ordered: bool = False

    def restored(self, values: np.ndarray, missing: np.ndarray) -> Any:
        """Return values as an array or a series of this dtype.

        Values that a categorical dtype does not know become further levels of it.

        Raises
        ------
        ValueError
            If a value is missing and the dtype cannot say so.
        """
        if missing.any() and not self.takes_gaps:
            raise ValueError(
                f"Column {self.name!r} has the dtype {self.dtype}, which cannot hold "
                f"missing values, and {int(missing.sum())} of its values are missing. "
                "Fill them in before, for example by skae.impute.AutoencoderImputer."
            )
        if self.is_integer and not missing.any():
            values = np.rint(values.astype(np.float64)).astype(np.int64)
        if self.library == "numpy" and not missing.any():
            return values.astype(self.dtype)
        given = values.tolist()
        for row in np.flatnonzero(missing):
            given[row] = self.gap
        if self.library == "numpy":
            array = np.empty(len(given), object)
            array[:] = given
            return array.astype(self.dtype)
        library: Any = importlib.import_module(self.library)
        levels = self.levels
        if levels is not None:
            more = set(values[~missing].tolist()).difference(levels)
            levels = levels + sorted(more)
        dtype: Any = self.dtype or None
        if self.library == "polars":
            if levels is not None:
                dtype = library.Enum(levels)
            elif dtype is not None:
                dtype = getattr(library, dtype)
            return library.Series(self.name, given, dtype=dtype)
        if levels is not None:
            dtype = library.CategoricalDtype(levels, self.is_ordered)
        return library.Series(given, dtype=dtype)

    def moved_to(self, library: Library) -> Column:
        """Return this column in a library, where the values decide about its dtype."""
        if library == self.library:
            return self
        return replace(self, library=library, dtype="", levels=None, takes_gaps=True)


class Table(NamedTuple):
    """The columns of a table, and their values.

    Parameters
    ----------
    columns : list of Column
        What each column is.

    values : list of ndarray of shape (n_rows,)
        float64 for numbers, objects for categories.

    missing : list of ndarray of shape (n_rows,), bool
        Which values are missing.

    index : object
        Index of a frame of pandas, else None.
    """

    columns: list[Column]
    values: list[np.ndarray]
    missing: list[np.ndarray]
    index: Any = None

    @classmethod
    def of(cls, X: Any, are_categories: Sequence[bool] | None = None) -> Table:
        """Read a frame or an array.

        Parameters
        ----------
        X : {data frame, ndarray} of shape (n_rows, n_columns)
            The table.

        are_categories : sequence of bool, default=None
            For each column whether it holds categories. None stands for what the dtypes
            say.

        Raises
        ------
        ValueError
            If a column holds neither numbers nor categories.
        """
        library = library_of(X)
        if library == "pandas":
            given = [(name, X.iloc[:, j]) for j, name in enumerate(X.columns)]
        elif library == "polars":
            given = [(name, X[name]) for name in X.columns]
        else:
            given = list(enumerate(X.T))
        wanted = [None] * len(given) if are_categories is None else are_categories
        read = [
            _read(name, column, library, is_category)
            for (name, column), is_category in zip(given, wanted, strict=True)
        ]
        columns, values, missing = (list(part) for part in zip(*read, strict=True))
        return cls(columns, values, missing, X.index if library == "pandas" else None)

    def as_objects(self) -> np.ndarray:
        """Return the values as one array of objects. Integers stay integers."""
        rows = np.empty((len(self.values[0]), len(self.columns)), object)
        for number, column in enumerate(self.columns):
            values = self.values[number]
            if column.is_integer and not self.missing[number].any():
                values = values.astype(np.int64)
            rows[:, number] = values.tolist()
        return rows


def library_of(X: Any) -> Library:
    """Return where a table comes from. What is no frame becomes an array."""
    module = type(X).__module__.partition(".")[0]
    if not hasattr(X, "columns"):
        return "numpy"
    if module == "pandas":
        return "pandas"
    return "polars" if module == "polars" else "numpy"


def frame_or_array(X: Any) -> Any:
    """Return a table: a frame of pandas or polars as it is, all else as an array.

    Lists of text and numbers keep their types.
    """
    if library_of(X) != "numpy":
        return X
    rows = check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
    if rows.dtype.kind in "US" and not hasattr(X, "dtype"):
        rows = check_array(X, dtype=object, ensure_all_finite=False, input_name="X")
    return rows


def table_with_categories(X: Any) -> Table | None:
    """Read a frame or an array. Return None if all of its columns hold numbers."""
    library = library_of(X)
    if library == "pandas":
        kinds = {_kind(X.iloc[:, j], library) for j in range(X.shape[1])}
    elif library == "polars":
        kinds = {_kind(X[name], library) for name in X.columns}
    else:
        X = frame_or_array(X)
        kinds = set(X.dtype.kind) - {"b"}
    if kinds <= set("iuf"):
        return None
    table = Table.of(X)
    return None if all(column.is_number for column in table.columns) else table


def frame(columns: list[Column], series: list[Any], index: Any = None) -> Any:
    """Return a table of restored columns, in the library that they come from."""
    library = columns[0].library
    if library == "numpy":
        dtypes = {column.dtype for column in series}
        dtype = dtypes.pop() if len(dtypes) == 1 else object
        return np.stack([one.astype(dtype) for one in series], axis=1)
    module = importlib.import_module(library)
    if library == "polars":
        return module.DataFrame(series)
    table = module.concat(series, axis=1) if series else module.DataFrame()
    table.columns = module.Index([column.name for column in columns])
    if index is not None:
        table.index = index
    return table


def _read(
    name: Any, column: Any, library: Library, is_category: bool | None
) -> tuple[Column, np.ndarray, np.ndarray]:
    """Return what a column is, its values, and which of them are missing."""
    dtype = str(column.dtype)
    levels, is_ordered, kind = None, False, _kind(column, library)
    if library == "pandas":
        missing = column.isna().to_numpy()
        if hasattr(column.dtype, "categories"):
            levels = column.dtype.categories.tolist()
            is_ordered = bool(column.dtype.ordered)
    elif library == "polars":
        missing = column.is_null().to_numpy()
        if kind == "f":
            missing |= column.fill_null(0).is_nan().to_numpy()
        dtype = type(column.dtype).__name__
        levels = column.dtype.categories.to_list() if dtype == "Enum" else None
    elif kind == "O":
        missing = np.array([is_missing(value) for value in column], bool)
    else:
        missing = np.isnan(column) if kind == "f" else np.zeros(len(column), bool)

    # Objects are what their values are.
    takes_gaps, gap = kind not in "biuU" or library == "polars", None
    if library == "pandas" and kind in "biu":
        takes_gaps = not isinstance(column.dtype, np.dtype)
    objects = None
    if kind not in "iuf" or is_category:
        objects = _objects(column)
        if missing.any() and dtype == "object":
            gap = objects[missing][0]
            gap = None if gap is None else np.nan
        is_number = levels is None and _are_numbers(name, dtype, objects[~missing])
    else:
        is_number = True
    if is_category is False and not is_number:
        raise ValueError(
            f"Column {name!r} has the dtype {dtype} and holds no numbers. Name it in "
            "categorical_features, too."
        )
    is_number = is_number and not is_category
    found = Column(
        *(name, library, dtype, is_number, kind in "iu", takes_gaps),
        *(gap, levels, is_ordered),
    )
    if not is_number:
        assert objects is not None
        return found, objects, missing
    if library == "pandas":
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = np.array(column.to_list() if library == "polars" else column)
        values = np.where(missing, np.nan, values).astype(np.float64)
    return found, values, missing


def _kind(column: Any, library: Library) -> str:
    """Return the kind of a dtype by NumPy's letters."""
    if library != "polars":
        return str(column.dtype.kind)
    dtype = column.dtype
    if dtype.is_integer():
        return "i"
    if dtype.is_numeric():
        return "f"
    return "b" if type(dtype).__name__ == "Boolean" else "O"


def _objects(column: Any) -> np.ndarray:
    """Return values as objects of Python."""
    values = column.to_list() if hasattr(column, "to_list") else column.tolist()
    objects = np.empty(len(values), object)
    objects[:] = values
    return objects


def _are_numbers(name: Any, dtype: str, values: np.ndarray) -> bool:
    """Say whether objects are numbers. If not, they are text or booleans.

    Raises
    ------
    ValueError
        If they are neither, or of several kinds.
    """
    kinds = {
        "booleans"
        if isinstance(value, bool | np.bool_)
        else "numbers"
        if isinstance(value, Real)
        else "text"
        if isinstance(value, str)
        else type(value).__name__
        for value in values
    }
    if not kinds <= {"booleans", "numbers", "text"}:
        raise ValueError(
            f"Column {name!r} has the dtype {dtype}, which is neither numbers nor "
            "categories. Drop it, or turn it into numbers, for example a date into "
            "days since a given one."
        )
    if len(kinds) > 1:
        found = " and ".join(sorted(kinds))
        raise ValueError(
            f"Column {name!r} has the dtype {dtype} and holds {found}. "
            "Turn all of its values into one kind."
        )
    # A column without values may be one of numbers.
    return kinds <= {"numbers"}


def is_missing(value: Any) -> bool:
    """Say whether an object is None, NaN or the NA of pandas."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:
        # The NA of pandas is neither equal to itself nor not.
        return True


def selected_features(estimator: Any, name: str, features: Any) -> np.ndarray:
    """Return a mask of features, given as a mask, as indices or by names.

    Parameters
    ----------
    estimator : estimator
        Knows ``n_features_in_``, and ``feature_names_in_`` if there are names.

    name : str
        Of the parameter, for errors.

    features : array-like of bool, int or str
        What was given.
    """
    n_features = estimator.n_features_in_
    given = np.asarray(features)
    mask = np.zeros(n_features, bool)
    if given.dtype.kind == "b" and given.shape == (n_features,):
        return given
    if given.dtype.kind in "OU":
        names = getattr(estimator, "feature_names_in_", np.array([], object))
        missing = [str(one) for one in given if one not in names]
        if missing:
            raise ValueError(
                f"{name} names {missing}, which X does not have. Names need a data "
                "frame whose columns have names that are strings."
            )
        return np.isin(names, given)
    in_range = given.dtype.kind in "iu" and (-n_features <= given).all()
    if not (given.size == 0 or (in_range and (given < n_features).all())):
        raise ValueError(
            f"{name} must be a mask of {n_features} features, indices of them, or "
            f"names. Got {features!r} instead."
        )
    mask[given.astype(int)] = True
    return mask
