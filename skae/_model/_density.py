"""Distributions of codes, from which new rows are generated."""

from __future__ import annotations

import copy
import inspect
from typing import Any, NamedTuple

import numpy as np


class Gaussian(NamedTuple):
    """A normal distribution of codes.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
        Mean of the codes.

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


def draw_from(density: Any, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw codes from a density estimator.

    Parameters
    ----------
    density : object
        An estimator with ``sample``. That of scikit-learn's ``KernelDensity`` takes the
        random state as an argument. ``GaussianMixture`` has it as a parameter.

    n_samples : int
        Number of codes.

    rng : RandomState
        Source of randomness.
    """
    if "random_state" in inspect.signature(density.sample).parameters:
        return density.sample(n_samples, random_state=rng)
    seeded = copy.copy(density).set_params(random_state=rng.randint(2**31))
    drawn = seeded.sample(n_samples)
    # A mixture also returns the mixture component of each code.
    codes = drawn[0] if isinstance(drawn, tuple) else drawn
    return codes[rng.permutation(n_samples)]
