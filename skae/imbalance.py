"""Over-sampling for imbalanced-learn, which ``skae[imbalance]`` brings along."""

from __future__ import annotations

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from scipy import sparse
from sklearn.base import clone
from sklearn.neighbors import KernelDensity
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods

from ._autoencoder import AutoencoderTransformer
from ._model import draw_from

__all__ = ["AutoencoderOverSampler"]

_BANDWIDTH = 0.25
"""Of the deviation within classes. Rules for larger ones let classes overlap."""


class AutoencoderOverSampler(BaseOverSampler):
    """Over-sample classes by rows decoded from their codes' neighbourhood.

    One autoencoder learns from all rows what rows look like; a density for each class
    says where in the space of codes its rows are. New rows are drawn from that and
    decoded. Unlike interpolation between rows (SMOTE), what is between two rows is then
    what the autoencoder makes of it.

    Parameters
    ----------
    autoencoder : estimator or None, default=None
        With ``transform`` and ``inverse_transform``: any of skae's, or a pipeline that
        ends in one. None for ``AutoencoderTransformer(16)``, or with fewer components
        where there are fewer rows or features.

    density : estimator or None, default=None
        With ``fit`` and ``sample``, for the codes of a class, in units of their
        standard deviation within classes. None for a
        :class:`~sklearn.neighbors.KernelDensity` with a bandwidth of a quarter of that:
        rows like those there are, a little moved.

    sampling_strategy : float, str, dict or callable, default="auto"
        Classes to over-sample, and how far, as in imbalanced-learn.

    random_state : int, RandomState instance or None, default=None
        Decides what is drawn, and is handed to the default autoencoder.

    Attributes
    ----------
    sampling_strategy_ : dict
        Class to number of rows made.

    autoencoder_ : estimator
        Fitted to all rows.

    See Also
    --------
    AutoencoderTransformer.sample : Rows of no class in particular.

    Examples
    --------
    >>> from collections import Counter
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skae.imbalance import AutoencoderOverSampler
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> _, balanced = AutoencoderOverSampler(random_state=0).fit_resample(X, y)
    >>> sorted(Counter(balanced.tolist()).items())
    [(0, 357), (1, 357)]
    """

    _parameter_constraints: dict = {
        **BaseOverSampler._parameter_constraints,
        "autoencoder": [HasMethods(["fit", "transform", "inverse_transform"]), None],
        "density": [HasMethods(["fit", "sample"]), None],
    }

    def __init__(
        self,
        autoencoder=None,
        *,
        density=None,
        sampling_strategy="auto",
        random_state=None,
    ):
        super().__init__(sampling_strategy=sampling_strategy)
        self.autoencoder = autoencoder
        self.density = density
        self.random_state = random_state

    def _fit_resample(self, X, y, **params):
        rng = check_random_state(self.random_state)
        if self.autoencoder is None:
            n_components = min(16, *X.shape)
            autoencoder = AutoencoderTransformer(n_components, random_state=rng)
        else:
            autoencoder = clone(self.autoencoder)
        self.autoencoder_ = autoencoder.fit(X, y)
        codes = autoencoder.transform(X)
        unit = _deviation_within(codes, y)
        rows, labels = [X], [y]
        for label, n_rows in self.sampling_strategy_.items():
            if n_rows == 0:
                continue
            density = KernelDensity(bandwidth=_BANDWIDTH)
            if self.density is not None:
                density = clone(self.density)
            density.fit(codes[y == label] / unit)
            drawn = draw_from(density, n_rows, rng) * unit
            made = autoencoder.inverse_transform(drawn).astype(X.dtype)
            rows.append(sparse.csr_matrix(made) if sparse.issparse(X) else made)
            labels.append(np.full(n_rows, label, dtype=y.dtype))
        stack = sparse.vstack if sparse.issparse(X) else np.vstack
        return stack(rows), np.concatenate(labels)


def _deviation_within(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each component's standard deviation around the means of the classes."""
    labels, members = np.unique(y, return_inverse=True)
    means = np.array(
        [codes[members == label].mean(axis=0) for label in range(len(labels))]
    )
    deviations = (codes - means[members]).std(axis=0)
    return np.where(deviations > 0, deviations, 1.0)
