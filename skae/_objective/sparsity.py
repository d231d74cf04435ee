"""A penalty on codes that are spread over many components."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .. import _keras as keras
from .._data import Batch, Scaling
from ._label_statistics import LabelStatistics
from ._term import ForwardPass, Term

_TINY = 1e-12
"""Keeps the gradient finite at a code of zeros."""


@dataclass(frozen=True)
class Sparsity(Term):
    r"""Hoyer's (2004) measure of how evenly a code is spread.

    .. math::
        \mathrm{sparsity} \cdot \frac{\lVert z \rVert_1}{\sqrt{k} \, \lVert z \rVert_2}

    The L1 norm alone could be lowered by small codes and a large decoder. This cannot.
    """

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "sparsity": [Interval(Real, 0, None, closed="left")]
    }

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Sparsity | None:
        """Return the penalty, if its strength is not zero."""
        return cls() if parameters["sparsity"] > 0 else None

    def numbers(
        self,
        parameters: dict[str, Any],
        X: Batch,
        scaling: Scaling,
        unexplained: float,
        labels: LabelStatistics | None = None,
    ) -> Any:
        """Return the strength of the penalty."""
        return np.float32(parameters["sparsity"])

    def row_losses(self, done: ForwardPass, numbers: Any) -> Any:
        """Return the penalty of each row's code."""
        ops = keras.ops
        squares = ops.mean(ops.square(done.encoded), axis=-1)
        spread = ops.mean(ops.abs(done.encoded), axis=-1) * ops.rsqrt(squares + _TINY)
        return numbers * spread
