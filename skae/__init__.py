"""Autoencoders that any scikit-learn user can swap in for PCA."""

__version__ = "0.1.0.dev0"

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from ._autoencoder import AutoencoderTransformer
from ._environment import show_versions
from ._keras import keras_backend
from ._variational import VariationalAutoencoderTransformer

__all__ = [
    "AutoencoderTransformer",
    "VariationalAutoencoderTransformer",
    "keras_backend",
    "show_versions",
]

_MODULES = [
    "imbalance",
    "impute",
    "inspection",
    "onnx",
    "outliers",
    "plot",
    "tables",
]

# Type checkers and editors read the list, Python imports what is used.
if _TYPE_CHECKING:
    from . import imbalance as imbalance
    from . import impute as impute
    from . import inspection as inspection
    from . import onnx as onnx
    from . import outliers as outliers
    from . import plot as plot
    from . import tables as tables
else:

    def __getattr__(name):
        """Import a public module when it is first used, as in ``skae.impute``."""
        if name not in _MODULES:
            raise AttributeError(f"module 'skae' has no attribute {name!r}")
        try:
            return _import_module(f"skae.{name}")
        except ImportError as error:
            # `help(skae)` reads all names, and passes over those with this error.
            raise AttributeError(
                f"skae.{name} cannot be imported: {error}. Its extra brings what it "
                f'needs: pip install "skae[{name}]"'
            ) from error

    def __dir__():
        return [*__all__, *_MODULES, "__version__"]
