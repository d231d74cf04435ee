"""Tables with columns of several kinds: to numbers, and back."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import check_array, check_random_state, check_scalar
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from ._data import Column, Table, frame, frame_or_array, selected_features
from ._state import EstimatorMixin, restore_on_error

__all__ = ["TableEncoder", "sample_table"]

_MOST_RANKS = 1000
"""Of so many numbers of a column the encoder keeps the values, for new rows."""


class TableEncoder(EstimatorMixin, TransformerMixin, BaseEstimator):
    r"""Turn a table with columns of several kinds into numbers, and back.

    The numbers are those of factor analysis of mixed data (FAMD) [1]_: PCA of them is
    FAMD of the table. Columns of numbers are standardised. A category with frequency
    :math:`p` becomes the number :math:`(i - p) / \sqrt{p}`, where the indicator
    :math:`i` is 1 in its rows and 0 in others. So a column with :math:`m` categories
    has the variance :math:`m - 1`, and each of its categories counts alike.

    ``inverse_transform`` returns a table with the columns, the order and the dtypes of
    the table in ``fit``. Each cell gets its most probable category.

    A missing value is NaN in all columns that its column becomes.
    :class:`~skae.AutoencoderTransformer` takes such rows, and
    :class:`~skae.impute.AutoencoderImputer` fills them in. A column without any
    observed value in ``fit`` becomes no column, and comes back with missing values.

    Parameters
    ----------
    categorical_features : "from_dtype" or array-like of bool, int or str, \
            default="from_dtype"
        Columns that hold categories: a mask, indices or names. "from_dtype" stands for
        columns of text, booleans, objects that are these, and categorical dtypes.

    min_frequency : int, float or None, default=None
        Categories in fewer rows are infrequent, and are encoded as one. A float is a
        fraction of the rows in which the column is observed. They come back as the most
        frequent of them.

    handle_unknown : {"error", "ignore", "infrequent_if_exist"}, default="error"
        What to do in ``transform`` with a category that was not in ``fit``: raise an
        error, encode it as the mean of the column, or as an infrequent category if
        there are any.

    Attributes
    ----------
    is_categorical_ : ndarray of shape (n_features_in_,), bool
        Which columns hold categories.

    categories_ : list of ndarray
        Categories of each column that holds categories, sorted.

    frequencies_ : list of ndarray
        Frequency of each category that has a column of its own in the result, and of
        the infrequent ones together, which are the last.

    mean_, scale_ : ndarray of shape (n_features_in_,)
        Mean and standard deviation of columns of numbers. NaN for others.

    variables_ : ndarray of shape (n_outputs,), int
        For each column of the result, the index of its column in the table.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen in ``fit``, if all are strings.

    See Also
    --------
    sklearn.compose.ColumnTransformer : Other encodings, without a way back.
    sklearn.preprocessing.OneHotEncoder : Indicators of categories.

    Notes
    -----
    Dates and times are refused: what a number should count depends on the question.

    References
    ----------
    .. [1] Pagès (2004), "Analyse factorielle de données mixtes", Revue de Statistique
       Appliquée 52(4).

    Examples
    --------
    >>> import pandas as pd
    >>> from skae.tables import TableEncoder
    >>> table = pd.DataFrame({"age": [20, 40, 60, 80], "pet": ["cat", "dog"] * 2})
    >>> encoder = TableEncoder().set_output(transform="pandas")
    >>> numbers = encoder.fit_transform(table)
    >>> numbers.round(2)
        age  pet_cat  pet_dog
    0 -1.34     0.71    -0.71
    1 -0.45    -0.71     0.71
    2  0.45     0.71    -0.71
    3  1.34    -0.71     0.71
    >>> encoder.inverse_transform(numbers).equals(table)
    True
    """

    _parameter_constraints: dict = {
        "categorical_features": [StrOptions({"from_dtype"}), "array-like"],
        "min_frequency": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            None,
        ],
        "handle_unknown": [StrOptions({"error", "ignore", "infrequent_if_exist"})],
    }

    _columns: list[Column]
    _encoders: list[OneHotEncoder | StandardScaler | None]
    """What encodes each column. None where it has no observed value."""

    _decoded: list[np.ndarray]
    """For each column numbers at evenly spaced ranks, or what its categories are."""

    _is_whole: np.ndarray
    """Which columns hold whole numbers only, as integers or as floats."""

    def __init__(
        self,
        categorical_features="from_dtype",
        *,
        min_frequency=None,
        handle_unknown="error",
    ):
        self.categorical_features = categorical_features
        self.min_frequency = min_frequency
        self.handle_unknown = handle_unknown

    @_fit_context(prefer_skip_nested_validation=True)
    @restore_on_error
    def fit(self, X, y=None):
        """Measure the columns of ``X``.

        Parameters
        ----------
        X : {data frame, array-like} of shape (n_samples, n_features)
            A table of pandas or polars, or an array. Missing values are NaN, None, or
            the NA of pandas.

        y : None
            Ignored, here for the conventions of scikit-learn.

        Returns
        -------
        self : object
            The fitted encoder.

        Raises
        ------
        ValueError
            If a column holds neither numbers nor categories, or both.
        """
        return self._measured(self._read(X, reset=True))

    def _measured(self, table: Table) -> TableEncoder:
        """Return this encoder, fitted to a table that was read already."""
        n_columns = len(table.columns)
        self._columns = table.columns
        self.is_categorical_ = np.array([not one.is_number for one in table.columns])
        self.categories_, self.frequencies_ = [], []
        self.mean_, self.scale_ = np.full((2, n_columns), np.nan)
        self._encoders, self._decoded = [], []
        self._is_whole = np.zeros(n_columns, bool)
        counts = []
        for number, (column, values, missing) in enumerate(
            zip(table.columns, table.values, table.missing, strict=True)
        ):
            observed = values[~missing].reshape(-1, 1)
            encoder: Any = None
            decoded, n_outputs = np.empty(0), 0
            if len(observed) and column.is_number:
                # The user may have asked for data frames everywhere.
                encoder = StandardScaler().set_output(transform="default")
                encoder.fit(observed)
                n_outputs = 1
                self.mean_[number] = encoder.mean_[0]
                self.scale_[number] = encoder.scale_[0]
                ranks = np.linspace(0, len(observed) - 1, _MOST_RANKS).astype(int)
                decoded = np.sort(observed[:, 0])[np.unique(ranks)]
                self._is_whole[number] = (observed == np.rint(observed)).all()
            elif len(observed):
                encoder = self._fitted_one_hot(column, observed)
                indicators = encoder.transform(observed)
                self.categories_.append(encoder.categories_[0])
                self.frequencies_.append(indicators.mean(axis=0))
                decoded = _most_frequent(encoder, observed, indicators)
                n_outputs = indicators.shape[1]
            elif not column.is_number:
                self.categories_.append(np.empty(0, object))
                self.frequencies_.append(np.empty(0))
            self._encoders.append(encoder)
            self._decoded.append(decoded)
            counts.append(n_outputs)
        self.variables_ = np.repeat(np.arange(len(counts)), counts)
        return self

    def transform(self, X):
        """Encode ``X``.

        Parameters
        ----------
        X : {data frame, array-like} of shape (n_samples, n_features)
            A table with the columns of the one in ``fit``.

        Returns
        -------
        numbers : ndarray of shape (n_samples, n_outputs)
            The encoded table, in float64.

        Raises
        ------
        ValueError
            If a category was not in ``fit``, with ``handle_unknown="error"``.
        """
        check_is_fitted(self)
        # The mean of a column is zero.
        return self._encoded(self._read(X, reset=False), unknown=0.0)

    def _encoded(self, table: Table, unknown: float) -> np.ndarray:
        """Return the numbers of a table. A category that is unknown has a given one."""
        numbers = np.full((len(table.values[0]), len(self.variables_)), np.nan)
        for number, encoder in enumerate(self._encoders):
            rows = np.flatnonzero(~table.missing[number])
            if encoder is None or not len(rows):
                continue
            observed = table.values[number][rows].reshape(-1, 1)
            encoded = encoder.transform(observed)
            if self.is_categorical_[number]:
                self._check_known(number, observed)
                frequencies, is_unknown = (
                    self._frequencies(number),
                    ~encoded.any(axis=1),
                )
                encoded = (encoded - frequencies) / np.sqrt(frequencies)
                encoded[is_unknown] = unknown
            numbers[np.ix_(rows, np.flatnonzero(self.variables_ == number))] = encoded
        return numbers

    def inverse_transform(self, X):
        """Decode numbers to a table.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_outputs)
            Numbers, as ``transform`` returns them, or such as an autoencoder
            reconstructs. A row of a column whose numbers are NaN is missing.

        Returns
        -------
        table : {data frame, ndarray} of shape (n_samples, n_features_in_)
            A table like that in ``fit``: a frame of the same library, or an array. Each
            cell has its most probable category. Integers are rounded and stay between
            the smallest and the largest one in ``fit``.

        Raises
        ------
        ValueError
            If a value is missing in a column whose dtype cannot say so.
        """
        check_is_fitted(self)
        # A list has a method of this name.
        index = X.index if hasattr(X, "iloc") else None
        numbers = check_array(
            X, dtype=np.float64, ensure_all_finite="allow-nan", input_name="X"
        )
        if numbers.shape[1] != len(self.variables_):
            raise ValueError(
                f"X has {numbers.shape[1]} columns, but {type(self).__name__} has "
                f"encoded the table as {len(self.variables_)} columns."
            )
        series = []
        for number, column in enumerate(self._columns):
            own = numbers[:, self.variables_ == number]
            missing = np.isnan(own).any(axis=1) if own.size else np.ones(len(own), bool)
            series.append(column.restored(self._values(number, own, missing), missing))
        return frame(self._columns, series, index)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns of the result.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of the table. None stands for ``feature_names_in_``, or
            for "x0", "x1" and so on if there are none.

        Returns
        -------
        feature_names_out : ndarray of str objects
            Names of columns of numbers, and names of others with each category.
        """
        check_is_fitted(self)
        found: list[str] = []
        names = _check_feature_names_in(self, input_features)
        for name, encoder in zip(names, self._encoders, strict=True):
            if isinstance(encoder, OneHotEncoder):
                found += list(encoder.get_feature_names_out([name]))
            elif encoder is not None:
                found.append(name)
        return np.array(found, dtype=object)

    def _drawn(
        self,
        numbers: np.ndarray,
        deviations: np.ndarray,
        rng: np.random.RandomState,
        ranked: bool = False,
    ) -> list[np.ndarray]:
        """Return the columns of new rows, given the means of their numbers.

        Numbers get normal noise with the given deviations. If they are ``ranked``, each
        becomes the number of the table in ``fit`` that has its rank. Categories are
        drawn in proportion to how probable they are.
        """
        nothing, found = np.zeros(len(numbers), bool), []
        for number, column in enumerate(self._columns):
            is_own = self.variables_ == number
            own = numbers[:, is_own]
            if column.is_number:
                own = own + deviations[is_own] * rng.standard_normal(own.shape)
            if column.is_number and ranked and own.size:
                ranks, known = own[:, 0].argsort().argsort(), self._decoded[number]
                part = known[ranks * len(known) // len(own)]
            else:
                part = self._values(number, own, nothing, rng)
            values = np.empty(len(own), object)
            values[:] = part.tolist()
            found.append(values)
        return found

    def _read(self, X: Any, reset: bool) -> Table:
        X = frame_or_array(X)
        validate_data(self, X, skip_check_array=True, reset=reset)
        if not reset:
            return self._table(X)
        if isinstance(self.categorical_features, str):
            return Table.of(X)
        selected = selected_features(
            self, "categorical_features", self.categorical_features
        )
        return Table.of(X, selected.tolist())

    def _table(self, X: Any) -> Table:
        """Read a table with columns of the kinds of the one in ``fit``."""
        return Table.of(frame_or_array(X), self.is_categorical_.tolist())

    def _fitted_one_hot(self, column: Column, observed: np.ndarray) -> OneHotEncoder:
        unknown = self.handle_unknown
        encoder = OneHotEncoder(
            sparse_output=False,
            min_frequency=self.min_frequency,
            handle_unknown="ignore" if unknown == "error" else unknown,
        ).set_output(transform="default")
        try:
            return encoder.fit(observed)
        except TypeError as error:
            raise ValueError(
                f"The categories of column {column.name!r} cannot be sorted. Turn all "
                "of them into text."
            ) from error

    def _check_known(self, number: int, observed: np.ndarray) -> None:
        if self.handle_unknown != "error":
            return
        known = set(self.categories_[self._place(number)].tolist())
        unknown = set(observed[:, 0].tolist()) - known
        if unknown:
            raise ValueError(
                f"Found unknown categories {sorted(map(repr, unknown))} in column "
                f"{self._columns[number].name!r} during transform. "
                'handle_unknown="ignore" takes them as the mean of the column.'
            )

    def _frequencies(self, number: int) -> np.ndarray:
        return self.frequencies_[self._place(number)]

    def _place(self, number: int) -> int:
        """Return how many columns before this one hold categories."""
        return int(self.is_categorical_[:number].sum())

    def _values(
        self,
        number: int,
        own: np.ndarray,
        missing: np.ndarray,
        rng: np.random.RandomState | None = None,
    ) -> np.ndarray:
        """Return the values of a column. Those that are missing are arbitrary.

        Categories are the most probable ones, or drawn in proportion to how probable
        they are. What is drawn has whole numbers where the table has no others.
        """
        column, decoded = self._columns[number], self._decoded[number]
        if not own.shape[1]:
            return np.full(len(own), None)
        own = np.where(missing[:, None], 0, own)
        if not column.is_number:
            frequencies = self._frequencies(number)
            chances = own * np.sqrt(frequencies) + frequencies
            if rng is not None:
                ends = np.clip(chances, 0, None).cumsum(axis=1)
                chances = ends > ends[:, -1:] * rng.random_sample((len(own), 1))
            return decoded[chances.argmax(axis=1)]
        values = (own * self.scale_[number] + self.mean_[number])[:, 0]
        if column.is_integer or (rng is not None and self._is_whole[number]):
            values = np.clip(np.rint(values), *decoded[[0, -1]])
        return values.astype(np.int64) if column.is_integer else values

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def sample_table(pipeline, n_samples=1, random_state=None):
    """Generate rows of a table: sample numbers, and decode them.

    Codes are drawn from their distribution and decoded. Numbers get normal noise with
    the variance that the autoencoder leaves. Then each becomes the number of the table
    in ``fit`` that has the same rank in its column. So a column of new rows has the
    distribution of the column in ``fit``, with its limits and its repeated numbers.
    Categories are drawn in proportion to how probable they are.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted. Its first step is a :class:`TableEncoder`, its second and last one an
        autoencoder of skae.

    n_samples : int, default=1
        Number of rows.

    random_state : int, RandomState instance or None, default=None
        Determines what is drawn. Pass an int for the same rows in every call.

    Returns
    -------
    table : {data frame, ndarray} of shape (n_samples, n_features_in_)
        New rows, with the columns and the dtypes of the table in ``fit``.

    Raises
    ------
    TypeError
        If the pipeline has other steps.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from skae import AutoencoderTransformer
    >>> from skae.tables import TableEncoder, sample_table
    >>> table = pd.DataFrame({"age": [20, 40, 60, 80], "pet": ["cat", "dog"] * 2})
    >>> pca = AutoencoderTransformer(1, hidden_layer_sizes=())
    >>> pipeline = make_pipeline(TableEncoder(), pca).fit(table)
    >>> sample_table(pipeline, 100, random_state=0).shape
    (100, 2)
    """
    steps = [step for _, step in getattr(pipeline, "steps", [])]
    is_known = len(steps) == 2 and isinstance(steps[0], TableEncoder)
    if not (is_known and hasattr(steps[1], "sample")):
        raise TypeError(
            "pipeline must be a Pipeline of two steps, a TableEncoder and an "
            f"autoencoder of skae. Got {pipeline!r} instead."
        )
    encoder, autoencoder = steps
    rng = check_random_state(random_state)
    # The rank of a row is its rank among many.
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    n_drawn = max(int(n_samples), _MOST_RANKS)
    numbers = np.asarray(autoencoder.sample(n_drawn, random_state=rng))
    deviations = np.full(numbers.shape[1], np.sqrt(autoencoder.noise_variance_))
    nothing = np.zeros(n_samples, bool)
    values = encoder._drawn(numbers, deviations, rng, ranked=True)
    series = [
        column.restored(part[:n_samples], nothing if decoded.size else ~nothing)
        for column, part, decoded in zip(
            encoder._columns, values, encoder._decoded, strict=True
        )
    ]
    return frame(encoder._columns, series)


def _most_frequent(
    encoder: OneHotEncoder, observed: np.ndarray, indicators: np.ndarray
) -> np.ndarray:
    """Return for each indicator its category: of several, the most frequent."""
    categories, counts = np.unique(
        np.searchsorted(encoder.categories_[0], observed[:, 0]), return_counts=True
    )
    order = categories[np.argsort(-counts, kind="stable")]
    names = encoder.categories_[0][order]
    found = np.empty(indicators.shape[1], object)
    for name, place in zip(
        names[::-1],
        encoder.transform(names[::-1].reshape(-1, 1)).argmax(axis=1),
        strict=True,
    ):
        found[place] = name
    return found
