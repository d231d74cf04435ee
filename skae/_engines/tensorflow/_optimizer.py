"""A Keras optimizer on TensorFlow."""

from __future__ import annotations

import numpy as np

from .._packed_optimizer import PackedOptimizer


class TensorFlowOptimizer(PackedOptimizer):
    """A Keras optimizer as a pure function, inside a ``tf.function``.

    On TensorFlow Keras has no ``stateless_apply``: its optimizers change variables. So
    the variables get the values before the step and are read after it. In a program of
    XLA that costs nothing.
    """

    def build(self, variables: list) -> list[np.ndarray]:
        """Build Keras' optimizer for the variables, and return its first state."""
        self._variables = self.packed_variables(variables)
        self._optimizer.build(self._variables)
        return [np.array(variable) for variable in self.variables]

    def apply(self, state: list, gradients: list, weights: list) -> tuple[list, list]:
        """Return the weights and the state after a step of Keras' optimizer."""
        changed = self._variables, self.variables
        for variables, values in zip(changed, (weights, state), strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self._optimizer.apply(gradients, self._variables)
        weights, state = (
            [variable.value.read_value() for variable in variables]
            for variables in changed
        )
        return weights, state
