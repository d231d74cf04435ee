"""What a fitted estimator does: a scikit-learn transformer around a fitted model."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from ._data import DaskRows, Scaling, as_array, floats, is_dask, meta, variances
from ._inference import (
    Gaussian,
    NetworkModel,
    draw_from,
    explained,
    keras_decoder,
    keras_encoder,
    squared_errors,
)
from ._linear import LinearModel
from ._validation import (
    check_computed,
    observed_values,
    validated,
    validated_beside,
    validated_codes,
    warn_of_rows_as_labels,
)


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
            if not is_dask(X):
                return method(self, X)
            check_is_fitted(self)
            if not sees_codes:
                validate_data(self, meta(X), reset=False, skip_check_array=True)
            n_columns = None if width is None else getattr(self, width)
            return _mapped(self, method.__name__, as_array(X), n_columns)

        return computed

    return decorate


KERAS_MODELS = "encoder_", "decoder_"
"""Attributes that are built when they are first used."""


class FittedTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Encode, decode, score and sample, with the model that ``fit`` stores."""

    _model: LinearModel | NetworkModel
    selected_model_: str
    explained_variance_: np.ndarray
    noise_variance_: float
    n_components_: int
    n_features_in_: int

    def transform(self, X):
        """Encode ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        codes : {ndarray, Dask array} of shape (n_samples, n_components_)
            Their codes, in the dtype of ``X``.
        """
        check_is_fitted(self)
        # Codes of values that are not finite are not finite either. A separate test of
        # all values would take a third of the time.
        data = validated(self, X, finite=False)
        return self._encode(data)

    @lazy_for_dask("n_features_in_", sees_codes=True)
    def inverse_transform(self, X):
        """Decode codes.

        Parameters
        ----------
        X : {array-like, Dask array} of shape (n_samples, n_components_)
            Codes, as ``transform`` returns them.

        Returns
        -------
        rows : {ndarray, Dask array} of shape (n_samples, n_features_in_)
            The reconstructed rows, in the dtype of ``X``.
        """
        check_is_fitted(self)
        return self._decode(validated_codes(self, X))

    @lazy_for_dask("n_features_in_")
    def reconstruct(self, X):
        """Encode and decode ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        rows : {ndarray, Dask array} of shape (n_samples, n_features)
            ``inverse_transform(transform(X))``.
        """
        check_is_fitted(self)
        data, _ = self._complete(validated(self, X, finite=False))
        return self._decode(self._encode(data))

    def sample(self, n_samples=1, random_state=None):
        """Generate rows: draw codes from their distribution and decode them.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        random_state : int, RandomState instance or None, default=None
            Determines what is drawn. Pass an int for the same rows in every call.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features_in_)
            New rows, in float64.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        rng = check_random_state(random_state)
        codes = draw_from(self.density_, int(n_samples), rng)
        return self._decode(np.asarray(codes, dtype=np.float64))

    @lazy_for_dask(None)
    def score_samples(self, X):
        """Return minus the mean squared error of each row's reconstruction.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        scores : {ndarray, Dask array} of shape (n_samples,)
            In the data's squared units. Higher is better; 0 is perfect. Missing values
            do not count. A row without an observed value has the score 0.
        """
        check_is_fitted(self)
        data, observed = self._complete(validated(self, X, finite=False))
        errors = self._squared_errors(data, observed)
        if observed is None:
            return -errors / data.shape[1]
        return -errors / np.maximum(observed.sum(axis=1), 1)

    def score(self, X, y=None, *, X_clean=None):
        r"""Return the fraction of the variance of ``X`` that the codes explain.

        .. math::
            1 - \frac{\sum_i \lVert x_i - \hat x_i \rVert^2}
                     {\sum_i \lVert x_i - \bar x \rVert^2}

        where :math:`\bar x` is the mean of ``X``. For PCA and its training data this is
        ``explained_variance_ratio_.sum()``. Missing values do not count.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features)
            Rows to reconstruct.

        y : None
            Ignored, here for the conventions of scikit-learn.

        X_clean : {array-like, sparse matrix} of shape (n_samples, n_features), \
                default=None
            The undamaged version of each row of ``X``. The score is then that of a
            restoration: :math:`x_i` stands for undamaged rows, and :math:`\hat x_i` for
            the reconstructions of the rows of ``X``.

        Returns
        -------
        score : float
            At most 1. If ``X`` does not vary, 1 for an exact reconstruction and 0
            otherwise, as in :func:`sklearn.metrics.r2_score`.

        Warns
        -----
        UserWarning
            If ``y`` is as wide as ``X``. Undamaged rows are ``X_clean``.
        """
        check_is_fitted(self)
        warn_of_rows_as_labels(self, self.n_features_in_, y)
        if is_dask(X):
            if X_clean is not None:
                raise ValueError(
                    "X_clean cannot be combined with a Dask collection. Score blocks "
                    "of rows, or leave X_clean out."
                )
            return self._score_of_dask(X)
        data, observed = self._complete(validated(self, X, finite=False))
        target = data
        if X_clean is not None:
            target = validated_beside(self, X_clean, "X_clean", data.shape)
            observed = None
        # In units of the data, since squares of very small values are zero.
        if observed is None:
            unit = Scaling.fit(target)
            total = variances(target, unit.mean, unit.scale).sum() * target.shape[0]
        else:
            unit = Scaling.of_observed(data, observed)
            centred = np.where(observed, data - unit.mean, 0) / unit.scale
            total = np.square(centred).sum()
        error = self._squared_errors(data, observed, unit.scale, target).sum()
        return explained(error, total)

    def _score_of_dask(self, X: Any) -> float:
        errors, moments = -self.score_samples(X), DaskRows.of(X).moments
        if not np.isnan(moments.mean).any():
            error = float(errors.sum()) * self.n_features_in_
            return explained(error, np.trace(moments.scatter))
        # Missing values do not count.
        array = as_array(X)
        n_observed = (~np.isnan(array)).sum(axis=1)
        total = np.nansum(np.square(array - np.nanmean(array, axis=0)))
        return explained(float((errors * n_observed).sum()), float(total))

    @property
    def density_(self) -> Any:
        """object: distribution that ``sample`` draws codes from, see the class."""
        check_is_fitted(self)
        fitted = vars(self).get("_density")
        if fitted is not None:
            return fitted
        return Gaussian(self._model.code_mean, self._model.code_covariance)

    @property
    def components_(self) -> np.ndarray:
        """ndarray: what each code adds to a row, see the class."""
        check_is_fitted(self)
        return self._model.components

    def get_covariance(self):
        """Return the covariance of the rows by probabilistic PCA.

        As in scikit-learn, it is ``components_.T @ S @ components_ + noise_variance_ *
        I``. The diagonal of S holds the variances of the codes, less the noise
        variance.

        Returns
        -------
        covariance : ndarray of shape (n_features_in_, n_features_in_)
            Estimated covariance of the rows.

        Raises
        ------
        AttributeError
            If the fitted model is not PCA. Then there is no closed form.
        """
        return self._as_pca().get_covariance()

    def get_precision(self):
        """Return the inverse of the covariance of the rows by probabilistic PCA.

        Returns
        -------
        precision : ndarray of shape (n_features_in_, n_features_in_)
            Estimated precision of the rows.

        Raises
        ------
        AttributeError
            If the fitted model is not PCA. Then there is no closed form.
        """
        return self._as_pca().get_precision()

    @functools.cached_property
    def encoder_(self):
        """keras.Model: ``transform`` in Keras' own layers and float32."""
        check_is_fitted(self)
        return keras_encoder(self._model)

    @functools.cached_property
    def decoder_(self):
        """keras.Model: ``inverse_transform`` in Keras' own layers and float32."""
        check_is_fitted(self)
        return keras_decoder(self._model)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _as_pca(self) -> PCA:
        """Return the fitted model as scikit-learn's PCA, which knows its covariance."""
        check_is_fitted(self)
        model = self._model
        if not (isinstance(model, LinearModel) and model.is_pca):
            raise AttributeError(
                f"The covariance has a closed form only where {type(self).__name__} "
                f"kept PCA. Here selected_model_={self.selected_model_!r}, a model "
                "without one."
            )
        pca = PCA(self.n_components_)
        pca.components_ = self.components_
        pca.explained_variance_ = self.explained_variance_
        pca.noise_variance_ = self.noise_variance_
        pca.n_components_ = self.n_components_
        pca.n_features_in_ = self.n_features_in_
        return pca

    def _encode(self, data: Any) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            codes = self._model.encode(data)
        if not np.isfinite(codes).all():
            data, observed = self._complete(data)
            if observed is not None:
                return self._encode(data)
            check_computed(self, codes)
        return codes

    def _complete(self, data: Any) -> tuple[Any, np.ndarray | None]:
        """Return rows without missing values, and which values are observed.

        The latter is None if nothing is missing.
        """
        observed = observed_values(self, data)
        if observed is None:
            return data, None
        model = self._model
        linear = model if isinstance(model, LinearModel) else model.linear
        if linear is None or not linear.can_fill:
            raise ValueError(
                f"Input X contains NaN, but this {type(self).__name__} knows no PCA to "
                "fill it in. Fit with missing values, or with skip_connections and "
                "without corruption, or use skae.impute.AutoencoderImputer."
            )
        return linear.fill(data, observed), observed

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            rows = self._model.decode(codes)
        check_computed(self, rows)
        return rows

    def _squared_errors(
        self,
        data: Any,
        observed: np.ndarray | None,
        unit: float = 1.0,
        target: Any = None,
    ) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            errors = squared_errors(self._model, data, unit, observed, target)
        check_computed(self, errors)
        return errors

    def __dir__(self):
        # Displays and tab completion read all attributes that are listed here. They
        # must not build Keras models. scikit-learn lists those that exist, and reads
        # them, too.
        unbuilt = set(KERAS_MODELS) - vars(self).keys()
        names = [name for name in object.__dir__(self) if name not in unbuilt]
        return [name for name in names if hasattr(self, name)]


# scikit-learn's `set_output` wraps `transform`, and would compute a lazy array to make
# a data frame of it. So the decorator goes around that.
_lazy = lazy_for_dask("n_components_")(FittedTransformer.transform)
FittedTransformer.transform = _lazy  # type: ignore[method-assign]


def _mapped(estimator: Any, name: str, X: Any, width: int | None) -> Any:
    """Return a lazy array: what a method makes of each block of rows."""
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
