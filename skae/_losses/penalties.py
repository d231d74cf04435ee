"""Penalties: on moving reconstructions, on spread codes, and on weights."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .. import _keras as keras
from .._networks import NetworkSpec, WeightScales
from ._objective import DataSummary, ForwardPass, Term

PERTURBATION = 0.01
"""How far a row is moved, relative to the root of the mean variance. It is small beside
the data and large beside rounding errors."""

_TINY = 1e-12
"""Keeps the gradient finite at a code of zeros."""


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
    role = "penalty"

    @classmethod
    def of(cls, parameters: dict[str, Any], spec: NetworkSpec) -> Contraction | None:
        """Return the penalty, if its strength is not zero."""
        return cls() if parameters["contraction"] > 0 else None

    def coefficients(self, parameters: dict[str, Any], data: DataSummary) -> Any:
        """Return the strength of the penalty."""
        return np.float32(parameters["contraction"])

    def row_losses(self, done: ForwardPass, coefficients: Any) -> Any:
        """Pass perturbed rows through the networks and return the penalty of each."""
        direction = done.draw("normal", done.seen.shape, stream=1)
        moved = done.decode(done.encode(done.seen + PERTURBATION * direction))
        return coefficients * jacobian_norm(done.decoded, moved)


def jacobian_norm(before, after):
    """Return the estimate from reconstructions before and after the perturbation."""
    ops = keras.ops
    return ops.mean(ops.square((after - before) / PERTURBATION), axis=-1)


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
    role = "penalty"

    @classmethod
    def of(cls, parameters: dict[str, Any], spec: NetworkSpec) -> Sparsity | None:
        """Return the penalty, if its strength is not zero."""
        return cls() if parameters["sparsity"] > 0 else None

    def coefficients(self, parameters: dict[str, Any], data: DataSummary) -> Any:
        """Return the strength of the penalty."""
        return np.float32(parameters["sparsity"])

    def row_losses(self, done: ForwardPass, coefficients: Any) -> Any:
        """Return the penalty of each row's code."""
        ops = keras.ops
        squares = ops.mean(ops.square(done.encoded), axis=-1)
        spread = ops.mean(ops.abs(done.encoded), axis=-1) * ops.rsqrt(squares + _TINY)
        return coefficients * spread


class WeightPenalty:
    r"""The penalty :math:`\frac{\alpha}{2} u \sum_l \lVert W_l \rVert^2`.

    Here :math:`u` is the fraction of the variance that PCA leaves. Where PCA leaves
    little, a penalty on the scale of the whole variance would exceed the possible gain.
    """

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "alpha": [Interval(Real, 0, None, closed="left")]
    }

    @staticmethod
    def strength(parameters: dict[str, Any], scales: WeightScales) -> np.float32:
        """Return the factor of the weights in the gradient of the scaled loss."""
        strength = parameters["alpha"] * scales.unexplained
        return np.float32(strength / scales.residual**2)
