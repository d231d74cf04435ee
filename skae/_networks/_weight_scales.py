"""Scales of weights: one optimizer step changes each weight by a comparable amount."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_LEAST = 1e-12
"""Least share of the variance, so that no scale is zero where PCA is exact."""


class WeightScales(NamedTuple):
    """How far numbers spread where they enter the networks and where they leave.

    A step of an optimizer such as Adam is about as long for every weight. Its effect
    depends on what the weight is multiplied by and on what the product is added to. So
    weights of inputs are rescaled by one over the deviation of the input, and weights
    of outputs by what PCA leaves. Then one step changes every output by a comparable
    amount, whether or not one feature dominates, and however little PCA leaves.

    Parameters
    ----------
    unexplained : float
        Share of the variance that PCA leaves; 1 without PCA.

    rows : ndarray of shape (n_features,) or None
        Deviation of each feature. None where weights are not rescaled.

    codes : ndarray of shape (n_components,) or None
        Deviation of each component.

    residual : float
        Deviation of what PCA leaves. The loss is divided by its square.
    """

    unexplained: float
    rows: np.ndarray | None = None
    codes: np.ndarray | None = None
    residual: Any = 1.0

    @classmethod
    def of(
        cls, components: np.ndarray, variances: np.ndarray, unexplained: float
    ) -> WeightScales:
        """Return the deviations of probabilistic PCA (Tipping & Bishop 1999).

        A feature has the variance that the components explain, plus an equal share of
        the rest. They are rounded to powers of two, so that rescaling rounds nothing.

        Parameters
        ----------
        components : ndarray of shape (n_components, n_features)
            Orthonormal axes.

        variances : ndarray of shape (n_components,)
            Along each axis, in units in which the mean over the features is 1.

        unexplained : float
            Share of the variance off the axes.
        """
        residual = max(unexplained, _LEAST)
        explained = variances @ np.square(components)
        return cls(
            unexplained,
            _power_of_two(np.sqrt(explained + residual)),
            _power_of_two(np.sqrt(variances + residual)),
            _power_of_two(np.sqrt(residual)),
        )


def _power_of_two(values) -> np.ndarray:
    return np.exp2(np.rint(np.log2(values))).astype(np.float32)
