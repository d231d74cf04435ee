"""The derivative of an encoder at a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from .._data import slices
from .._model import NetworkCodec
from .._pipelines import Parts, as_array, checked_row, like, rows_of

_STEP, _COARSE_STEP = 1e-3, 3e-2
"""Steps of differences in deviations of a feature, in float64 and in float32."""

_FEATURES = 64
"""Features of a call. Dense networks encode twice as many rows in float64."""


def encoder_derivative(estimator: Any, X: Any, row: int) -> np.ndarray:
    """Return how fast the codes of a row change with each of its features.

    Parameters
    ----------
    estimator : estimator
        A fitted autoencoder, a pipeline that contains one, or a search over one.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows. Their deviations set the steps of the differences.

    row : int
        Number of the row of ``X`` at which to differentiate, from 0.

    Returns
    -------
    derivative : ndarray of shape (n_components, n_features)
        Derivative of each code with respect to each feature of ``X``, in the units of
        both. Multiply it with ``X.std(axis=0)`` to compare features in different units.

    See Also
    --------
    skae.plot.EncoderDerivativeDisplay : Shows it.
    decision_walk : What moves a decision.

    Notes
    -----
    The derivative is computed by central differences. So it includes all steps before
    the autoencoder, and it needs no particular backend. A difference spans a thousandth
    of the feature's standard deviation to both sides, or three hundredths where a
    network is computed in float32: convolutional ones, and those with other activations
    than NumPy computes. For PCA the derivative is ``components_``, at any row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.inspection import encoder_derivative
    >>> X, _ = load_digits(return_X_y=True)
    >>> pca = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
    >>> derivative = encoder_derivative(pca, X, row=0)
    >>> np.allclose(derivative, pca.components_)
    True
    """
    parts = Parts.of(estimator)
    scaler = StandardScaler(with_mean=False).fit(X)
    row = checked_row(row, X.shape[0] if hasattr(X, "shape") else len(X))
    at = as_array(rows_of(X, slice(row, row + 1)))[0]
    typical = np.sqrt(scaler.var_.mean()) or 1.0
    steps = _step(parts.autoencoder) * np.where(
        scaler.var_ > 0, np.sqrt(scaler.var_), typical
    )
    columns = []
    for part in slices(len(at), _FEATURES):
        moves = np.eye(len(at))[part] * steps
        asked = np.concatenate([at + moves, at - moves])
        above, below = np.split(parts.encode(like(X, asked)).astype(np.float64), 2)
        # The steps as they were taken, after rounding.
        taken = (at + steps) - (at - steps)
        columns.append((above - below) / taken[part, None])
    return np.concatenate(columns).T


def _step(autoencoder: Any) -> float:
    codec = getattr(autoencoder, "_codec", None)
    in_float32 = isinstance(codec, NetworkCodec) and not codec.spec.has_numpy_forward
    return _COARSE_STEP if in_float32 else _STEP
