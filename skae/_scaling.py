"""Centre by the mean and divide by one global scale: what makes training unit-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEPS = 2.0**16


def on_grid(values: np.ndarray) -> np.ndarray:
    """Round to multiples of 2^-16, as float32, so that rounding errors drop out."""
    return (np.round(values * _STEPS) / _STEPS).astype(np.float32)


@dataclass(frozen=True)
class Scaling:
    r"""The map between the data's own units and the network's.

    The network sees :math:`(x - \mu) / s`, where :math:`\mu` is the mean of the
    training rows and :math:`s = \sqrt{\frac{1}{d} \sum_j \mathrm{Var}(x_j)}` one
    number for all features. A single scale keeps the isotropic squared error that PCA
    minimises; a scale for each feature would change the question.

    Parameters
    ----------
    mean : ndarray of shape (n_features,), float64
        Mean of each feature.

    scale : float
        Root of the mean variance, in the data's units; 1 for constant data.
    """

    mean: np.ndarray
    scale: float

    @classmethod
    def fit(cls, X: np.ndarray) -> Scaling:
        """Measure the mean and the scale of the rows of ``X`` in float64."""
        mean = X.mean(axis=0, dtype=np.float64)
        scale = float(np.sqrt(X.var(axis=0, dtype=np.float64).mean()))
        # A constant feature's computed deviation is its mean's rounding error.
        rounding = 10 * np.finfo(np.float64).eps * np.abs(mean).max(initial=0.0)
        return cls(mean, scale if scale > rounding else 1.0)

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Return ``X`` in the network's units, as float32.

        The mean is subtracted in float64: far from the origin a float32 row would have
        lost its small differences before they could be taken.
        """
        return ((X - self.mean) / self.scale).astype(np.float32)

    def apply_for_training(self, X: np.ndarray) -> np.ndarray:
        """Return ``X`` in the network's units, on a grid of 2^-16 of them.

        Training magnifies the last bit of its data, and a change of units changes last
        bits: off the grid, the same data in metres and in feet would end at different
        networks.
        """
        return on_grid(self.apply(X))

    def invert(self, rows: np.ndarray) -> np.ndarray:
        """Return network outputs in the data's units, as float64."""
        return rows * self.scale + self.mean
