"""``partial_fit``: rows that arrive in batches."""

from ._mixin import IncrementalMixin

__all__ = ["IncrementalMixin"]
