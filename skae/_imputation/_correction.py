"""Networks that correct an imputation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._networks import NetworkSpec

_ROWS = 4096
"""Rows in a block. Their hidden values stay small."""


@dataclass(frozen=True)
class Correction:
    """The mean of a few networks, for the features that it improves.

    Parameters
    ----------
    spec : NetworkSpec
        The network that all of them are.

    weights : list of dict
        Weights of each.

    unit : float
        What one unit of the networks is, in deviations.

    shares : ndarray of shape (n_features,)
        From 0 to 1, the share of the networks' correction that is added to a feature. 0
        for features that are not corrected.
    """

    spec: NetworkSpec
    weights: list[dict]
    unit: float
    shares: np.ndarray

    def of(self, inputs: np.ndarray) -> np.ndarray:
        """Return what is to be added to imputed rows, in deviations."""
        found = np.zeros((len(inputs), self.spec.n_features))
        for start in range(0, len(inputs), _ROWS):
            part = slice(start, start + _ROWS)
            for weights in self.weights:
                found[part] += predicted(self.spec, weights, inputs[part])
        return found * (self.unit / len(self.weights)) * self.shares


def predicted(spec: NetworkSpec, weights: dict, inputs: np.ndarray) -> np.ndarray:
    """Return what one network predicts, computed by NumPy."""
    # In float64 a row's result does not depend on the other rows, but for rounding.
    into, out = (
        [array.astype(np.float64) for array in weights[name][0]]
        for name in ("encoder", "decoder")
    )
    codes = spec.encoder.numpy_forward(spec)(into, inputs.astype(np.float64))
    return spec.decoder.numpy_forward(spec)(out, codes)
