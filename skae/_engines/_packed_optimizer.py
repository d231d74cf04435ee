"""A Keras optimizer as a pure function of arrays."""

from __future__ import annotations

import numpy as np

from .. import _keras as keras
from ._optimizer import OptimizerSpec

MOST_PACKED = 2**17
"""With more weights than this, packing them costs more than compiling for each."""


class PackedOptimizer:
    """One step for all weights. Small networks keep them in two vectors.

    An optimizer that treats every number alike gets two variables: the penalised
    weights and the others. Code for two vectors compiles in half the time of code for a
    dozen matrices.

    Parameters
    ----------
    spec : OptimizerSpec
        Which optimizer.

    variables : list of keras.Variable
        What it updates, with their constraints. If packed, only their shapes matter.

    penalised : list of bool
        Which of them the penalty draws to zero.

    may_pack : bool
        Whether only the optimizer depends on which weights form a matrix.
    """

    def __init__(
        self,
        spec: OptimizerSpec,
        variables: list,
        penalised: list[bool],
        may_pack: bool,
    ) -> None:
        self._optimizer = spec.build()
        self._shapes = [tuple(variable.shape) for variable in variables]
        self._penalised = penalised
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        numbers = range(len(variables))
        self._groups = [[number] for number in numbers]
        self._packs = may_pack and spec.is_elementwise and sum(sizes) <= MOST_PACKED
        if self._packs:
            by_penalty: dict[bool, list[int]] = {}
            for number in numbers:
                by_penalty.setdefault(penalised[number], []).append(number)
            self._groups = list(by_penalty.values())
        self._ends = [
            np.cumsum([sizes[number] for number in group]) for group in self._groups
        ]
        self.initial_state = self.build(variables)

    @property
    def variables(self) -> list:
        """What Keras' optimizer remembers, as Keras variables."""
        return self._optimizer.variables

    def pack(self, arrays: list) -> list:
        """Return the arrays as the optimizer gets them."""
        return [
            keras.ops.concatenate([keras.ops.ravel(arrays[number]) for number in group])
            if len(group) > 1
            else arrays[group[0]]
            for group in self._groups
        ]

    def unpack(self, packed: list) -> list:
        """Return the arrays that were packed."""
        arrays = {}
        for array, group, ends in zip(packed, self._groups, self._ends, strict=True):
            parts = [array]
            if len(group) > 1:
                parts = keras.ops.split(array, ends[:-1].tolist())
            for part, number in zip(parts, group, strict=True):
                arrays[number] = keras.ops.reshape(part, self._shapes[number])
        return [arrays[number] for number in range(len(arrays))]

    def step(self, state: list, gradients: list, weights: list, loss, rate, alpha):
        r"""Return the weights and the optimizer's state after a step.

        The gradient of the penalty :math:`\frac{\alpha}{2} \sum_l \lVert W_l \rVert^2`
        is added to the gradients of the loss. All of them are packed.
        """
        gradients = [
            gradient + alpha * weight if self._penalised[group[0]] else gradient
            for gradient, weight, group in zip(
                gradients, weights, self._groups, strict=True
            )
        ]
        if self._packs:
            # The step then waits for the loss. After that nothing needs the old
            # weights, so XLA need not copy them. For many matrices the wait costs more.
            rate = rate + 0 * loss
        slot = self._rate_slot
        if slot is not None:
            state = list(state)
            state[slot] = rate
        return self.apply(state, gradients, weights)

    def apply(self, state: list, gradients: list, weights: list) -> tuple[list, list]:
        """Return the weights and the state after a step of Keras' optimizer."""
        return self._optimizer.stateless_apply(state, gradients, weights)

    def build(self, variables: list) -> list[np.ndarray]:
        """Build Keras' optimizer for the variables, and return its first state."""
        self._optimizer.build(self.packed_variables(variables))
        return [
            keras.ops.convert_to_numpy(variable)
            for variable in self._optimizer.variables
        ]

    def packed_variables(self, variables: list) -> list:
        """Return Keras variables of the shapes that the optimizer gets."""
        if not self._packs:
            return variables
        zeros = self.pack([np.zeros(shape, np.float32) for shape in self._shapes])
        return [keras.Variable(vector) for vector in zeros]

    @property
    def _rate_slot(self) -> int | None:
        """Place of the rate in the state. None if the optimizer has a schedule."""
        rate, variables = self._optimizer.learning_rate, self._optimizer.variables
        slots = [slot for slot, value in enumerate(variables) if value is rate]
        return slots[0] if slots else None
