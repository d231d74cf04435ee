"""What the detector of outliers is made of."""

from ._held_out import HeldOutFits, check_enough_rows
from ._row_density import RowDensity

__all__ = ["HeldOutFits", "RowDensity", "check_enough_rows"]
