"""Dense layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _keras as keras
from ._dense_numpy import ACTIVATIONS, DenseForward
from ._layers import CORRECTION, LINEAR, dense, last_dense
from ._spec import Family, NetworkSpec, Path


@dataclass(frozen=True)
class DenseLayers(Family):
    """Dense hidden layers. The decoder mirrors the encoder.

    Parameters
    ----------
    sizes : tuple of int
        Widths of the encoder's hidden layers.

    activation : str or callable
        Keras activation of the hidden layers.

    dropout : float
        Share of hidden units dropped in training.

    see_inputs : bool
        Whether every hidden layer also sees the inputs of the network.
    """

    sizes: tuple[int, ...]
    activation: str | Callable = "relu"
    dropout: float = 0.0
    see_inputs: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no hidden layer."""
        return not self.sizes

    @property
    def has_weight_scales(self) -> bool:
        """Whether ``weight_scales`` returns anything but ones."""
        return True

    @property
    def has_coordinates(self) -> bool:
        """Whether ``with_coordinates`` can change the coordinates of rows."""
        return True

    def encoder_path(self, rows: Any, spec: NetworkSpec, standard: bool) -> Path:
        """Build the encoder's layers."""
        return self._path(rows, self.sizes, spec.n_components, spec)

    def decoder_path(self, codes: Any, spec: NetworkSpec, standard: bool) -> Path:
        """Build the decoder's layers."""
        return self._path(codes, self.sizes[::-1], spec.n_features, spec)

    def hidden(self, inputs: Any, sizes: tuple[int, ...]) -> Any:
        """Pass inputs through hidden layers of the given sizes."""
        hidden = inputs
        for depth, size in enumerate(sizes):
            if depth and self.see_inputs:
                hidden = keras.layers.Concatenate(dtype="float32")([hidden, inputs])
            hidden = dense(size, f"hidden_{depth}", self.activation)(hidden)
            if self.dropout:
                hidden = keras.layers.Dropout(self.dropout, dtype="float32")(hidden)
        return hidden

    def weight_scales(
        self, model: Any, deviations: np.ndarray, residual: float
    ) -> list[Any]:
        """Return the scale of each trainable weight of a model, for broadcasting.

        Weights of inputs have one over the deviation of the input. Weights of outputs
        have the deviation of what PCA leaves.
        """

        def scale(layer, variable):
            outgoing = residual if layer.name in (LINEAR, CORRECTION) else 1.0
            if len(variable.shape) == 1:
                return outgoing
            incoming = np.ones((variable.shape[0], 1), np.float32)
            sees_inputs = self.see_inputs and layer.name != CORRECTION
            if layer.input is model.input or sees_inputs:
                incoming[-len(deviations) :, 0] = 1 / deviations
            return np.float32(outgoing) * incoming

        return [
            scale(layer, variable)
            for layer in model.layers
            for variable in layer.trainable_variables
        ]

    def numpy_forward(self, spec: NetworkSpec) -> DenseForward | None:
        """Return the layers as a NumPy function, if NumPy has their activation."""
        return self._forward(spec) if self.activation in ACTIVATIONS else None

    def with_coordinates(
        self,
        weights: list[np.ndarray],
        inputs: np.ndarray,
        outputs: np.ndarray,
        spec: NetworkSpec,
    ) -> list[np.ndarray]:
        """Return weights for other coordinates of the inputs and of the outputs."""
        return self._forward(spec).with_coordinates(weights, inputs, outputs)

    def _forward(self, spec: NetworkSpec) -> DenseForward:
        return DenseForward(
            len(self.sizes), self.activation, self.see_inputs, spec.linear_path
        )

    def _path(self, inputs, sizes: tuple[int, ...], width: int, spec) -> Path:
        hidden = self.hidden(inputs, sizes)
        if spec.linear_path and not sizes:
            return Path(None, hidden)
        return Path(last_dense(hidden, width, spec), hidden)
