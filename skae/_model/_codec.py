"""What every codec offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .._data import Scaling, chunks, dense, variances


class Codec(ABC):
    """From rows to codes and back, in the data's units and in the dtype of the input.

    A codec holds plain arrays and no Keras object. So a pickle is small, and any
    version of Keras and any backend may load it.
    """

    components: Any
    """Derivative of decoded rows with respect to each code before whitening."""

    @property
    @abstractmethod
    def principal_axes(self) -> np.ndarray | None:
        """Axes of PCA, if the codec is PCA or is continued by PCA."""

    @abstractmethod
    def encode(self, X: Any) -> np.ndarray:
        """Return the codes of rows. They are not finite where a row is not."""

    @abstractmethod
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of codes."""

    @abstractmethod
    def keras_encoder(self) -> Any:
        """Return the encoder as a Keras model."""

    @abstractmethod
    def keras_decoder(self) -> Any:
        """Return the decoder as a Keras model."""


def squared_errors(
    codec: Codec, X: Any, unit: float = 1.0, observed: np.ndarray | None = None
) -> np.ndarray:
    """Return the squared reconstruction error of each row, in squares of a unit.

    Values that are not ``observed`` do not count.
    """
    parts = []
    for chunk in chunks(X):
        rows = dense(X[chunk])
        restored = codec.decode(codec.encode(rows))
        errors = np.subtract(rows, restored, dtype=float) / unit
        if observed is not None:
            errors *= observed[chunk]
        parts.append(np.square(errors).sum(axis=1))
    return np.concatenate(parts)


def explained(error: float, total: float) -> float:
    """Return the share of a total that an error leaves. 1 of nothing without error."""
    return float(1 - error / total) if total > 0 else float(error == 0)


def scatter(X: Any, observed: np.ndarray | None = None) -> tuple[Scaling, float]:
    """Return the mean and scale of rows, and their squared distance from the mean.

    The latter is a sum over all values, in squares of the scale. Values that are not
    ``observed`` do not count.
    """
    if observed is None:
        own = Scaling.fit(X)
        return own, variances(X, own.mean, own.scale).sum() * X.shape[0]
    own = Scaling.of_observed(X, observed)
    centred = np.where(observed, X - own.mean, 0) / own.scale
    return own, np.square(centred).sum()
