"""What training minimises. Each term is a module of its own."""

from ._objective import Objective
from ._term import Draw, ForwardPass, Term

__all__ = ["Draw", "ForwardPass", "Objective", "Term"]
