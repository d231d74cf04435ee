"""The engine on JAX. Importing it starts JAX."""

from ._backend import JaxBackend

__all__ = ["JaxBackend"]
