"""What training minimises. Each term is a module of its own."""

from ._label_statistics import LabelStatistics, is_labelled
from ._objective import Objective
from ._term import Draw, ForwardPass, Term

__all__ = [
    "Draw",
    "ForwardPass",
    "LabelStatistics",
    "Objective",
    "Term",
    "is_labelled",
]
