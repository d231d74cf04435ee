"""What the detector of outliers is made of."""

from ._code_density import LOG_2_PI, CodeDensity
from ._held_out import HeldOutFits, check_can_hold_out
from ._row_density import EncodedRows, RowDensity

__all__ = [
    "LOG_2_PI",
    "CodeDensity",
    "EncodedRows",
    "HeldOutFits",
    "RowDensity",
    "check_can_hold_out",
]
