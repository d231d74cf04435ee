"""What training minimises: one file for each term."""

from ._contraction import Contraction
from ._corruption import Corruption
from ._likelihood import (
    Likelihood,
    divergences,
    draw_codes,
    negative_log_likelihood,
)
from ._objective import Objective
from ._reconstruction import Reconstruction
from ._sparsity import Sparsity
from ._term import Draw, ForwardPass, Term
from ._weight_penalty import WeightPenalty

__all__ = [
    "Contraction",
    "Corruption",
    "Draw",
    "ForwardPass",
    "Likelihood",
    "Objective",
    "Reconstruction",
    "Sparsity",
    "Term",
    "WeightPenalty",
    "divergences",
    "draw_codes",
    "negative_log_likelihood",
]
