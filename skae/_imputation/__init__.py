"""Imputation: probabilistic PCA, and networks that correct it."""

from ._correction import Correction
from ._filling import Filling, Spread, filling_of
from ._training import trained
from ._units import Units

__all__ = ["Correction", "Filling", "Spread", "Units", "filling_of", "trained"]
