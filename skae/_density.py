"""Densities of codes, to generate from."""

from __future__ import annotations

import copy
import inspect
from typing import Any, NamedTuple

import numpy as np


class Gaussian(NamedTuple):
    """The normal distribution of the training codes.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
        Their mean.

    covariance : ndarray of shape (n_components, n_components)
        Their covariance.
    """

    mean: np.ndarray
    covariance: np.ndarray

    def sample(self, n_samples: int, random_state: np.random.RandomState) -> np.ndarray:
        """Draw codes."""
        variances, axes = np.linalg.eigh(self.covariance)
        normal = random_state.standard_normal((n_samples, len(self.mean)))
        return self.mean + normal * np.sqrt(np.maximum(variances, 0)) @ axes.T


def draw(density: Any, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw codes from a density, whatever way it takes its randomness.

    Parameters
    ----------
    density : object
        With ``sample``, as scikit-learn's ``KernelDensity``, which is handed the
        random state, or ``GaussianMixture``, which has it as a parameter.

    n_samples : int
        Number of codes.

    rng : RandomState
        Source of randomness.
    """
    if "random_state" in inspect.signature(density.sample).parameters:
        return density.sample(n_samples, random_state=rng)
    seeded = copy.copy(density).set_params(random_state=rng.randint(2**31))
    drawn = seeded.sample(n_samples)
    # A mixture also tells which of its components each comes from.
    codes = drawn[0] if isinstance(drawn, tuple) else drawn
    return codes[rng.permutation(n_samples)]
