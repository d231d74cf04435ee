"""What a network is, as plain hashable values without a Keras object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from ._dense_numpy import ACTIVATIONS


class Path(NamedTuple):
    """What the layers of a family compute, as Keras tensors.

    Parameters
    ----------
    output : KerasTensor or None
        Codes or rows. They are added to those of the linear path, if there is one. None
        where the linear path is all there is.

    hidden : KerasTensor
        What the last hidden layer returns.
    """

    output: Any
    hidden: Any


class Family(ABC):
    """The layers between rows and codes, as a hashable value.

    A family knows everything that depends on the kind of its layers. Equal families
    build equal layers. A further family is one more file.

    Weights start at zero in the layer named ``CORRECTION``. Other kernels are drawn.
    Everything else starts at what the layer's own initialisers give, which a layer of
    Keras stores as ``layer.bias_initializer`` and the like.
    """

    @property
    def is_empty(self) -> bool:
        """Whether there are no layers, only the linear path."""
        return False

    @property
    def is_custom(self) -> bool:
        """Whether the user's code builds the layers."""
        return False

    @property
    def has_weight_scales(self) -> bool:
        """Whether ``weight_scales`` returns anything but ones."""
        return False

    @property
    def has_coordinates(self) -> bool:
        """Whether ``with_coordinates`` can change the coordinates of rows."""
        return False

    @abstractmethod
    def encoder_path(self, rows: Any, spec: NetworkSpec, standard: bool) -> Path:
        """Build the encoder's layers.

        Parameters
        ----------
        rows : KerasTensor
            The input.

        spec : NetworkSpec
            The whole network.

        standard : bool
            Whether to use only layers of Keras, for models that users save.
        """

    @abstractmethod
    def decoder_path(self, codes: Any, spec: NetworkSpec, standard: bool) -> Path:
        """Build the decoder's layers, likewise."""

    def weight_scales(
        self, model: Any, deviations: np.ndarray, residual: float
    ) -> list[Any]:
        """Return the scale of each trainable weight of a model, for broadcasting.

        Parameters
        ----------
        model : keras.Model
            Encoder or decoder of this family.

        deviations : ndarray of shape (n_inputs,)
            Deviation of each input of the model.

        residual : float
            Deviation of what PCA leaves.
        """
        return [1.0] * len(model.trainable_variables)

    def numpy_forward(self, spec: NetworkSpec) -> Any:
        """Return the layers as a NumPy function, or None if there is none.

        The function takes a list of arrays, the trainable weights, and the inputs. It
        includes the linear path.
        """
        return None

    def numpy_forward_of_few(
        self, spec: NetworkSpec, side: Literal["encoder", "decoder"]
    ) -> Any:
        """Return a NumPy function for calls with few rows, or None if there is none.

        For many rows it may be slower than a compiled program.
        """
        return self.numpy_forward(spec)

    def with_coordinates(
        self,
        weights: list[np.ndarray],
        inputs: np.ndarray,
        outputs: np.ndarray,
        spec: NetworkSpec,
    ) -> list[np.ndarray]:
        """Return weights for other coordinates of the inputs and of the outputs.

        Parameters
        ----------
        weights : list of ndarray
            The trainable weights, in Keras' order.

        inputs : ndarray of shape (n_new_inputs, n_inputs)
            The present inputs are the new ones times this matrix.

        outputs : ndarray of shape (n_outputs, n_new_outputs)
            The new outputs are the present ones times this matrix.

        spec : NetworkSpec
            The whole network.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that decides the shape of a network, and nothing else.

    Estimators with equal specs share a compiled program. They differ only in their
    arrays.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the rows and of the code.

    encoder, decoder : Family
        The layers between rows and codes, and back.

    linear_path : bool
        Whether a linear layer joins rows and codes beside these layers. It holds PCA.

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
    encoder: Family
    decoder: Family
    linear_path: bool = True
    output_activation: str | Callable | None = None
    likelihood: Literal["gaussian", "bernoulli"] | None = None
    image_shape: tuple[int, int, int] | None = None
    n_targets: int = 0
    target_kind: Literal["classes", "numbers"] | None = None
    n_inputs: int | None = None

    @property
    def keeps_units(self) -> bool:
        """Whether the network sees the data as they are, not centred and scaled."""
        return self.output_activation is not None or self.likelihood == "bernoulli"

    @property
    def width_of_inputs(self) -> int:
        """Number of values that the encoder sees."""
        return self.n_features if self.n_inputs is None else self.n_inputs

    @property
    def is_custom(self) -> bool:
        """Whether the user's own code builds a part of the network."""
        return self.encoder.is_custom or self.decoder.is_custom

    @property
    def is_linear(self) -> bool:
        """Whether the linear path is all there is."""
        return self.linear_path and self.encoder.is_empty and self.decoder.is_empty

    @property
    def has_linear_codes(self) -> bool:
        """Whether the code layer is linear, so that codes may be rotated."""
        return self.linear_path or not self.encoder.is_custom

    @property
    def has_weight_scales(self) -> bool:
        """Whether both families know the scales of their weights."""
        return self.encoder.has_weight_scales and self.decoder.has_weight_scales

    @property
    def has_coordinates(self) -> bool:
        """Whether rows may be given in other coordinates than their features."""
        families = self.encoder.has_coordinates and self.decoder.has_coordinates
        return families and not self.keeps_units and self.likelihood is None

    @property
    def final_activation(self) -> str | Callable | None:
        """What turns the decoder's output into rows."""
        return "sigmoid" if self.likelihood == "bernoulli" else self.output_activation

    @property
    def has_numpy_forward(self) -> bool:
        """Whether NumPy computes the network, whatever the number of rows."""
        paths = self.encoder.numpy_forward(self), self.decoder.numpy_forward(self)
        return None not in paths and self.final_activation in ACTIVATIONS

    @property
    def has_numpy_forward_of_few(self) -> bool:
        """Whether NumPy computes the network for few rows."""
        paths = (
            self.encoder.numpy_forward_of_few(self, "encoder"),
            self.decoder.numpy_forward_of_few(self, "decoder"),
        )
        return None not in paths and self.final_activation in ACTIVATIONS
