"""The linear model of each task: where training starts, and what it has to beat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.sparse import issparse

from .._data import Scaling, chunks, dense
from .._state import stored
from ._probabilistic_pca import ProbabilisticPCA

_LEAST_NOISE = 1e-6
"""Noise where probabilistic PCA leaves none, as a fraction of the mean variance."""

_RAREST = 0.01
"""Means of binary features nearer to 0 or 1 than this are moved here at the start."""

_ROUNDING = 1e-12
"""Deviations below this fraction of the scale are rounding errors."""


class LinearWeights(NamedTuple):
    """A linear autoencoder as weights of a network's linear layers.

    Parameters
    ----------
    encoder, decoder : tuple of ndarray
        Kernels of shapes (n_features, n_components) and (n_components, n_features),
        each with its bias.

    head : tuple of ndarray or None
        Kernel and bias that predict labels from codes.

    code_log_variances : ndarray of shape (n_components,) or None
        Log-variances of a variational code given its row.

    row_log_variance : ndarray of shape (1,) or None
        Log-variance of a row given its code, the same for all features.
    """

    encoder: tuple[np.ndarray, np.ndarray]
    decoder: tuple[np.ndarray, np.ndarray]
    head: tuple[np.ndarray, np.ndarray] | None = None
    code_log_variances: np.ndarray | None = None
    row_log_variance: np.ndarray | None = None


@stored("linear model")
@dataclass(frozen=True)
class LinearModel:
    r"""A linear autoencoder: PCA, probabilistic PCA or principal covariates regression.

    With the mean :math:`\mu`, codes and reconstructions are

    .. math::
        z = W^T (x - \mu), \qquad \hat x = V z + \mu.

    For PCA :math:`W = V`, with orthonormal columns. It computes in the dtype of its
    input, without a network.

    Parameters
    ----------
    name : str
        What it is called in messages.

    scaling : Scaling
        Mean of the training rows, and the root of their mean variance.

    components : ndarray of shape (n_components, n_features)
        What each code adds to a row, :math:`V^T`. Principal axes, if the model is PCA.

    explained_variance, explained_variance_ratio : ndarray of shape (n_components,)
        Variance of each code, and the fraction of the total that it explains.

    noise_variance : float
        Mean variance along the directions that the codes leave out, of as many as rows
        or features have.

    n_rows : int
        Number of training rows.

    projection : ndarray of shape (n_features, n_components) or None
        Maps centred rows to codes, :math:`W`. None stands for PCA's transposed
        components.

    head : tuple of ndarray or None
        Kernel and bias that predict labels from codes.

    deviations : ndarray of shape (n_components,) or None
        The codes are divided by these, if they are whitened.

    pca_unexplained : float or None
        Fraction of the variance that PCA with as many components leaves. None if that
        is what the model leaves.

    filler : LinearModel or None
        PCA of the same rows, which fills in missing values where the model is no PCA.
    """

    name: str
    scaling: Scaling
    components: np.ndarray
    explained_variance: np.ndarray
    explained_variance_ratio: np.ndarray
    noise_variance: float
    n_rows: int
    projection: np.ndarray | None = None
    head: tuple[np.ndarray, np.ndarray] | None = None
    deviations: np.ndarray | None = None
    pca_unexplained: float | None = None
    filler: LinearModel | None = None

    kind: ClassVar[str] = "linear"
    """What estimators call the model that they kept."""

    @classmethod
    def of_mean(cls, scaling: Scaling, n_rows: int) -> LinearModel:
        """Return the model without components, which reconstructs the mean."""
        nothing = np.zeros(0)
        components = np.zeros((0, len(scaling.mean)))
        noise = scaling.scale**2
        return cls("the mean", scaling, components, nothing, nothing, noise, n_rows)

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.components)

    @property
    def is_pca(self) -> bool:
        """Whether the components are principal axes."""
        return self.projection is None

    @property
    def can_fill(self) -> bool:
        """Whether the model can fill in missing values."""
        return self.is_pca or self.filler is not None

    @property
    def unexplained(self) -> float:
        """Fraction of the variance that the codes leave."""
        return max(1 - float(self.explained_variance_ratio.sum()), 0.0)

    @property
    def unexplained_by_pca(self) -> float:
        """Fraction of the variance that PCA with as many components leaves."""
        pca = self.pca_unexplained
        return self.unexplained if pca is None else pca

    @property
    def unexplained_variance(self) -> float:
        """Variance that the codes leave, in the data's squared units."""
        fraction = float(self.explained_variance_ratio.sum())
        explained = float(self.explained_variance.sum())
        return max(explained / fraction - explained, 0.0) if fraction > 0 else 0.0

    @property
    def down(self) -> np.ndarray:
        """What maps centred rows to codes before whitening."""
        return self.components.T if self.projection is None else self.projection

    @property
    def code_mean(self) -> np.ndarray:
        """Mean of the training rows' codes."""
        return np.zeros(self.n_components)

    @property
    def code_covariance(self) -> np.ndarray:
        """Covariance of the training rows' codes."""
        spread = np.sqrt(self.explained_variance)
        if self.deviations is not None:
            spread = spread / self.deviations
        return np.diag(np.square(spread))

    def encode(self, X: Any) -> np.ndarray:
        """Return the codes of rows. They are not finite where a row is not."""
        down = self.down.astype(X.dtype)
        mean = self.scaling.mean.astype(X.dtype)
        if issparse(X):
            codes = X @ down - mean @ down
        else:
            parts = [(dense(X[rows]) - mean) @ down for rows in chunks(X)]
            codes = np.concatenate(parts)
        if self.deviations is not None:
            codes /= self.deviations.astype(X.dtype)
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of codes."""
        dtype = codes.dtype
        if self.deviations is not None:
            codes = codes * self.deviations.astype(dtype)
        return codes @ self.components.astype(dtype) + self.scaling.mean.astype(dtype)

    def fill(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return rows with the conditional means of their missing values.

        They are those of probabilistic PCA. The result has the dtype of ``X``.
        """
        if self.filler is not None:
            return self.filler.fill(X, observed)
        scaling, model = self.scaling, self._probabilistic
        incomplete = ~observed.all(axis=1)
        known = observed[incomplete]
        rows = np.where(known, (X[incomplete] - scaling.mean) / scaling.scale, 0)
        means = scaling.invert(model.imputed(rows, known)).astype(X.dtype)
        complete = X.copy()
        complete[incomplete] = np.where(known, X[incomplete], means)
        return complete

    def as_stored(self, dtype: Any, whiten: bool) -> LinearModel:
        """Return what a fitted estimator keeps: the model in the dtype of its rows."""
        deviations = head = None
        if whiten:
            # Where only rounding errors vary, there is nothing to whiten.
            spread, scale = np.sqrt(self.explained_variance), self.scaling.scale
            deviations = np.where(spread > _ROUNDING * scale, spread, scale)
        if self.head is not None:
            # The head saw codes in units of the scale.
            units = 1.0 if deviations is None else deviations[:, None]
            head = self.head[0] * units / self.scaling.scale, self.head[1]
        mean, down = self.scaling.mean.astype(dtype, copy=False), self.projection
        return replace(
            self,
            scaling=replace(self.scaling, mean=mean),
            components=self.components.astype(dtype, copy=False),
            projection=None if down is None else down.astype(dtype, copy=False),
            head=head,
            deviations=deviations,
            filler=None if self.filler is None else self.filler.as_stored(dtype, False),
        )

    def weights(self, scaling: Scaling, likelihood: str | None) -> LinearWeights:
        r"""Return the weights of a network that starts as this model.

        With a likelihood it starts as probabilistic PCA, the best linear variational
        autoencoder. Tipping & Bishop (1999) and Lucas et al. (2019): with the
        eigenvalues :math:`\lambda_i` and the mean :math:`\sigma^2` of those left out,

        .. math::
            x = U (\Lambda - \sigma^2)^{1/2} z + \mu + \sigma \epsilon, \qquad
            z | x \sim N(\Lambda^{-1} (\Lambda - \sigma^2)^{1/2} U^T (x - \mu),
            \sigma^2 \Lambda^{-1}).

        With a Bernoulli likelihood the logistic function is replaced by a tangent. Its
        slope is that at one half, its height is that at the mean.

        Parameters
        ----------
        scaling : Scaling
            Between the data's units and the network's. Without a likelihood it is that
            of the model.

        likelihood : {"gaussian", "bernoulli"} or None
            Of a row given its code.
        """
        k, d = self.components.shape
        components = _on_grid(self.components)
        if likelihood is None:
            down = _on_grid(self.down)
            return LinearWeights(
                (down, np.zeros(k)), (components, np.zeros(d)), self.head
            )
        scale = scaling.scale
        variances = self.explained_variance / scale**2
        noise = self.unexplained_variance / (d - k) if d > k else 0.0
        noise = max(noise / scale**2, _LEAST_NOISE)
        spread = np.sqrt(np.maximum(variances - noise, 0))
        variances = np.maximum(variances, noise)
        kernel = components.T * (spread / variances)
        mean = (self.scaling.mean - scaling.mean) / scale
        rows, height = components * spread[:, None], mean
        row_log_variance: np.ndarray | None = np.log([noise])
        if likelihood == "bernoulli":
            inside = np.clip(mean, _RAREST, 1 - _RAREST)
            rows, height = 4 * rows, np.log(inside / (1 - inside))
            row_log_variance = None
        return LinearWeights(
            (kernel, -mean @ kernel),
            (rows, height),
            code_log_variances=np.log(noise / variances),
            row_log_variance=row_log_variance,
        )

    @property
    def _probabilistic(self) -> ProbabilisticPCA:
        """Probabilistic PCA of rows in units of the scale, whose mean is zero."""
        k, d = self.components.shape
        # Variances of PCA are divided by n_rows - 1.
        unit = max(self.n_rows - 1, 1) / self.n_rows / self.scaling.scale**2
        variances = self.explained_variance * unit
        left = self.unexplained_variance * unit
        return ProbabilisticPCA(
            np.zeros(d),
            self.components.astype(np.float64),
            variances,
            left / (d - k) if d > k else 0.0,
            float(variances.sum() + left),
        )


def _on_grid(kernel: np.ndarray) -> np.ndarray:
    """Return a kernel whose numbers are multiples of a power of two.

    Its last digits depend on the units of the data. So do all digits of a feature that
    is constant or nearly so. Training would magnify them. The power is 2^-32 of the
    largest number or less, far below the precision of float32.
    """
    largest = np.abs(kernel).max(initial=0)
    if not largest > 0:
        return kernel
    unit = 2.0 ** (np.floor(np.log2(largest)) - 32)
    return np.rint(kernel / unit) * unit
