"""What a network is, as plain hashable values: no Keras object in sight."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple


class Convolution(NamedTuple):
    """A convolutional layer of the encoder; the decoder mirrors it.

    Parameters
    ----------
    filters : int
        Features that it finds in each window.

    kernel_size, strides : tuple of two int
        Sides of the windows and the distances between them, in pixels or cells.
    """

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that decides the shape of a network, and nothing else.

    Two estimators with equal specs share one compiled program and differ only in
    their arrays.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the rows and of the code.

    hidden_layer_sizes : tuple of int
        Widths of the encoder's hidden layers; the decoder mirrors them.

    activation : str or callable
        Keras activation of the hidden layers.

    dropout : float
        Share of hidden units dropped in training.

    skip_connections : {"linear", "dense"} or None
        Which layers see the input (in the encoder) or the code (in the decoder) beside
        the layer before them.

    encoder, decoder : callable or None
        Builders of the user's own networks, called with the keywords ``n_features``
        and ``n_components``.

    image_shape : tuple of int or None
        Height, width and channels of the image that a row is.

    convolutions : tuple of Convolution
        Layers before the hidden ones of the encoder.

    output_activation : str, callable or None
        Keras activation of the decoder's output.

    likelihood : {"gaussian", "bernoulli"} or None
        Of a row given its code, in a variational autoencoder: the encoder returns mean
        and log-variance of the code, the decoder what the likelihood takes.
    """

    n_features: int
    n_components: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str | Callable
    dropout: float
    skip_connections: Literal["linear", "dense"] | None
    encoder: Callable[..., Any] | None = None
    decoder: Callable[..., Any] | None = None
    image_shape: tuple[int, int, int] | None = None
    convolutions: tuple[Convolution, ...] = ()
    output_activation: str | Callable | None = None
    likelihood: Literal["gaussian", "bernoulli"] | None = None

    @property
    def starts_at_pca(self) -> bool:
        """Whether a linear path joins input, code and output."""
        return self.skip_connections is not None

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Rows and columns before the first convolution and after each."""
        assert self.image_shape is not None
        found = [self.image_shape[:2]]
        for layer in self.convolutions:
            height, width = (
                math.ceil(size / step)
                for size, step in zip(found[-1], layer.strides, strict=True)
            )
            found.append((height, width))
        return found

    @property
    def keeps_units(self) -> bool:
        """Whether outputs are in the data's own units, neither centred nor scaled."""
        return self.output_activation is not None or self.likelihood == "bernoulli"

    @property
    def is_custom(self) -> bool:
        """Whether the user's own code builds a part of the network."""
        return self.encoder is not None or self.decoder is not None

    @property
    def is_dense(self) -> bool:
        """Whether all layers are skae's own and see rows and codes as plain vectors."""
        return not self.is_custom and not self.convolutions

    @property
    def is_linear(self) -> bool:
        """Whether the linear path is all there is."""
        layers = self.convolutions or self.hidden_layer_sizes
        return self.starts_at_pca and not layers and not self.is_custom

    @property
    def has_linear_codes(self) -> bool:
        """Whether the code layer is linear, so that a rotation of it is free."""
        return self.starts_at_pca or self.encoder is None
