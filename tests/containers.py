"""The same rows in every container that people have, and how to compare what comes."""

import tempfile

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse

N_ROWS, N_FEATURES = 60, 6
NAMES = [f"feature {number}" for number in range(N_FEATURES)]
INDEX = [f"row {number}" for number in range(N_ROWS)]


def rows_of(seed, binary=False):
    """Return rows of integers from 0 to 15, or of zeros and ones, near a plane."""
    rng = np.random.default_rng(seed)
    codes, axes = rng.normal(size=(N_ROWS, 2)), AXES
    rows = np.clip(np.rint(7 + 2 * codes @ axes + rng.normal(size=(1, 1))), 0, 15)
    rows = np.clip(rows + rng.integers(0, 2, rows.shape), 0, 15)
    return (rows > 7).astype(float) if binary else rows


AXES = np.random.default_rng(9).normal(size=(2, N_FEATURES))


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def memory_map(X):
    with tempfile.TemporaryFile() as file:
        file.write(X.tobytes())
        file.flush()
        return np.memmap(file, dtype=X.dtype, mode="r", shape=X.shape)


def frame(X):
    return pd.DataFrame(X, columns=NAMES, index=INDEX[: len(X)])


def mixed_frame(X):
    dtypes = ["Float64", "float32", "Float32", "double[pyarrow]", "object", "float64"]
    return frame(X).astype(dict(zip(NAMES, dtypes, strict=True)))


def nullable(X, dtype):
    return frame(X).astype("Float64").astype(dtype)


def dask_array(X):
    import dask.array as da

    return da.from_array(X, chunks=(25, 4))


def dask_frame(X):
    import dask.dataframe as dd

    return dd.from_pandas(frame(X), npartitions=3, sort=False)


CONTAINERS = {
    "float64": lambda X: X.copy(),
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "big endian": lambda X: X.astype(">f8"),
    "integers": lambda X: X.astype(int),
    "uint8": lambda X: X.astype(np.uint8),
    "bool": lambda X: X.astype(bool),
    "objects": lambda X: X.astype(object),
    "lists": lambda X: X.tolist(),
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1].copy()[::-1],
    "read-only": read_only,
    "memory map": memory_map,
    "pandas": frame,
    "pandas mixed": mixed_frame,
    "pandas Float64": lambda X: nullable(X, "Float64"),
    "pandas Int64": lambda X: nullable(X, "Int64"),
    "pandas boolean": lambda X: nullable(X, "boolean"),
    "pandas pyarrow": lambda X: nullable(X, "int64[pyarrow]"),
    "pandas sparse": lambda X: frame(X).astype(pd.SparseDtype(float, 0.0)),
    "polars": lambda X: pl.DataFrame(X, schema=NAMES, nan_to_null=True),
    "CSR matrix": sparse.csr_matrix,
    "CSR array": sparse.csr_array,
    "CSC matrix": sparse.csc_matrix,
    "CSC array": sparse.csc_array,
    "CSR of integers": lambda X: sparse.csr_array(X.astype(int)),
    "Dask array": dask_array,
    "Dask frame": dask_frame,
}
ONLY_INTEGERS = {"integers", "uint8", "bool", "CSR of integers"}
BINARY = {"bool", "pandas boolean"}
SPARSE = {"CSR matrix", "CSR array", "CSC matrix", "CSC array", "CSR of integers"}
PANDAS = {name for name in CONTAINERS if name.startswith("pandas")}
NAMED = PANDAS | {"polars", "Dask frame"}
DASK = {"Dask array", "Dask frame"}

WITH_GAPS = {"some", "column", "row"}


def with_gaps(rows, missing):
    rows = rows.copy()
    if missing == "some":
        rows[np.random.default_rng(1).random(rows.shape) < 0.1] = np.nan
    if missing == "column":
        rows[:, 2] = np.nan
    if missing == "row":
        rows[4] = np.nan
    return rows


def as_rows(found):
    """Return what a method gives, or a container, as a plain array."""
    if sparse.issparse(found):
        found = found.toarray()
    if isinstance(found, pd.DataFrame):
        return found.to_numpy(float, na_value=np.nan)
    return np.asarray(found, dtype=float)


def row_of(container, number):
    """Return one row in the same container."""
    if hasattr(container, "iloc"):
        return container.iloc[[number]]
    return container[number : number + 1]


def tolerance_of(container):
    return 2e-3 if container == "float16" else 1e-4


def assert_close(found, expected, tolerance=1e-4):
    found, expected = as_rows(found), as_rows(expected)
    assert found.shape == expected.shape
    scale = np.abs(expected).max(initial=1e-30)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)
