"""The weights of the linear path at the start, one function for each linear model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._covariates import PrincipalCovariates
from ._principal_axes import PrincipalAxes

_LEAST_NOISE = 1e-6
"""Noise where probabilistic PCA leaves none, as a share of the mean variance."""

_RAREST = 0.01
"""Means of binary features nearer to 0 or 1 than this are moved here at the start."""


class LinearPath(NamedTuple):
    """A linear autoencoder: a kernel and a bias for the encoder and for the decoder.

    Parameters
    ----------
    encoder, decoder : tuple of ndarray
        Kernels of shapes (n_features, n_components) and (n_components, n_features),
        each with its bias.

    code_log_variances : ndarray of shape (n_components,) or None
        Log-variances of a variational code given its row.

    row_log_variance : ndarray of shape (1,) or None
        Log-variance of a row given its code, the same for all features.

    head : tuple of ndarray or None
        Kernel and bias that predict labels from codes.
    """

    encoder: tuple[np.ndarray, np.ndarray]
    decoder: tuple[np.ndarray, np.ndarray]
    code_log_variances: np.ndarray | None = None
    row_log_variance: np.ndarray | None = None
    head: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def covariates(
        cls, covariates: PrincipalCovariates, head: tuple[np.ndarray, np.ndarray]
    ) -> LinearPath:
        """Return principal covariates regression, for rows that are centred."""
        n_features, n_components = covariates.encoder.shape
        return cls(
            (covariates.encoder, np.zeros(n_components)),
            (covariates.decoder, np.zeros(n_features)),
            head=head,
        )

    def centred_at(self, offset: np.ndarray) -> LinearPath:
        """Return the same autoencoder for rows whose mean is not zero.

        Parameters
        ----------
        offset : ndarray of shape (n_features,)
            The mean of the rows.
        """
        (down, bias), (up, height) = self.encoder, self.decoder
        return self._replace(
            encoder=(down, bias - offset @ down), decoder=(up, height + offset)
        )

    @classmethod
    def pca(cls, axes: PrincipalAxes) -> LinearPath:
        """Return PCA, for rows that are centred."""
        n_components, n_features = axes.components.shape
        return cls(
            (axes.components.T, np.zeros(n_components)),
            (axes.components, np.zeros(n_features)),
        )

    @classmethod
    def probabilistic_pca(
        cls, axes: PrincipalAxes, scale: float, mean: np.ndarray, likelihood: str
    ) -> LinearPath:
        r"""Return probabilistic PCA, the best linear variational autoencoder.

        Tipping & Bishop (1999) and Lucas et al. (2019): with the eigenvalues
        :math:`\lambda_i` and the mean :math:`\sigma^2` of those left out,

        .. math::
            x = U (\Lambda - \sigma^2)^{1/2} z + \mu + \sigma \epsilon, \qquad
            z | x \sim N(\Lambda^{-1} (\Lambda - \sigma^2)^{1/2} U^T (x - \mu),
            \sigma^2 \Lambda^{-1}).

        With a Bernoulli likelihood the logistic function is replaced by a tangent. Its
        slope is that at one half, its height is that at the mean.

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
        n_left_out = axes.components.shape[1] - axes.n_components
        noise = axes.unexplained_variance / n_left_out if n_left_out else 0.0
        noise = max(noise / scale**2, _LEAST_NOISE)
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
