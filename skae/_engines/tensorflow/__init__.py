"""The engine on TensorFlow. Importing it starts TensorFlow."""

from ._backend import TensorFlowBackend

__all__ = ["TensorFlowBackend"]
