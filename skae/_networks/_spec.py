"""What a network is, as plain hashable values without a Keras object."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np

from .._state import stored

NUMPY_ACTIVATIONS: frozenset[Any] = frozenset(
    (None, "linear", "relu", "leaky_relu", "tanh", "sigmoid", "silu")
)
"""Keras' activations that NumPy computes as well."""


@stored("dense layers")
@dataclass(frozen=True)
class DenseLayers:
    """Dense hidden layers. The decoder mirrors the encoder.

    Parameters
    ----------
    sizes : tuple of int
        Widths of the encoder's hidden layers.

    activation : str or callable
        Keras activation of the hidden layers.

    dropout : float
        Fraction of hidden units dropped in training.

    see_inputs : bool
        Whether every hidden layer also sees the inputs of the network.
    """

    sizes: tuple[int, ...]
    activation: str | Callable = "relu"
    dropout: float = 0.0
    see_inputs: bool = False

    @classmethod
    def of(cls, parameters: dict[str, Any], *, see_inputs: bool = False) -> DenseLayers:
        """Return the layers that an estimator's parameters describe."""
        sizes = checked_sizes("hidden_layer_sizes", parameters["hidden_layer_sizes"])
        activation, dropout = parameters["activation"], float(parameters["dropout"])
        return cls(sizes, activation, dropout, see_inputs)


@stored("convolution")
class Convolution(NamedTuple):
    """A convolutional layer of the encoder. The decoder mirrors it.

    Parameters
    ----------
    filters : int
        Number of features found in each window.

    kernel_size, strides : tuple of two int
        Sides of the windows and the distances between them, in pixels or cells.
    """

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]


@stored("convolutional layers")
@dataclass(frozen=True)
class ConvolutionalLayers:
    """Convolutions of images, then dense layers. The decoder mirrors the encoder.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width and channels.

    convolutions : tuple of Convolution
        The encoder's convolutional layers.

    dense_layers : DenseLayers
        Between these and the code. Their activation is also that of the convolutions.
    """

    image_shape: tuple[int, int, int]
    convolutions: tuple[Convolution, ...]
    dense_layers: DenseLayers

    def cells(self) -> list[tuple[int, int]]:
        """Return rows and columns before the first convolution and after each."""
        found = [self.image_shape[:2]]
        for layer in self.convolutions:
            height, width = (
                math.ceil(size / step)
                for size, step in zip(found[-1], layer.strides, strict=True)
            )
            found.append((height, width))
        return found


@stored("custom layers")
@dataclass(frozen=True)
class CustomLayers:
    """What a callable of the user's builds.

    Parameters
    ----------
    builder : callable
        Called with the keywords ``n_features`` and ``n_components``. It returns a
        ``keras.Model``.
    """

    builder: Callable[..., Any]


Layers = DenseLayers | ConvolutionalLayers | CustomLayers
"""The layers between rows and codes. Equal values build equal layers."""


@stored("network")
@dataclass(frozen=True)
class NetworkSpec:
    """Everything that decides the shape of a network, and nothing else.

    Estimators with equal specs share a compiled program. They differ only in their
    arrays.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the rows and of the code.

    encoder, decoder : DenseLayers, ConvolutionalLayers or CustomLayers
        The layers between rows and codes, and back.

    linear_path : bool
        Whether a linear layer joins rows and codes beside these layers. It holds the
        linear model.

    output_activation : str, callable or None
        Keras activation of the decoder's output.

    likelihood : {"gaussian", "bernoulli"} or None
        Likelihood of a row given its code, in a variational autoencoder. The encoder
        then returns mean and log-variance of the code, and the decoder returns what the
        likelihood needs.

    image_shape : tuple of int or None
        Height, width and channels of the image that a row is.

    n_targets : int
        Number of values that a linear head predicts from the code, beside the row.

    target_kind : {"classes", "numbers"} or None
        What they are: logits of classes, or numbers. None without a head.

    n_inputs : int or None
        Number of values that the encoder sees. None stands for ``n_features``.
    """

    n_features: int
    n_components: int
    encoder: Layers
    decoder: Layers
    linear_path: bool = True
    output_activation: str | Callable | None = None
    likelihood: Literal["gaussian", "bernoulli"] | None = None
    image_shape: tuple[int, int, int] | None = None
    n_targets: int = 0
    target_kind: Literal["classes", "numbers"] | None = None
    n_inputs: int | None = None

    @property
    def uses_raw_inputs(self) -> bool:
        """Whether the network sees the data as they are, not centred and scaled."""
        return self.output_activation is not None or self.likelihood == "bernoulli"

    @property
    def is_custom(self) -> bool:
        """Whether the user's own code builds a part of the network."""
        return CustomLayers in (type(self.encoder), type(self.decoder))

    @property
    def is_dense(self) -> bool:
        """Whether there are dense layers only."""
        return type(self.encoder) is type(self.decoder) is DenseLayers

    @property
    def is_linear(self) -> bool:
        """Whether the linear path is all there is."""
        sizes = (
            getattr(self.encoder, "sizes", None),
            getattr(self.decoder, "sizes", None),
        )
        return self.linear_path and sizes == ((), ())

    @property
    def has_linear_codes(self) -> bool:
        """Whether the code layer is linear, so that codes may be rotated."""
        return self.linear_path or type(self.encoder) is not CustomLayers

    @property
    def final_activation(self) -> str | Callable | None:
        """What turns the decoder's output into rows."""
        return "sigmoid" if self.likelihood == "bernoulli" else self.output_activation

    @property
    def runs_in_numpy(self) -> bool:
        """Whether NumPy computes the network, so that Keras is not needed."""
        if not self.is_dense:
            return False
        # Both are dense here, as the line above has checked.
        layers = self.encoder.activation, self.decoder.activation  # type: ignore[union-attr]
        return NUMPY_ACTIVATIONS.issuperset((*layers, self.final_activation))


def checked_sizes(parameter: str, value: Any) -> tuple[int, ...]:
    """Return an integer or a sequence of integers as a tuple.

    Raises
    ------
    ValueError
        If one of them is not an integer above zero.
    """
    given = np.asarray(value, dtype=object)
    sizes = given.ravel().tolist()
    for number, size in enumerate(sizes):
        is_integer = isinstance(size, Integral) and not isinstance(size, bool)
        if given.ndim > 1 or not is_integer or int(size) < 1:
            raise ValueError(
                f"{parameter} must hold integers above 0. Got {value!r} instead."
            )
        sizes[number] = int(size)
    return tuple(sizes)
