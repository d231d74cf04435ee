"""Autoencoders that any scikit-learn user can swap in for PCA."""

from ._autoencoder import AutoencoderTransformer
from ._convolutional import ConvolutionalAutoencoderTransformer
from ._variational import VariationalAutoencoderTransformer

__all__ = [
    "AutoencoderTransformer",
    "ConvolutionalAutoencoderTransformer",
    "VariationalAutoencoderTransformer",
]
__version__ = "0.1.0.dev0"
