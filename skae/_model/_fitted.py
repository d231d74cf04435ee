"""What ``fit`` stores: a codec, and what is known of the training rows' codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .._data import Scaling, slices
from .._linear import LinearPath, PrincipalAxes, PrincipalCovariates
from ._blocks import FEW
from ._bounds import Box
from ._codec import Codec
from ._density import Gaussian
from ._linear_codec import LinearCodec
from ._network_codec import NetworkCodec
from ._numpy_inference import PRECISE_ROWS

_ROUNDING = 1e-12
"""Deviations below this share of the scale are rounding errors."""

_STEP, _COARSE_STEP = 1e-4, 1e-2
"""Steps of differences in units of a code's deviation, in float64 and in float32."""


@dataclass(frozen=True)
class FittedModel:
    """A fitted model, linear or a network.

    Parameters
    ----------
    kind : {"linear", "network"}
        Which model was kept.

    codec : Codec
        Encodes and decodes.

    explained_variance, explained_variance_ratio : ndarray of shape (n_components,)
        Variance of each code before whitening, and its part of the explained share.

    noise_variance : float
        Mean variance along the directions that the codes leave out.

    codes : Gaussian
        Distribution of the training rows' codes.

    head : tuple of ndarray or None
        Kernel and bias that predict labels from codes.
    """

    kind: Literal["linear", "network"]
    codec: Codec
    explained_variance: np.ndarray
    explained_variance_ratio: np.ndarray
    noise_variance: float
    codes: Gaussian
    head: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def unexplained(self) -> float:
        """Share of the rows' variance that the codes leave."""
        return max(1 - float(self.explained_variance_ratio.sum()), 0.0)

    def attributes(self, dtype: Any, n_samples: int) -> dict[str, Any]:
        """Return the fitted attributes that follow from the model, by name."""
        singular_values = np.sqrt(self.explained_variance * max(n_samples - 1, 0))
        return {
            "selected_model_": self.kind,
            "explained_variance_": self.explained_variance.astype(dtype),
            "explained_variance_ratio_": self.explained_variance_ratio.astype(dtype),
            "singular_values_": singular_values.astype(dtype),
            "noise_variance_": self.noise_variance,
            "n_components_": len(self.explained_variance),
        }

    @classmethod
    def pca(
        cls, axes: PrincipalAxes, own: Scaling, whiten: bool, dtype: Any
    ) -> FittedModel:
        """Return PCA, computed in the data's precision and without a network.

        Parameters
        ----------
        axes : PrincipalAxes
            Of the rows.

        own : Scaling
            The rows' mean and scale.

        whiten : bool
            Whether to give every code variance one.

        dtype : dtype
            Of the rows.
        """
        spread = np.sqrt(axes.explained_variance)
        deviations = None
        if whiten:
            # Where only rounding errors vary, there is nothing to whiten.
            deviations = np.where(spread > _ROUNDING * own.scale, spread, own.scale)
            spread = spread / deviations
        components = axes.components.astype(dtype, copy=False)
        return cls(
            "linear",
            LinearCodec(own.mean.astype(dtype, copy=False), components, deviations),
            axes.explained_variance,
            axes.explained_variance_ratio,
            axes.noise_variance,
            Gaussian(np.zeros(len(spread)), np.diag(np.square(spread))),
        )

    @classmethod
    def covariates(
        cls,
        covariates: PrincipalCovariates,
        head: tuple[np.ndarray, np.ndarray],
        own: Scaling,
        whiten: bool,
        n_samples: int,
        dtype: Any,
    ) -> FittedModel:
        """Return principal covariates regression, likewise.

        The ``head`` predicts labels from codes in units of the scale of ``own``.
        """
        pca = cls.pca(covariates.as_axes(n_samples), own, whiten, dtype)
        codec = pca.codec
        assert isinstance(codec, LinearCodec)
        projection = covariates.encoder.astype(dtype, copy=False)
        units = 1.0 if codec.deviations is None else codec.deviations[:, None]
        return replace(
            pca,
            codec=replace(codec, projection=projection),
            head=(head[0] * units / own.scale, head[1]),
        )

    @classmethod
    def network(
        cls,
        codec: NetworkCodec,
        X: Any,
        linear: LinearPath | None,
        *,
        rotate: bool,
        whiten: bool,
        kind: Literal["linear", "network"] = "network",
        seen: tuple[Box, Box] | None = None,
    ) -> FittedModel:
        """Return a network with canonical codes on ``X``.

        Parameters
        ----------
        codec : NetworkCodec
            The network with its own codes.

        X : {array, CSR matrix} of shape (n_samples, n_features)
            The training rows.

        linear : LinearPath or None
            If given, this linear model continues the network beyond ``X``.

        rotate, whiten : bool
            Whether codes may be rotated, and whether they are whitened.

        kind : {"linear", "network"}
            "linear" if the network computes a linear model.

        seen : tuple of Box or None
            Around earlier rows and their codes, with the network's own codes.
        """
        codec, summary = codec.canonical(
            X, linear, rotate=rotate, whiten=whiten, seen=seen
        )
        variances = summary.variances
        shares = variances / (variances.sum() or 1.0)
        n_left_out = min(X.shape) - len(variances)
        jacobian = _jacobian(codec, summary.mean, np.diag(summary.covariance))
        if whiten:
            deviations = np.sqrt(variances)
            jacobian /= np.where(deviations > 0, deviations, 1.0)[:, None]
        return cls(
            kind,
            replace(codec, components=jacobian.astype(X.dtype)),
            variances,
            max(summary.explained, 0.0) * shares,
            summary.residual_variance / n_left_out if n_left_out > 0 else 0.0,
            Gaussian(summary.mean, summary.covariance),
            codec.head if codec.spec.n_targets else None,
        )


def _jacobian(
    codec: NetworkCodec, mean: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """Return the derivative of the decoder at a code, by central differences.

    A decoder sees codes in float32. So the steps are those between float32 numbers.
    """
    step = _STEP if codec.spec.has_numpy_forward_of_few else _COARSE_STEP
    deviations = np.sqrt(np.maximum(variances, 0))
    largest = deviations.max(initial=0.0) or 1.0
    steps = np.diag(step * np.where(deviations > 0, deviations, largest))
    codes = (mean + np.concatenate([steps, -steps])).astype(np.float32)
    above, below = np.split(codes.astype(np.float64), 2)
    # Few rows in a call are decoded in float64, and very few need a further program.
    asked = np.resize(codes, (max(len(codes), FEW + 1), len(mean))).astype(np.float64)
    parts = [codec.decode(asked[part]) for part in slices(len(asked), PRECISE_ROWS)]
    rows_above, rows_below = np.split(np.concatenate(parts)[: len(codes)], 2)
    return (rows_above - rows_below) / np.diag(above - below)[:, None]
