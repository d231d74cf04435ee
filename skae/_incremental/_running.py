"""The linear model of all rows so far, which the network has to beat."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.decomposition import IncrementalPCA

from .._data import Scaling, dense
from .._labels import Labels, LinearPredictor
from .._linear import (
    LinearPath,
    PrincipalAxes,
    PrincipalCovariates,
    RunningSums,
    discriminant,
)
from .._model import FittedModel, LinearCodec
from .._networks import NetworkSpec
from .._objective.target import weight_beside_variance

_MOST_FEATURES = 4000
"""With more features, a matrix of products between them is too large."""


class RunningModel(ABC):
    """A linear model that is updated batch by batch. It never changes itself."""

    @abstractmethod
    def after(
        self, X: Any, labels: Labels | None, target_weight: float
    ) -> RunningModel:
        """Return the model after one more batch."""

    @property
    @abstractmethod
    def mean(self) -> np.ndarray:
        """Mean of all rows so far."""

    @property
    @abstractmethod
    def deviation(self) -> float:
        """Root of their mean variance."""

    @property
    @abstractmethod
    def unexplained(self) -> float:
        """Share of their variance that PCA leaves."""

    @property
    @abstractmethod
    def loss(self) -> float:
        """Share of their variance that the model leaves."""

    @property
    @abstractmethod
    def path(self) -> LinearPath:
        """The model, for centred rows."""

    @abstractmethod
    def fitted(self, scale: float, whiten: bool, dtype: Any) -> FittedModel:
        """Return what an estimator stores. One unit of the network is a ``scale``."""


@dataclass(frozen=True)
class RunningPCA(RunningModel):
    """PCA.

    Parameters
    ----------
    origin : ndarray of shape (n_features,)
        It is subtracted from rows. This keeps digits.

    pca : IncrementalPCA
        Of these rows.
    """

    origin: np.ndarray
    pca: IncrementalPCA

    @classmethod
    def begin(cls, scaling: Scaling, n_components: int) -> RunningPCA:
        """Return the model before the first batch."""
        return cls(scaling.mean, IncrementalPCA(n_components))

    def after(self, X: Any, labels: Labels | None, target_weight: float) -> RunningPCA:
        """Return the PCA of one more batch, too."""
        pca = copy.deepcopy(self.pca)
        # A single row has no variance.
        with np.errstate(invalid="ignore", divide="ignore"):
            pca.partial_fit(dense(X) - self.origin)
        return replace(self, pca=pca)

    @property
    def mean(self) -> np.ndarray:
        """Mean of all rows so far."""
        return self.origin + self.pca.mean_

    @property
    def deviation(self) -> float:
        """Root of their mean variance."""
        return float(np.sqrt(self.pca.var_.mean()))

    @property
    def unexplained(self) -> float:
        """Share of their variance that PCA leaves."""
        return self.axes.unexplained

    @property
    def loss(self) -> float:
        """The same."""
        return self.axes.unexplained

    @property
    def axes(self) -> PrincipalAxes:
        """The principal axes of all rows so far."""
        return PrincipalAxes(
            self.pca.components_,
            np.nan_to_num(self.pca.explained_variance_),
            np.nan_to_num(self.pca.explained_variance_ratio_),
            float(np.nan_to_num(self.pca.noise_variance_)),
        )

    @property
    def codec(self) -> LinearCodec:
        """The model as a codec, in float64."""
        return LinearCodec(self.mean, self.pca.components_)

    @property
    def path(self) -> LinearPath:
        """The model, for centred rows."""
        return LinearPath.pca(self.axes)

    def fitted(self, scale: float, whiten: bool, dtype: Any) -> FittedModel:
        """Return what an estimator stores."""
        return FittedModel.pca(self.axes, Scaling(self.mean, scale), whiten, dtype)


@dataclass(frozen=True)
class RunningCovariates(RunningModel):
    """Principal covariates regression, exactly that of all rows so far.

    Parameters
    ----------
    spec : NetworkSpec
        The network that has to beat it.

    scale : float
        One unit of the network.

    sums : RunningSums
        Of all rows so far.

    predictor : LinearPredictor or None
        The model with its head. None before the first batch.

    unexplained_by_pca : float
        Share of the variance that PCA leaves.
    """

    spec: NetworkSpec
    scale: float
    sums: RunningSums
    predictor: LinearPredictor | None = None
    unexplained_by_pca: float = 1.0

    @classmethod
    def begin(cls, spec: NetworkSpec, scaling: Scaling) -> RunningCovariates:
        """Return the model before the first batch."""
        sums = RunningSums.zero(spec.n_features, spec.n_targets)
        return cls(spec, scaling.scale, sums)

    @staticmethod
    def check_width(n_features: int, target_weight: float) -> None:
        """Raise ``ValueError`` if there are too many features."""
        if n_features > _MOST_FEATURES:
            raise ValueError(
                f"partial_fit with target_weight={target_weight} takes at most "
                f"{_MOST_FEATURES} features, since it stores their products with each "
                f"other. X has {n_features} features. Call fit, or set "
                "target_weight=0 or skip_connections=None."
            )

    def after(
        self, X: Any, labels: Labels | None, target_weight: float
    ) -> RunningCovariates:
        """Return the principal covariates regression of one more batch, too."""
        assert labels is not None
        sums = self.sums.with_rows(X, labels.values, labels.known)
        axes, k = sums.axes, self.spec.n_components
        unexplained = max(1 - float(axes.explained_variance_ratio[:k].sum()), 0.0)
        weight = target_weight
        if not self.spec.is_linear:
            weight = weight_beside_variance(weight, unexplained)
        covariates = PrincipalCovariates.of_sums(sums, axes, k, weight)
        if labels.classes is None:
            head = labels.regression_head(covariates, self.scale)
        else:
            variances = covariates.explained_variance
            kernel, bias = discriminant(sums, covariates.encoder, variances)
            head = kernel * self.scale, bias
        predictor = LinearPredictor(covariates, head)
        return replace(
            self, sums=sums, predictor=predictor, unexplained_by_pca=unexplained
        )

    @property
    def mean(self) -> np.ndarray:
        """Mean of all rows so far."""
        return self.sums.rows.mean

    @property
    def deviation(self) -> float:
        """Root of their mean variance, 1 if they are constant."""
        return self.sums.scaling.scale

    @property
    def unexplained(self) -> float:
        """Share of their variance that PCA leaves."""
        return self.unexplained_by_pca

    @property
    def loss(self) -> float:
        """Share of their variance that the model leaves."""
        return self._known.covariates.unexplained

    @property
    def path(self) -> LinearPath:
        """The model, for centred rows."""
        return self._known.path

    def fitted(self, scale: float, whiten: bool, dtype: Any) -> FittedModel:
        """Return what an estimator stores."""
        own = Scaling(self.mean, scale)
        return self._known.model(self.sums.rows.count, dtype, own, whiten)

    @property
    def _known(self) -> LinearPredictor:
        assert self.predictor is not None
        return self.predictor
