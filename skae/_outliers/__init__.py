"""What the detector of outliers is made of."""

from ._cross_fit import CrossFit, check_enough_rows
from ._row_density import RowDensity

__all__ = ["CrossFit", "RowDensity", "check_enough_rows"]
