"""The terms of a variational autoencoder's objective, over ``keras.ops``."""

from __future__ import annotations

import math

from ._backend import keras

ops = keras.ops


def draw_codes(posterior, noise):
    """Return codes drawn from posteriors, given as mean beside log-variance.

    The reparameterisation of Kingma & Welling (2014): standard normal ``noise`` is
    moved and stretched, so that gradients reach mean and variance.
    """
    means, log_variances = ops.split(posterior, 2, axis=-1)
    return means + ops.exp(0.5 * log_variances) * noise


def divergences(posterior):
    r"""Return the Kullback-Leibler divergence from N(0, 1), in nats, of each code.

    .. math::
        \frac{1}{2} (\mu_i^2 + \sigma_i^2 - 1 - \log \sigma_i^2)
    """
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
    if likelihood == "bernoulli":
        return ops.mean(ops.softplus(decoded) - rows * decoded, axis=-1)
    means, log_variance = decoded[..., :-1], decoded[..., -1]
    error = ops.mean(ops.square(rows - means), axis=-1)
    return 0.5 * (math.log(2 * math.pi) + log_variance + error * ops.exp(-log_variance))
