"""A penalty on reconstructions that move far when their rows move a little."""

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

PERTURBATION = 0.01
"""How far a row is moved, relative to the root of the mean variance. It is small beside
the data and large beside rounding errors."""


@dataclass(frozen=True)
class Contraction(Term):
    r"""The squared norm of the Jacobian of the reconstruction, for each feature.

    It is estimated from one perturbed row: of a row moved by ``PERTURBATION`` times
    standard normal noise, the squared movement of the reconstruction has the mean
    :math:`\lVert J \rVert_F^2 / d` (Alain & Bengio 2014). For PCA it is :math:`k / d`.
    The encoder's Jacobian alone (Rifai et al. 2011) could be lowered by small codes and
    a large decoder. This cannot.
    """

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "contraction": [Interval(Real, 0, None, closed="left")]
    }

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Contraction | None:
        """Return the penalty, if its strength is not zero."""
        return cls() if parameters["contraction"] > 0 else None

    def numbers(
        self,
        parameters: dict[str, Any],
        X: Batch,
        scaling: Scaling,
        unexplained: float,
        labels: LabelStatistics | None = None,
    ) -> Any:
        """Return the strength of the penalty."""
        return np.float32(parameters["contraction"])

    def row_losses(self, done: ForwardPass, numbers: Any) -> Any:
        """Pass perturbed rows through the networks and return the penalty of each."""
        direction = done.draw("normal", done.shown.shape, stream=1)
        moved = done.decode(done.encode(done.shown + PERTURBATION * direction))
        return numbers * jacobian_norm(done.decoded, moved)


def jacobian_norm(before, after):
    """Return the estimate from reconstructions before and after the perturbation."""
    ops = keras.ops
    return ops.mean(ops.square((after - before) / PERTURBATION), axis=-1)
