"""Autoencoders that any scikit-learn user can swap in for PCA."""

__version__ = "0.1.0.dev0"

from ._autoencoder import AutoencoderTransformer
from ._keras import keras_backend
from ._variational import VariationalAutoencoderTransformer

__all__ = [
    "AutoencoderTransformer",
    "VariationalAutoencoderTransformer",
    "keras_backend",
]
