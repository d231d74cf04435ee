"""Imputation: probabilistic PCA, and networks that correct it."""

from ._correction import Correction
from ._filling import Filling
from ._training import trained
from ._units import Units

__all__ = ["Correction", "Filling", "Units", "trained"]
