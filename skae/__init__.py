"""Autoencoders that any scikit-learn user can swap in for PCA."""

from ._autoencoder import AutoencoderTransformer

__all__ = ["AutoencoderTransformer"]
__version__ = "0.1.0.dev0"
