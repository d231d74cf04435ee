"""Autoencoders that any scikit-learn user can swap in for ``PCA``."""

from ._autoencoder import AutoencoderTransformer
from ._convolutional import ConvolutionalAutoencoderTransformer

__version__ = "0.1.0.dev0"
__all__ = ["AutoencoderTransformer", "ConvolutionalAutoencoderTransformer"]
