"""Imputation of missing values, with scikit-learn's conventions."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.impute import MissingIndicator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, MissingValues, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from ._data import (
    Column,
    Table,
    frame,
    is_dask,
    library_of,
    selected_features,
    table_with_categories,
)
from ._imputation import Correction, Units, deviations_of_errors, fit_correction
from ._linear import ProbabilisticPCA, select_ppca
from ._networks import checked_sizes
from ._state import EstimatorMixin, restore_on_error
from .tables import TableEncoder

__all__ = ["AutoencoderImputer"]


class AutoencoderImputer(EstimatorMixin, TransformerMixin, BaseEstimator):
    """Fill in missing values by probabilistic PCA and networks that correct it.

    Probabilistic PCA with missing values [1]_ [2]_ is fitted by expectation
    maximisation. A missing value is imputed by its conditional mean, given the observed
    values of its row. Then five networks learn to correct this imputation. In training,
    further values are made missing, as many and in such groups as in the data, and the
    networks predict by how much the imputation of these is wrong. They start at zero.
    A feature is corrected only if that is significantly better on rows that the
    networks have not seen.

    Features are standardised, so their units do not matter. Observed values are
    returned as they are. Columns of categories, text and booleans are encoded by
    :class:`~skae.tables.TableEncoder` and decoded again.

    Read more in ``docs/missing_values.md``.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Number of components of probabilistic PCA. With "auto" it is the number that
        predicts best a tenth of the observed values, which are held out for that.

    hidden_layer_sizes : array-like of int, default=(256, 256)
        Widths of the hidden layers of the networks.

    max_iter : int, default=60
        Largest number of epochs. With 0 the imputation is that of probabilistic PCA.

    missing_values : int, float or np.nan, default=np.nan
        The placeholder of missing values. With a number, ``X`` must have numbers only,
        and no NaN. A data frame with ``pd.NA`` needs np.nan.

    add_indicator : bool, default=False
        Whether to append a :class:`~sklearn.impute.MissingIndicator` of the values that
        were missing.

    keep_empty_features : bool, default=False
        Whether to keep features without any observed value in ``fit``, as zeros.
        Otherwise they are left out.

    min_value, max_value : float or array-like of shape (n_features,), default=-np.inf \
            and np.inf
        Smallest and largest values to impute, for all features or for each feature.

    integer_features : array-like of bool, int or str, or None, default=None
        Features whose imputed values are rounded to integers: a mask, indices, or names
        of ``feature_names_in_``.

    sample_posterior : bool, default=False
        Whether to draw missing values from their conditional distribution, given the
        observed values of their row, in place of its mean: for multiple imputation.
        Categories are drawn in proportion to how probable they are.

    random_state : int, RandomState instance or None, default=None
        Determines the held-out values, the folds, the initial weights and the values
        that are hidden in training, and what ``sample_posterior`` draws. Pass an int
        for the same result in every fit and transform.

    Attributes
    ----------
    n_components_ : int
        Number of components.

    selected_model_ : {"linear", "network"}
        "network" if any feature is corrected by the networks.

    corrected_features_ : ndarray of shape (n_features_in_,), bool
        The features that are corrected.

    n_iter_ : int
        Largest number of epochs of a network. Probabilistic PCA alone counts as one.

    indicator_ : :class:`~sklearn.impute.MissingIndicator` or None
        Indicator of missing values. None without ``add_indicator``.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen in ``fit``, if all are strings.

    See Also
    --------
    sklearn.impute.IterativeImputer : One regression for each feature.
    sklearn.impute.KNNImputer : The mean of the nearest rows.
    skae.tables.TableEncoder : Encodes columns that are no numbers.

    Notes
    -----
    The imputed values are estimates of the conditional mean. They vary less than the
    values that are missing. With ``sample_posterior`` they vary as much. Numbers are
    drawn from a normal distribution, whose deviations are those of the errors of values
    that were hidden in ``fit``. Other draws of a fitted imputer need another
    ``random_state``: ``imputer.set_params(random_state=1).transform(X)``.

    Rows without any observed value get the mean of each feature. With fewer than 20
    such rows as have one, probabilistic PCA is kept.

    References
    ----------
    .. [1] Tipping & Bishop (1999), "Probabilistic principal component analysis",
       Journal of the Royal Statistical Society B 61(3).
    .. [2] Ilin & Raiko (2010), "Practical approaches to principal component analysis in
       the presence of missing values", JMLR 11.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.impute import AutoencoderImputer
    >>> X = np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, 4.0], [8.0, 16.0]])
    >>> AutoencoderImputer(random_state=0).fit_transform(X).shape
    (4, 2)
    """

    _parameter_constraints: dict = {
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "missing_values": [MissingValues(numeric_only=True)],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
        "min_value": [None, Interval(Real, None, None, closed="both"), "array-like"],
        "max_value": [None, Interval(Real, None, None, closed="both"), "array-like"],
        "integer_features": ["array-like", None],
        "sample_posterior": ["boolean"],
        "random_state": ["random_state"],
    }

    _model: ProbabilisticPCA | None
    _correction: Correction | None
    _encoder: TableEncoder | None
    """Encodes a table whose columns are not all numbers."""

    _deviations: np.ndarray | None
    """Of what is drawn, beside those that probabilistic PCA expects."""

    _units: Units
    _valid: Any
    """Which features have an observed value in ``fit``."""

    _limits: list[np.ndarray]
    """Smallest and largest value of each feature, and whether it has integers."""

    def __init__(
        self,
        n_components="auto",
        *,
        hidden_layer_sizes=(256, 256),
        max_iter=60,
        missing_values=np.nan,
        add_indicator=False,
        keep_empty_features=False,
        min_value=-np.inf,
        max_value=np.inf,
        integer_features=None,
        sample_posterior=False,
        random_state=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.missing_values = missing_values
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.min_value = min_value
        self.max_value = max_value
        self.integer_features = integer_features
        self.sample_posterior = sample_posterior
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @restore_on_error
    def fit(self, X, y=None):
        """Fit probabilistic PCA and the networks to the observed values of ``X``.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Rows with missing values.

        y : None
            Ignored, here for the conventions of scikit-learn.

        Returns
        -------
        self : object
            The fitted imputer.
        """
        sizes = checked_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        X = X.compute() if is_dask(X) else X
        # 1. Read the values, as numbers.
        self._encoder = None
        table = table_with_categories(X)
        if table is not None:
            if not self._marks_by_nan:
                raise ValueError(
                    f"missing_values={self.missing_values} needs columns of numbers. "
                    "Use np.nan, and NaN, None or pd.NA for what is missing in X."
                )
            self._encoder = TableEncoder(handle_unknown="ignore")._measured(table)
        values, known, observed, _ = self._read(X, reset=True, table=table)
        self._limits = self._checked_limits(self.n_features_in_)
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False)
            self.indicator_.fit(np.where(observed, 0, np.nan))

        # 2. Fit probabilistic PCA. Rows without an observed value say nothing.
        rng = check_random_state(self.random_state)
        self._valid = observed.any(axis=0)
        sources = np.flatnonzero(self._valid)
        variables = None
        if self._encoder is not None:
            sources = variables = self._encoder.variables_
        else:
            values, known = values[:, self._valid], known[:, self._valid]
        with_values = known.any(axis=1)
        values, known = values[with_values].astype(np.float64), known[with_values]
        self._model = self._correction = self._deviations = None
        n_iter = 0
        if values.size:
            self._units = Units.of(values, known)
            rows = self._units.apply(values, known)
            n_components = self._checked_n_components(rows.shape)
            self._model = select_ppca(rows, known, n_components, rng, variables)

        # 3. Train networks that correct it, and keep those that do.
        if self._model is not None and self.max_iter:
            self._correction, n_iter = fit_correction(
                *(rows, known, self._model, self._units, sizes),
                *(int(self.max_iter), rng, variables),
            )
        if self._model is not None and self.sample_posterior:
            self._deviations = deviations_of_errors(
                rows, known, self._model, rng, variables
            )
            if self._correction is not None:
                self._deviations *= self._correction.remaining
        self.n_iter_ = max(n_iter, 1)
        self.n_components_ = self._model.n_components if self._model else 0
        self.corrected_features_ = np.zeros(self.n_features_in_, bool)
        if self._correction is not None:
            self.corrected_features_[sources[self._correction.fractions > 0]] = True
        self.selected_model_ = "network" if self._correction else "linear"
        return self

    def transform(self, X):
        """Fill in the missing values of ``X``.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Rows with missing values.

        Returns
        -------
        X : {ndarray, data frame} of shape (n_samples, n_output_features)
            Complete rows, in the dtype of ``X``. If a column does not hold numbers they
            are objects. A frame that ``set_output`` asks for has the dtypes of ``X``.
            Without ``keep_empty_features``, features that had no observed value in
            ``fit`` are left out.
        """
        check_is_fitted(self)
        X = X.compute() if is_dask(X) else X
        values, known, observed, table = self._read(X, reset=False)
        rng = None
        if self.sample_posterior:
            if self._model is not None and self._deviations is None:
                raise ValueError(
                    "sample_posterior=True needs a fit with sample_posterior=True, "
                    "which measures how far values may differ. Call fit again."
                )
            rng = check_random_state(self.random_state)
        with np.errstate(under="ignore"):
            if table is None:
                filled = np.zeros_like(values)
                valid = np.flatnonzero(self._valid)
                imputed = self._filled(values[:, valid], known[:, valid], rng)
                filled[:, valid] = np.where(
                    known[:, valid], values[:, valid], self._limited(imputed, valid)
                )
            else:
                imputed = self._filled(values, known, rng)
                filled = self._decoded(table, imputed, observed, rng)
        kept = np.arange(self.n_features_in_)
        if not self.keep_empty_features:
            kept = kept[self._valid]
        flags = np.empty((len(filled), 0), bool)
        if self.indicator_ is not None:
            flags = np.asarray(self.indicator_.transform(np.where(observed, 0, np.nan)))
        library = _get_output_config("transform", self)["dense"]
        if library not in ("pandas", "polars") or library_of(X) == "numpy":
            return (
                np.hstack([filled[:, kept], flags]) if flags.size else filled[:, kept]
            )
        # The result is a frame with the dtypes of X.
        nothing = np.zeros(len(filled), bool)
        given = (table or Table.of(X)).columns
        columns = [given[number].moved_to(library) for number in kept]
        names = self.get_feature_names_out()[len(kept) :]
        columns += [Column(name, library, "", is_number=False) for name in names]
        if table is None:
            # As in an array, and as in scikit-learn.
            flags = flags.astype(filled.dtype)
        parts = [*filled[:, kept].T, *flags.T]
        series = [
            column.restored(part, nothing)
            for column, part in zip(columns, parts, strict=True)
        ]
        return frame(columns, series, getattr(X, "index", None))

    def get_feature_names_out(self, input_features=None):
        """Return the names of the features of the result.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features of ``X``. None stands for ``feature_names_in_``, or
            for "x0", "x1" and so on if there are none.

        Returns
        -------
        feature_names_out : ndarray of str objects
            Their names, then those of the indicators.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        kept = names if self.keep_empty_features else names[self._valid]
        if self.indicator_ is None:
            return kept
        return np.concatenate([kept, self.indicator_.get_feature_names_out(names)])

    def _read(
        self, X: Any, reset: bool, table: Table | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Table | None]:
        """Return numbers, which are known, which values are observed, and the table.

        A column of ``X`` that holds categories is several columns of numbers. If all
        columns hold numbers there is no table. One that was read before can be given.
        """
        if self._encoder is None:
            values, observed = self._validated(X, reset)
            return values, observed, observed, None
        validate_data(self, X, skip_check_array=True, reset=reset)
        if table is None:
            table = self._encoder._table(X)
        # A category that was not in fit says nothing about the others.
        values = self._encoder._encoded(table, unknown=np.nan)
        return values, ~np.isnan(values), ~np.stack(table.missing, axis=1), table

    def _filled(
        self,
        values: np.ndarray,
        known: np.ndarray,
        rng: np.random.RandomState | None,
    ) -> np.ndarray:
        """Return complete rows. Values that are known may be rounded.

        Numbers are drawn if there is a random state. Those of categories are not: what
        is drawn are the categories.
        """
        incomplete = ~known.all(axis=1)
        if self._model is None or not incomplete.any():
            return values
        known = known[incomplete]
        rows = self._units.apply(values[incomplete].astype(np.float64), known)
        imputed = self._model.imputed(rows, known)
        if self._correction is not None:
            imputed += self._correction.of(self._units.inputs(imputed, known))
        if rng is not None:
            errors = self._model.drawn_errors(known, rng) * self._deviations
            if self._encoder is not None:
                errors[:, self._encoder.is_categorical_[self._encoder.variables_]] = 0
            imputed += errors
        filled = values.copy()
        filled[incomplete] = self._units.invert(imputed)
        return filled

    def _decoded(
        self, table: Table, filled: np.ndarray, observed: np.ndarray, rng: Any
    ) -> np.ndarray:
        """Return a table as objects, with its own values where they are observed."""
        assert self._encoder is not None
        encoder = self._encoder
        rows = np.empty(observed.shape, object)
        for number, column in enumerate(table.columns):
            own = filled[:, encoder.variables_ == number]
            decoded = encoder._values(number, own, np.zeros(len(own), bool), rng)
            if column.is_number and self._valid[number]:
                decoded = self._limited(decoded[:, None], [number])[:, 0]
            elif column.is_number:
                decoded = np.zeros(len(own))
            given = table.values[number]
            values = np.where(observed[:, number], given, decoded)
            if column.is_integer:
                values = np.rint(values.astype(np.float64)).astype(np.int64)
            rows[:, number] = values.tolist()
        return rows

    def _limited(self, values: np.ndarray, features: Any) -> np.ndarray:
        """Return imputed values of features within their limits."""
        low, high, is_integer = (limit[features] for limit in self._limits)
        return np.clip(np.where(is_integer, np.rint(values), values), low, high)

    def _checked_limits(self, n_features: int) -> list[np.ndarray]:
        """Return the limits of each feature, and whether it has integers.

        Raises
        ------
        ValueError
            If a parameter has another length, or if no value is within the limits.
        """
        limits = []
        for name, default in (("min_value", -np.inf), ("max_value", np.inf)):
            value = getattr(self, name)
            array = np.asarray(default if value is None else value, dtype=np.float64)
            if array.shape not in ((), (n_features,)):
                raise ValueError(
                    f"{name} must be a number or have shape ({n_features},), one for "
                    f"each feature. Got shape {array.shape} instead."
                )
            limits.append(np.broadcast_to(array, n_features))
        low, high = limits
        is_integer = np.zeros(n_features, bool)
        if self.integer_features is not None:
            is_integer = selected_features(
                self, "integer_features", self.integer_features
            )
            low = np.where(is_integer, np.ceil(low), low)
            high = np.where(is_integer, np.floor(high), high)
        if not (low <= high).all():
            wrong = np.flatnonzero(~(low <= high)).tolist()
            raise ValueError(
                f"min_value must be at most max_value, and an integer must lie between "
                f"them for integer_features. This fails for the features {wrong}."
            )
        return [low, high, is_integer]

    def _checked_n_components(self, shape: tuple[int, int]) -> int | None:
        if self.n_components == "auto":
            return None
        if self.n_components > min(shape):
            raise ValueError(
                f"n_components={self.n_components} must be between 1 and "
                f"min(n_samples, n_features)={min(shape)}. Rows and features without "
                "an observed value do not count."
            )
        return int(self.n_components)

    def _validated(self, X: Any, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows, and which of their values are observed."""
        X = validate_data(
            self,
            X,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if self._marks_by_nan else True,
            reset=reset,
        )
        missing = np.isnan(X) if self._marks_by_nan else self.missing_values == X
        return X, ~missing

    @property
    def _marks_by_nan(self) -> bool:
        return bool(np.isnan(self.missing_values))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._marks_by_nan
        tags.input_tags.categorical = tags.input_tags.string = self._marks_by_nan
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
