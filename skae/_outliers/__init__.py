"""What the detector of outliers is made of."""

from ._held_out import HeldOutFits, check_can_hold_out
from ._row_density import EncodedRows

__all__ = ["EncodedRows", "HeldOutFits", "check_can_hold_out"]
