"""The L2 penalty on the weights of the nonlinear path."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .._networks import WeightScales


class WeightPenalty:
    r"""The penalty :math:`\frac{\alpha}{2} u \sum_l \lVert W_l \rVert^2`.

    Here :math:`u` is the share of the variance that PCA leaves. Where PCA leaves
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
