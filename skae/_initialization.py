"""Where training starts: PCA in the linear path, seeded draws in the rest.

The numbers come from NumPy, so they are the same on every backend.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ._backend import keras
from ._networks import LINEAR, Networks, Units, build_networks
from ._networks._custom import GATE
from ._networks._dense import CORRECTION, LOG_VARIANCE
from ._pca import PrincipalAxes
from ._spec import NetworkSpec

_LEAST_NOISE = 1e-6
"""Of the mean variance: the noise where probabilistic PCA leaves none."""

_RAREST = 0.01
"""Probability of a one, or of a zero, that is not told from none at the start."""


class LinearStart(NamedTuple):
    """The linear path at iteration 0: a kernel and a bias for either direction.

    Parameters
    ----------
    encoder, decoder : tuple of ndarray
        Of shapes (n_features, n_components) and (n_components,), and back.

    code_log_variances : ndarray of shape (n_components,) or None
        Of a variational code given its row.

    row_log_variance : ndarray of shape (1,) or None
        Of a row given its code, the same for all features.
    """

    encoder: tuple[np.ndarray, np.ndarray]
    decoder: tuple[np.ndarray, np.ndarray]
    code_log_variances: np.ndarray | None = None
    row_log_variance: np.ndarray | None = None

    @classmethod
    def pca(cls, axes: PrincipalAxes) -> LinearStart:
        """Return PCA, for rows that are centred."""
        n_components, n_features = axes.components.shape
        return cls(
            (axes.components.T, np.zeros(n_components)),
            (axes.components, np.zeros(n_features)),
        )

    @classmethod
    def probabilistic_pca(
        cls, axes: PrincipalAxes, scale: float, mean: np.ndarray, likelihood: str
    ) -> LinearStart:
        r"""Return probabilistic PCA, the best linear variational autoencoder.

        Tipping & Bishop (1999), Lucas et al. (2019): with the eigenvalues
        :math:`\lambda_i` and the mean :math:`\sigma^2` of those left out,

        .. math::
            x = U (\Lambda - \sigma^2)^{1/2} z + \mu + \sigma \epsilon, \qquad
            z | x \sim N(\Lambda^{-1} (\Lambda - \sigma^2)^{1/2} U^T (x - \mu),
            \sigma^2 \Lambda^{-1}).

        With a Bernoulli likelihood the rows are those of the logistic function's
        tangent, at a half for the slope and at the mean for the height.

        Parameters
        ----------
        axes : PrincipalAxes
            Of the rows.

        scale : float
            One unit of the network in the data's units.

        mean : ndarray of shape (n_features,)
            Of the rows, in the network's units.

        likelihood : {"gaussian", "bernoulli"}
            Of a row given its code.
        """
        variances = axes.explained_variance / scale**2
        noise = max(axes.noise_variance / scale**2, _LEAST_NOISE)
        spread = np.sqrt(np.maximum(variances - noise, 0))
        variances = np.maximum(variances, noise)
        down = axes.components.T * (spread / variances)
        up, height = axes.components * spread[:, None], mean
        row_log_variance: np.ndarray | None = np.log([noise])
        if likelihood == "bernoulli":
            inside = np.clip(mean, _RAREST, 1 - _RAREST)
            up, height = 4 * up, np.log(inside / (1 - inside))
            row_log_variance = None
        return cls(
            (down, -mean @ down),
            (up, height),
            np.log(noise / variances),
            row_log_variance,
        )


def initial_weights(
    spec: NetworkSpec,
    networks: Networks,
    start: LinearStart | None,
    units: Units,
    rng: np.random.RandomState,
) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Return the weights of iteration 0.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    networks : Networks
        Its Keras models; only the names and shapes of their variables are read.

    start : LinearStart or None
        For the linear path. The layers added to it start at zero, so the whole network
        is what this says. None where there is no linear path.

    units : Units
        What the draws are measured by.

    rng : RandomState
        Source of every random number.
    """
    if spec.is_custom:
        # The user's layers keep the initialisers that the user gave them.
        networks = build_networks(spec, seed=rng.randint(2**31))
    encoder, decoder = {}, {}
    if start is not None:
        encoder = {LINEAR: start.encoder, LOG_VARIANCE: (0, start.code_log_variances)}
        decoder = {LINEAR: start.decoder, LOG_VARIANCE: (0, start.row_log_variance)}
    of_encoder, of_decoder = networks.weight_units(units)
    return {
        "encoder": _fill(networks.encoder, encoder, of_encoder, rng),
        "decoder": _fill(networks.decoder, decoder, of_decoder, rng),
    }


def _fill(model, given, units, rng) -> tuple[list[np.ndarray], list[np.ndarray]]:
    variables = (
        (layer, variable)
        for layer in model.layers
        for variable in layer.trainable_variables
    )
    trainable = [
        _draw(layer, variable, given.get(layer.name), unit, rng)
        for (layer, variable), unit in zip(variables, units, strict=True)
    ]
    state = [
        _seed_or_value(layer, variable, rng)
        for layer in model.layers
        for variable in layer.non_trainable_variables
    ]
    return trainable, state


def _draw(layer, variable, given, unit, rng) -> np.ndarray:
    if isinstance(layer, keras.Model):
        return np.asarray(variable.value)
    if given is not None:
        value = given[0] if len(variable.shape) == 2 else given[1]
        return np.broadcast_to(value, variable.shape).astype(np.float32)
    if layer.name in (CORRECTION, GATE) or len(variable.shape) == 1:
        return np.zeros(variable.shape, np.float32)
    # Glorot & Bengio (2010), Keras' default for dense and convolutional layers.
    *window, inputs, outputs = variable.shape
    limit = np.sqrt(6 / (math.prod(window) * (inputs + outputs)))
    return unit * rng.uniform(-limit, limit, size=variable.shape).astype(np.float32)


def _seed_or_value(layer, variable, rng) -> np.ndarray:
    if isinstance(layer, keras.layers.Dropout):
        return np.array([rng.randint(2**31), 0], dtype=np.uint32)
    return np.asarray(variable.value)
