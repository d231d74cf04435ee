"""The evidence lower bound, which a variational autoencoder maximises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from .. import _keras as keras
from .._networks import NetworkSpec
from ._objective import DataSummary, Draw, ForwardPass, Term
from .reconstruction import range_beyond

_COUNTS = (
    "Transform counts before: divide each row by its sum, and take log1p, see "
    "docs/reduce.md."
)


@dataclass(frozen=True)
class Likelihood(Term):
    r"""Minus the evidence lower bound, for each feature.

    The divergence of the codes from their prior is multiplied by :math:`\beta`.

    Parameters
    ----------
    kind : {"gaussian", "bernoulli"}
        Likelihood of a row given its code.
    """

    kind: str

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "likelihood": [str],
        "beta": [Interval(Real, 0, None, closed="neither")],
    }

    role = "likelihood"

    @classmethod
    def of(cls, parameters: dict[str, Any], spec: NetworkSpec) -> Likelihood:
        """Return the likelihood of the parameters."""
        return cls(parameters["likelihood"])

    @classmethod
    def check(cls, parameters: dict[str, Any]) -> None:
        """Raise ``ValueError`` if there is no such likelihood."""
        likelihood = parameters["likelihood"]
        if likelihood not in ("gaussian", "bernoulli"):
            raise ValueError(
                "The 'likelihood' parameter of VariationalAutoencoderTransformer must "
                f"be 'gaussian' or 'bernoulli'. Got {likelihood!r} instead. {_COUNTS}"
            )

    @classmethod
    def check_rows(cls, parameters: dict[str, Any], X: Any, name: str) -> None:
        """Raise ``ValueError`` where rows are no probabilities but have to be."""
        if parameters["likelihood"] == "gaussian":
            return
        beyond = range_beyond(X, 0, 1)
        if beyond is not None:
            low, high = beyond
            raise ValueError(
                f"likelihood='bernoulli' needs values from 0 to 1. {name} has values "
                f"from {low} to {high}; use MinMaxScaler, or likelihood='gaussian'. "
                f"{_COUNTS}"
            )

    def has_linear_optimum(self, parameters: dict[str, Any]) -> bool:
        """Say whether probabilistic PCA is the optimum (Lucas et al. 2019)."""
        return self.kind == "gaussian" and parameters["beta"] == 1

    def coefficients(self, parameters: dict[str, Any], data: DataSummary) -> Any:
        """Return the weight of the divergence."""
        return np.float32(parameters["beta"])

    def codes(self, encoded: Any, draw: Draw, coefficients: Any) -> Any:
        """Draw codes from the posteriors."""
        n_rows, width = encoded.shape
        return draw_codes(encoded, draw("normal", (n_rows, width // 2)))

    def row_losses(self, done: ForwardPass, coefficients: Any) -> Any:
        """Return minus the bound of each row, for each feature."""
        rows = done.batch.target
        surprise = negative_log_likelihood(self.kind, rows, done.decoded)
        divergence = keras.ops.sum(divergences(done.encoded), axis=-1)
        return surprise + coefficients * divergence / rows.shape[-1]


def draw_codes(posterior, noise):
    """Return codes drawn from posteriors, which hold means and then log-variances.

    This is the reparameterisation of Kingma & Welling (2014): standard normal ``noise``
    is moved and stretched, so that gradients reach mean and variance.
    """
    means, log_variances = keras.ops.split(posterior, 2, axis=-1)
    return means + keras.ops.exp(0.5 * log_variances) * noise


def divergences(posterior):
    r"""Return the Kullback-Leibler divergence of each code from N(0, 1), in nats.

    .. math::
        \frac{1}{2} (\mu_i^2 + \sigma_i^2 - 1 - \log \sigma_i^2)
    """
    ops = keras.ops
    means, log_variances = ops.split(posterior, 2, axis=-1)
    return 0.5 * (ops.square(means) + ops.exp(log_variances) - 1 - log_variances)


def negative_log_likelihood(likelihood: str, rows, decoded):
    r"""Return each row's negative log-likelihood, in nats for each feature.

    Parameters
    ----------
    likelihood : {"gaussian", "bernoulli"}
        - "gaussian": ``decoded`` holds the mean of the row and the logarithm of one
          variance for all features.
        - "bernoulli": ``decoded`` holds logits, and rows are in 0 to 1.

    rows : array of shape (n_samples, n_features)
        In the network's units.

    decoded : array of shape (n_samples, n_features) or (n_samples, n_features + 1)
        What the decoder returns.
    """
    ops = keras.ops
    if likelihood == "bernoulli":
        return ops.mean(ops.softplus(decoded) - rows * decoded, axis=-1)
    means, log_variance = decoded[..., :-1], decoded[..., -1]
    error = ops.mean(ops.square(rows - means), axis=-1)
    return 0.5 * (math.log(2 * math.pi) + log_variance + error * ops.exp(-log_variance))
