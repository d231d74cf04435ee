"""A fitted autoencoder that kept PCA, as scikit-learn's PCA."""

from __future__ import annotations

from typing import Any

from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted

from ._model import LinearCodec


def as_pca(estimator: Any) -> PCA:
    """Return the fitted model as scikit-learn's PCA, which knows its covariance.

    Raises
    ------
    AttributeError
        If the fitted model is not PCA.
    """
    check_is_fitted(estimator)
    codec = estimator._codec
    if not (isinstance(codec, LinearCodec) and codec.is_pca):
        raise AttributeError(
            f"The covariance has a closed form only where {type(estimator).__name__} "
            f"kept PCA. Here selected_model_={estimator.selected_model_!r}, a model "
            "without one."
        )
    pca = PCA(estimator.n_components_)
    pca.components_ = estimator.components_
    pca.explained_variance_ = estimator.explained_variance_
    pca.noise_variance_ = estimator.noise_variance_
    pca.n_components_ = estimator.n_components_
    pca.n_features_in_ = estimator.n_features_in_
    return pca
