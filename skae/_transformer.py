"""What a fitted estimator does: a scikit-learn transformer around a codec."""

from __future__ import annotations

import functools
from abc import ABC
from numbers import Integral
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_random_state,
    check_scalar,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from ._data import variances
from ._model import Codec, draw_from, squared_errors

_FLOATS = [np.float64, np.float32]
_KERAS_MODELS = ("encoder_", "decoder_")


class CodecTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC
):
    """Encode, decode, score and sample, with the codec that ``fit`` stores."""

    _codec: Codec
    density_: Any
    n_components_: int

    def transform(self, X):
        """Encode ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components_)
            Their codes, in the dtype of ``X``.
        """
        check_is_fitted(self)
        # Codes of values that are not finite are not finite either. A separate test of
        # all values would take a third of the time.
        data = self._validate(X, reset=False, finite=False)
        with np.errstate(invalid="ignore", over="ignore"):
            codes = self._codec.encode(data)
        if not np.isfinite(codes).all():
            self._check_finite(data)
        return codes

    def inverse_transform(self, X):
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            Codes, as ``transform`` returns them.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features_in_)
            The reconstructed rows, in the dtype of ``X``.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=_FLOATS, input_name="X")
        self._check_finite(codes)
        if codes.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {codes.shape[1]} features, but "
                f"{type(self).__name__}.inverse_transform is expecting "
                f"{self.n_components_} features as input, one for each component."
            )
        return self._codec.decode(codes)

    def reconstruct(self, X):
        """Encode and decode ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
            ``inverse_transform(transform(X))``.
        """
        check_is_fitted(self)
        data = self._validate(X, reset=False)
        return self._codec.decode(self._codec.encode(data))

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
        return self._codec.decode(np.asarray(codes, dtype=np.float64))

    def score_samples(self, X):
        """Return minus the mean squared error of each row's reconstruction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In the data's squared units. Higher is better; 0 is perfect.
        """
        check_is_fitted(self)
        data = self._validate(X, reset=False)
        return -squared_errors(self._codec, data) / data.shape[1]

    def score(self, X, y=None):
        r"""Return the share of the variance of ``X`` that the codes explain.

        .. math::
            1 - \frac{\sum_i \lVert x_i - \hat x_i \rVert^2}
                     {\sum_i \lVert x_i - \bar x \rVert^2}

        where :math:`\bar x` is the mean of ``X``. For PCA and its training data this is
        ``explained_variance_ratio_.sum()``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
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
        data = self._validate(X, reset=False)
        error = squared_errors(self._codec, data).sum()
        total = variances(data).sum() * data.shape[0]
        return float(1 - error / total) if total > 0 else float(error == 0)

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
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self):
        state = super().__getstate__()
        return {name: state[name] for name in state if name not in _KERAS_MODELS}

    def _set_codec(self, codec: Codec) -> None:
        self._codec = codec
        for name in _KERAS_MODELS:
            self.__dict__.pop(name, None)

    def _validate(self, X, reset: bool, finite: bool = True):
        data = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=_FLOATS,
            reset=reset,
            ensure_all_finite=False,
        )
        if finite:
            self._check_finite(data)
        return data

    def _validate_clean(self, X_clean, shown):
        name = "X_clean"
        clean = check_array(
            X_clean,
            accept_sparse="csr",
            dtype=_FLOATS,
            ensure_all_finite=False,
            input_name=name,
        )
        if clean.shape != shown.shape:
            raise ValueError(
                f"X_clean has shape {clean.shape}, but X has shape {shown.shape}. "
                "It must hold one row for each row of X."
            )
        self._check_finite(clean, name)
        return clean

    def _check_finite(self, data, name: str = "X") -> None:
        values = data.data if issparse(data) else data
        assert_all_finite(values, estimator_name=type(self).__name__, input_name=name)
        if values.dtype == np.float32:
            return
        largest = max(values.max(initial=0), -values.min(initial=0))
        if largest > np.finfo(np.float32).max:
            raise ValueError(
                f"Input {name} contains infinity or a value too large for "
                f"dtype('float32'), in which {type(self).__name__} computes. "
                "Rescale the data first."
            )
