"""The engine on PyTorch. Importing it starts PyTorch."""

from ._backend import TorchBackend

__all__ = ["TorchBackend"]
