"""Where the autoencoder of a pipeline is, and what comes before and after it."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_scalar

from ._data import is_dask
from ._transformer import FittedTransformer


class Parts(NamedTuple):
    """A fitted estimator, cut where its codes are.

    Parameters
    ----------
    reducer : estimator
        From rows to codes and back: the autoencoder and all steps before it.

    autoencoder : estimator
        The autoencoder alone.

    after : Pipeline or None
        The steps after it.
    """

    reducer: Any
    autoencoder: Any
    after: Pipeline | None = None

    @classmethod
    def of(cls, estimator: Any) -> Parts:
        """Return the parts of an autoencoder, of a pipeline or of a search over one.

        Without an autoencoder of skae, the last step that has ``transform`` and
        ``inverse_transform`` takes its place, for example PCA.
        """
        fitted = opened(estimator)
        if isinstance(fitted, Pipeline):
            fitted = flat(fitted)
            steps = [step for _, step in fitted.steps]
            own = [isinstance(step, FittedTransformer) for step in steps]
            found = np.flatnonzero(own if any(own) else [_decodes(s) for s in steps])
            if len(found):
                end = int(found[-1]) + 1
                after = fitted[end:] if end < len(steps) else None
                return cls(fitted[:end], steps[end - 1], after)
        elif _decodes(fitted) and not isinstance(fitted, type):
            return cls(fitted, fitted)
        raise TypeError(
            "estimator must be a fitted autoencoder or a pipeline that contains one: "
            "something with transform and inverse_transform. Got "
            f"{estimator!r} instead."
        )

    def encode(self, X: Any) -> np.ndarray:
        """Return the codes of rows as an array."""
        return np.asarray(self.reducer.transform(X))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of codes, in the units of the first step, as an array."""
        if not _decodes(self.reducer):
            raise TypeError(
                "A step before the autoencoder has no inverse_transform, so codes "
                "cannot be decoded to the units of X. Pass the autoencoder alone and X "
                "as the steps before it transform it."
            )
        rows = self.reducer.inverse_transform(codes)
        return np.asarray(rows.toarray() if issparse(rows) else rows)

    @property
    def feature_names(self) -> np.ndarray | None:
        """Names of the features of X, if the fit saw names."""
        return getattr(self.reducer, "feature_names_in_", None)


def rows_of(X: Any, rows: slice) -> Any:
    """Return rows of an array, of a sparse matrix or of a frame, as the same kind."""
    if is_dask(X):
        X = X.compute()
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    if issparse(X):
        X = X.tocsr()
    return getattr(X, "iloc", X)[rows]


def as_array(X: Any, name: str = "X") -> np.ndarray:
    """Return rows as an array of float64."""
    X = check_array(X, accept_sparse="csr", dtype=np.float64, input_name=name)
    return X.toarray() if issparse(X) else X


def like(X: Any, values: np.ndarray, columns: Any = None) -> Any:
    """Return values as a frame, if ``X`` is one, with its columns or with others.

    If there is a row for each row of ``X``, the index of pandas is that of ``X``.
    """
    if not hasattr(X, "columns"):
        return values
    if is_dask(X):
        X = X.compute()
    columns = X.columns if columns is None else columns
    if not hasattr(X, "iloc"):
        return type(X)(values, schema=list(columns))
    index = X.index if len(values) == len(X) else None
    return type(X)(values, columns=columns, index=index)


def checked_row(row: Any, n_samples: int) -> int:
    """Return the number of a row of X. Raise where there is none or no other row."""
    if n_samples < 2:
        raise ValueError(
            f"X must have at least 2 rows, to know how much features vary. Got "
            f"{n_samples} instead."
        )
    check_scalar(row, "row", Integral, min_val=0, max_val=n_samples - 1)
    return int(row)


def opened(estimator: Any) -> Any:
    """Return what a search found or what a frozen estimator holds."""
    if isinstance(estimator, FrozenEstimator):
        return opened(estimator.estimator)
    if hasattr(estimator, "best_estimator_"):
        return opened(estimator.best_estimator_)
    return estimator


def flat(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with the steps of those in it as steps of its own."""
    given = [step for _, step in pipeline.steps]
    steps: list = []
    for step in map(opened, given):
        if isinstance(step, Pipeline):
            steps += (inner for _, inner in flat(step).steps)
        else:
            steps.append(step)
    if steps == given:
        return pipeline
    return Pipeline([(str(i), step) for i, step in enumerate(steps)])


def _decodes(step: Any) -> bool:
    return hasattr(step, "transform") and hasattr(step, "inverse_transform")
