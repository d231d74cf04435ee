"""PCA as a codec, computed by NumPy in the dtype of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._data import chunks, dense
from ._codec import Codec


@dataclass(frozen=True)
class LinearCodec(Codec):
    """A linear model, kept because training did not improve on it.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Mean of the training rows.

    components : ndarray of shape (n_components, n_features)
        What a code adds to a row. Principal axes, if the model is PCA.

    deviations : ndarray of shape (n_components,) or None
        The codes are divided by these, if they are whitened.

    projection : ndarray of shape (n_features, n_components) or None
        Maps centred rows to codes. None stands for PCA's transposed components.
    """

    mean: np.ndarray
    components: np.ndarray
    deviations: np.ndarray | None = None
    projection: np.ndarray | None = None

    @property
    def is_pca(self) -> bool:
        """Whether the model is PCA."""
        return self.projection is None

    @property
    def principal_axes(self) -> np.ndarray | None:
        """Axes of PCA, if the codec is PCA."""
        return self.components if self.is_pca else None

    def encode(self, X: Any) -> np.ndarray:
        """Return the codes of rows."""
        axes = self._axes.astype(X.dtype)
        mean = self.mean.astype(X.dtype)
        if issparse(X):
            codes = X @ axes - mean @ axes
        else:
            parts = [(dense(X[rows]) - mean) @ axes for rows in chunks(X)]
            codes = np.concatenate(parts)
        if self.deviations is not None:
            codes /= self.deviations.astype(X.dtype)
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of codes."""
        dtype = codes.dtype
        if self.deviations is not None:
            codes = codes * self.deviations.astype(dtype)
        return codes @ self.components.astype(dtype) + self.mean.astype(dtype)

    def keras_encoder(self) -> Any:
        """Return the encoder as a Keras model."""
        from ._export import affine_encoder

        return affine_encoder(self.mean, self._axes / self._factors)

    def keras_decoder(self) -> Any:
        """Return the decoder as a Keras model."""
        from ._export import affine_decoder

        return affine_decoder(self.mean, self.components * self._factors[:, None])

    @property
    def _axes(self) -> np.ndarray:
        return self.components.T if self.projection is None else self.projection

    @property
    def _factors(self) -> np.ndarray:
        if self.deviations is None:
            return np.ones(len(self.components), self.components.dtype)
        return self.deviations
