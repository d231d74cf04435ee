"""Autoencoders that any scikit-learn user can swap in for PCA."""

from ._autoencoder import AutoencoderTransformer
from ._convolutional import ConvolutionalAutoencoderTransformer
from ._keras import keras_backend
from ._variational import VariationalAutoencoderTransformer
from ._version import __version__ as __version__

__all__ = [
    "AutoencoderTransformer",
    "ConvolutionalAutoencoderTransformer",
    "VariationalAutoencoderTransformer",
    "keras_backend",
]
