"""What a fitted estimator does: a scikit-learn transformer around a codec."""

from __future__ import annotations

import functools
from abc import ABC
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted

from ._covariance import as_pca
from ._data import Collection, is_collection
from ._documentation import API_PAGE
from ._imputation import Filling, Spread, filling_of
from ._layout import with_layout, without_layout
from ._lazy import lazy_for_dask
from ._model import Codec, draw_from, explained, scatter, squared_errors
from ._validation import check_computed, observed_values, validated, validated_codes

_KERAS_MODELS = ("encoder_", "decoder_")


class CodecTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC
):
    """Encode, decode, score and sample, with the codec that ``fit`` stores."""

    _doc_link_module = "skae"
    _doc_link_template = API_PAGE
    _codec: Codec
    _filling: Filling | Spread | None = None
    selected_model_: str
    explained_variance_: np.ndarray
    noise_variance_: float
    density_: Any
    n_components_: int
    n_features_in_: int

    @lazy_for_dask("n_components_")
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

    def score(self, X, y=None):
        r"""Return the share of the variance of ``X`` that the codes explain.

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

        Returns
        -------
        score : float
            At most 1. If ``X`` does not vary, 1 for an exact reconstruction and 0
            otherwise, as in :func:`sklearn.metrics.r2_score`.
        """
        check_is_fitted(self)
        if is_collection(X):
            error = -float(self.score_samples(X).sum()) * self.n_features_in_
            return explained(error, np.trace(Collection.of(X).summary.moments.scatter))
        data, observed = self._complete(validated(self, X, finite=False))
        # In units of the data, since squares of very small values are zero.
        own, total = scatter(data, observed)
        error = self._squared_errors(data, observed, own.scale).sum()
        return explained(error, total)

    @property
    def components_(self) -> np.ndarray:
        """ndarray: what each code adds to a row, see the class."""
        check_is_fitted(self)
        return self._codec.components

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
        return as_pca(self).get_covariance()

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
        return as_pca(self).get_precision()

    @functools.cached_property
    def encoder_(self):
        """keras.Model: ``transform`` in Keras' own layers and float32."""
        check_is_fitted(self)
        return self._codec.keras_encoder()

    @functools.cached_property
    def decoder_(self):
        """keras.Model: ``inverse_transform`` in Keras' own layers and float32."""
        check_is_fitted(self)
        return self._codec.keras_decoder()

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = getattr(self, "target_weight", 0) > 0
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self):
        state = super().__getstate__()
        kept = {name: state[name] for name in state if name not in _KERAS_MODELS}
        return with_layout(kept)

    def __setstate__(self, state):
        super().__setstate__(without_layout(self, state))

    def _encode(self, data: Any) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            codes = self._codec.encode(data)
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
        filling = filling_of(self, self._filling, self._codec.principal_axes)
        return filling.filled(data, observed), observed

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            rows = self._codec.decode(codes)
        check_computed(self, rows)
        return rows

    def _squared_errors(
        self, data: Any, observed: np.ndarray | None, unit: float = 1.0
    ) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            errors = squared_errors(self._codec, data, unit, observed)
        check_computed(self, errors)
        return errors

    def __dir__(self):
        # Displays and tab completion read all attributes that are listed here. They
        # must not build Keras models. scikit-learn lists those that exist, and reads
        # them, too.
        unbuilt = set(_KERAS_MODELS) - vars(self).keys()
        names = [name for name in object.__dir__(self) if name not in unbuilt]
        return [name for name in names if hasattr(self, name)]

    def _forget_keras_models(self) -> None:
        for name in _KERAS_MODELS:
            self.__dict__.pop(name, None)
