"""The loss of labels that are predicted from codes."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .. import _keras as keras
from .._networks import NetworkSpec
from ._objective import DataSummary, ForwardPass, Term

_LEAST = 1e-3
"""Least fraction of the variance that PCA counts as leaving. Where PCA is nearly
exact, predictions would not count otherwise."""


@dataclass(frozen=True)
class Target(Term):
    r"""The loss of a linear head that predicts labels from codes.

    With the weight :math:`w` the whole objective is

    .. math::
        \frac{L_X}{u} + \frac{w}{1 - w} \frac{L_Y}{c}

    times :math:`u`. :math:`L_X` is the loss of the reconstruction, :math:`u` the
    fraction of the variance that PCA leaves. :math:`L_Y` is the cross-entropy of the
    classes or the squared error of the numbers, :math:`c` its value for the best
    constant prediction: the entropy of the classes, or the variance of the numbers. So
    both losses are about one for a model that has learnt nothing but PCA.

    Parameters
    ----------
    kind : {"classes", "numbers"}
        What labels are.
    """

    kind: str

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "target_weight": [Interval(Real, 0, 1, closed="left")]
    }

    role = "labels"

    @classmethod
    def of(cls, parameters: dict[str, Any], spec: NetworkSpec) -> Target | None:
        """Return the term, if the network predicts labels."""
        return cls(spec.target_kind) if spec.target_kind else None

    def has_linear_optimum(self, parameters: dict[str, Any]) -> bool:
        """Say whether principal covariates regression is the best linear model."""
        return True

    def coefficients(self, parameters: dict[str, Any], data: DataSummary) -> Any:
        """Return the factor of a row's loss. Rows without labels have no loss."""
        label = data.rows.label
        known = label[is_labelled(label)]
        # Numbers have a variance of one.
        constant = 1.0
        if self.kind == "classes":
            fractions = known.mean(axis=0)
            constant = -float(fractions @ np.log(np.maximum(fractions, 1e-300)))
        weight = parameters["target_weight"]
        weight = weight_beside_variance(weight, data.unexplained)
        factor = weight / (1 - weight) / (len(known) / len(label))
        return np.float32(factor / constant if constant else 0.0)

    def row_losses(self, done: ForwardPass, coefficients: Any) -> Any:
        """Return the loss of each row's label."""
        ops = keras.ops
        predicted = done.predicted
        # Not a number where there is no label. It must not reach the gradient.
        known = ops.equal(done.batch.label, done.batch.label)
        label = ops.where(known, done.batch.label, 0)
        if self.kind == "classes":
            log_shares = predicted - ops.logsumexp(predicted, axis=-1, keepdims=True)
            return -coefficients * ops.sum(label * log_shares, axis=-1)
        errors = ops.where(known, predicted - label, 0)
        return coefficients * ops.sum(ops.square(errors), axis=-1)


def weight_beside_variance(weight: float, unexplained: float) -> float:
    """Return the weight of labels if reconstructions are measured by the variance.

    With the given ``weight`` they are measured by what PCA leaves of it.
    """
    of_labels = weight * max(unexplained, _LEAST)
    return of_labels / (of_labels + 1 - weight)


def is_labelled(label: np.ndarray) -> np.ndarray:
    """Say for each row whether it has a label."""
    return ~np.isnan(label).any(axis=1)
