"""Where the training data lie, and how PCA continues a network beyond them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

TINY = float(np.finfo(np.float32).tiny)
"""Least divisor, where a length is zero."""

_ROOM = 0.1
"""The bounds lie outside the training data by this share of their width.

A value that occurs in one row of hundreds is often a little larger in a new row. Far
beyond the largest value, PCA is better than a network.
"""


class Box(NamedTuple):
    """The smallest and the largest value of each column.

    Parameters
    ----------
    low, high : ndarray of shape (n_columns,)
        Infinite where a column has no bounds.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def around_nothing(cls, n_columns: int) -> Box:
        """Return the empty box."""
        infinite = np.full(n_columns, np.inf)
        return cls(infinite, -infinite)

    @classmethod
    def around_everything(cls, n_columns: int) -> Box:
        """Return a box without bounds."""
        nothing = cls.around_nothing(n_columns)
        return cls(nothing.high, nothing.low).in_units(1.0)

    def with_rows(self, rows: np.ndarray) -> Box:
        """Return the box around this one and more rows."""
        return Box(
            np.minimum(self.low, rows.min(axis=0)),
            np.maximum(self.high, rows.max(axis=0)),
        )

    def merged(self, other: Box) -> Box:
        """Return the box around both."""
        return Box(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def widened(self) -> Box:
        """Return the box with some room on either side."""
        room = _ROOM * (self.high - self.low)
        return Box(self.low - room, self.high + room)

    def in_units(self, scale: float, origin: np.ndarray | float = 0.0) -> Box:
        """Return the box around ``origin`` in units of ``scale``, as float32."""
        low, high = (self.low - origin) / scale, (self.high - origin) / scale
        return Box(low.astype(np.float32), high.astype(np.float32))


@dataclass(frozen=True)
class Bounds:
    r"""Bounds of the training data, beyond which PCA continues a network.

    A network was not trained on values beyond its data, and its nonlinear path may grow
    with them without limit. So it sees the nearest values :math:`[x]` inside the
    bounds. PCA, with the axes :math:`W`, encodes the rest:

    .. math::
        z = s\, e([x]) + (1 - s) W [x] + W (x - [x]), \qquad s = \max\left(0,\,
        1 - \frac{\lVert W (x - [x]) \rVert^2}{\lVert e([x]) \rVert^2}\right).

    Inside the bounds :math:`s` is 1: the network encodes alone. Where PCA's code of the
    rest is as long as the network's code, :math:`s` is 0: PCA encodes alone. Codes are
    decoded likewise. :func:`blend` is this rule.

    Parameters
    ----------
    rows, codes : Box
        Around the training rows and their codes, in the network's units.

    components : ndarray of shape (n_components, n_features), float32
        What the linear model adds to a row for each code. Principal axes :math:`W`, if
        it is PCA.

    projection : ndarray of shape (n_features, n_components), float32, or None
        Maps centred rows to the linear model's codes. None stands for :math:`W^T`.
    """

    rows: Box
    codes: Box
    components: np.ndarray
    projection: np.ndarray | None = None

    @property
    def down(self) -> np.ndarray:
        """What maps centred rows to the linear model's codes."""
        return self.components.T if self.projection is None else self.projection

    @classmethod
    def none(cls, n_components: int, n_features: int) -> Bounds:
        """Return bounds that no value is beyond."""
        return cls(
            Box.around_everything(n_features),
            Box.around_everything(n_components),
            np.zeros((n_components, n_features), np.float32),
        )


def blend(ops: Any, outputs: Any, linear: Any, beyond: Any) -> Any:
    """Return a network's outputs, continued by PCA.

    Parameters
    ----------
    ops : module
        ``numpy`` for arrays, ``keras.ops`` for tensors of a backend or of a model.

    outputs : array of shape (n_rows, n_outputs)
        What the network computes of the nearest values inside the bounds.

    linear : array of shape (n_rows, n_outputs)
        What PCA computes of them.

    beyond : array of shape (n_rows, n_outputs)
        What PCA adds for the distance to them.
    """
    distance, length = (
        ops.sum(ops.square(part), axis=-1, keepdims=True) for part in (beyond, outputs)
    )
    share = ops.maximum(0, 1 - distance / ops.maximum(length, TINY))
    return share * outputs + (1 - share) * linear + beyond
