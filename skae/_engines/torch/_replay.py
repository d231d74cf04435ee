"""Functions of tensors that are recorded once and then replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.fx.experimental.proxy_tensor import make_fx

from ... import _keras as keras


class Replayed:
    """A function of nested tensors that Python runs once for each shape.

    Around a small network's products Keras' layers, its optimizer and autograd spend
    several times as long in Python. A record is nothing but the list of PyTorch's
    operations, those of the gradient and of the optimizer among them. It is ready in
    half a second, because nothing is compiled.

    A function whose operations depend on the values of tensors cannot be recorded. It
    runs as it is.

    Parameters
    ----------
    function : callable
        Takes nested tensors and returns a list of tensors. It may change its arguments
        in place.
    """

    def __init__(self, function: Callable) -> None:
        self._function = function
        self._records: dict[Any, Callable] = {}

    def like(self, *arguments: Any) -> Callable:
        """Return the function for arguments of these shapes.

        It takes the tensors of the arguments one by one. Only their shapes matter here,
        the values may be changed.
        """
        leaves = keras.tree.flatten(arguments)
        shapes = tuple(
            None if leaf is None else (tuple(leaf.shape), leaf.dtype) for leaf in leaves
        )
        if shapes not in self._records:
            self._records[shapes] = self._record(arguments, leaves)
        return self._records[shapes]

    def _record(self, arguments: Any, leaves: list) -> Callable:
        def flat(*tensors):
            left = iter(tensors)
            filled = [None if leaf is None else next(left) for leaf in leaves]
            return self._function(*keras.tree.pack_sequence_as(arguments, filled))

        # The function may change them, and what is at hand may have to be repeated.
        tensors = [leaf.clone() for leaf in leaves if leaf is not None]
        try:
            return make_fx(flat)(*tensors)
        except RuntimeError:
            return flat
