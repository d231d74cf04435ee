"""Dense layers in NumPy: nothing to compile, and Keras is not imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np


def _one_plus_exp_minus(hidden: np.ndarray) -> np.ndarray:
    # Where this overflows to infinity, the activation goes to its limit.
    with np.errstate(over="ignore"):
        return 1 + np.exp(-hidden)


ACTIVATIONS: dict[Any, Callable[[np.ndarray], object]] = {
    None: lambda hidden: None,
    "linear": lambda hidden: None,
    "relu": lambda hidden: np.maximum(hidden, 0, out=hidden),
    "leaky_relu": lambda hidden: np.maximum(0.2 * hidden, hidden, out=hidden),
    "tanh": lambda hidden: np.tanh(hidden, out=hidden),
    "sigmoid": lambda hidden: np.divide(1, _one_plus_exp_minus(hidden), out=hidden),
    "silu": lambda hidden: np.divide(hidden, _one_plus_exp_minus(hidden), out=hidden),
}
"""Keras' activations by name, computed in place."""


class DenseForward(NamedTuple):
    """Dense layers and the linear path as a function of weights and inputs.

    Parameters
    ----------
    n_layers : int
        Number of hidden layers.

    activation : str or None
        Of the hidden layers.

    see_inputs : bool
        Whether every hidden layer also sees the inputs.

    linear_path : bool
        Whether there is a linear path.
    """

    n_layers: int
    activation: Any
    see_inputs: bool
    linear_path: bool

    def __call__(self, weights: list[np.ndarray], inputs: np.ndarray) -> np.ndarray:
        """Return the outputs for inputs, with weights in Keras' order."""
        left = iter(weights)
        activate = ACTIVATIONS[self.activation]
        hidden = inputs
        for depth in range(self.n_layers):
            if depth and self.see_inputs:
                hidden = np.hstack([hidden, inputs])
            hidden = affine(hidden, left)
            activate(hidden)
        if not self.linear_path:
            return affine(hidden, left)
        outputs = affine(inputs, left)
        if hidden is not inputs:
            outputs += hidden @ next(left)
        return outputs

    def with_scaled_inputs(
        self, weights: list[np.ndarray], mean: np.ndarray, scale: float
    ) -> list[np.ndarray]:
        """Return weights for inputs that are not centred and scaled yet, as float64.

        The layers that see the inputs then centre and scale them.
        """
        changed = list(weights)
        for place, sees_inputs in enumerate(self._layers_with_inputs()):
            if sees_inputs:
                at = slice(2 * place, 2 * place + 2)
                kernel, bias = changed[at]
                kernel = kernel.astype(np.float64)
                of_inputs = kernel[-len(mean) :]
                of_inputs /= scale
                changed[at] = kernel, bias - mean @ of_inputs
        return changed

    def with_coordinates(
        self, weights: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        """Return weights for other coordinates of the inputs and of the outputs.

        Parameters
        ----------
        weights : list of ndarray
            In Keras' order.

        inputs : ndarray of shape (n_new_inputs, n_inputs)
            The present inputs are the new ones times this matrix.

        outputs : ndarray of shape (n_outputs, n_new_outputs)
            The new outputs are the present ones times this matrix.
        """
        changed = list(weights)
        with_inputs = self._layers_with_inputs()
        for place, sees_inputs in enumerate(with_inputs):
            if sees_inputs:
                kernel = changed[2 * place]
                n_hidden = len(kernel) - inputs.shape[1]
                of_inputs = inputs @ kernel[n_hidden:]
                changed[2 * place] = np.vstack([kernel[:n_hidden], of_inputs])
        # The last kernel with its bias, and what is added to their products.
        for place in range(2 * len(with_inputs) - 2, len(changed)):
            changed[place] = changed[place] @ outputs
        return [weight.astype(np.float32) for weight in changed]

    def _layers_with_inputs(self) -> list[bool]:
        """For each layer with a bias, say whether it sees the inputs."""
        hidden = [depth == 0 or self.see_inputs for depth in range(self.n_layers)]
        return [*hidden, self.linear_path or self.n_layers == 0]


def affine(values: np.ndarray, weights: Iterator[np.ndarray]) -> np.ndarray:
    """Return the values times the next kernel plus the next bias."""
    products = values @ next(weights)
    products += next(weights)
    return products
