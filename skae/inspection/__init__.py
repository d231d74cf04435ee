"""What the codes of a row respond to, and what moves a decision about it."""

from ._decision_walk import decision_walk
from ._encoder_derivative import encoder_derivative

__all__ = ["decision_walk", "encoder_derivative"]
