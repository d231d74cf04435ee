"""Where the training data lie, beyond which a network's word is not taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

TINY = float(np.finfo(np.float32).tiny)
"""What a length of zero is taken for as a divisor."""

_ROOM = 0.1
"""Share of the training data's width, on either side, where a network is still heard.

A value that occurs in one row of hundreds is often a little larger in the next; much
beyond the largest a network's word is worth less than PCA's.
"""


class Box(NamedTuple):
    """The smallest and the largest value of each column.

    Parameters
    ----------
    low, high : ndarray of shape (n_columns,)
        Columns that have no bounds have infinite ones.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def around_nothing(cls, n_columns: int) -> Box:
        """Return the box to begin with."""
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

    def widened(self) -> Box:
        """Return the box with a little room on either side."""
        room = _ROOM * (self.high - self.low)
        return Box(self.low - room, self.high + room)

    def in_units(self, scale: float, origin: np.ndarray | float = 0.0) -> Box:
        """Return the box around ``origin`` in units of ``scale``, as float32."""
        low, high = (self.low - origin) / scale, (self.high - origin) / scale
        return Box(low.astype(np.float32), high.astype(np.float32))


@dataclass(frozen=True)
class Bounds:
    r"""Beyond the training data a network is continued by PCA.

    A network knows nothing of values that it has not seen, and what its nonlinear path
    makes of them grows with them. So it sees the nearest values :math:`[x]` inside the
    box around the training rows, widened, and PCA encodes and decodes the rest:

    .. math::
        z = s\, e([x]) + (1 - s) W [x] + W (x - [x]), \qquad s = \max\left(0,\,
        1 - \frac{\lVert W (x - [x]) \rVert^2}{\lVert e([x]) \rVert^2}\right),

    and codes likewise. Inside, the share :math:`s` of the network is all; where what
    PCA makes of the part beyond is longer than what the network makes of the part
    inside, PCA is all.

    Parameters
    ----------
    rows, codes : Box
        Around the training rows and their codes, in the network's units.

    components : ndarray of shape (n_components, n_features), float32
        Principal axes :math:`W`.
    """

    rows: Box
    codes: Box
    components: np.ndarray

    @classmethod
    def none(cls, n_components: int, n_features: int) -> Bounds:
        """Leave everything to the network."""
        return cls(
            Box.around_everything(n_features),
            Box.around_everything(n_components),
            np.zeros((n_components, n_features), np.float32),
        )
