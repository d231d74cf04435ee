"""Over-sampling for imbalanced-learn, which the extra ``imbalance`` brings along."""

from __future__ import annotations

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from scipy import sparse
from sklearn.base import clone
from sklearn.neighbors import KernelDensity
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.sparsefuncs import min_max_axis
from sklearn.utils.validation import validate_data

from ._autoencoder import AutoencoderTransformer
from ._data import table_with_categories
from ._inference import draw_from
from ._state import EstimatorMixin
from .tables import TableEncoder

__all__ = ["AutoencoderOverSampler"]

_BANDWIDTH = 0.25
"""In deviations within classes. With the usual rules, larger ones, classes overlap."""


class AutoencoderOverSampler(EstimatorMixin, BaseOverSampler):
    """Over-sample classes by decoding codes near those of their rows.

    One autoencoder is fitted to all rows. One density for each class is fitted to the
    codes of its rows. New codes are drawn from the density and decoded. SMOTE
    interpolates between rows; here the interpolation is between codes. New values of
    integer and boolean features are rounded, and stay within the range of ``X``.

    Tables of pandas with categories, text and booleans are encoded by
    :class:`~skae.tables.TableEncoder` and decoded again. Their categories are drawn in
    proportion to how probable they are, and numbers vary by what the autoencoder
    leaves.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Any of skae's autoencoders, or a pipeline that ends in one. None stands for
        ``AutoencoderTransformer(16)``, with fewer components where there are fewer rows
        or features.

    density : estimator or None, default=None
        Fitted to the codes of a class, divided by their standard deviation within
        classes. It has ``fit`` and ``sample``. None stands for a
        :class:`~sklearn.neighbors.KernelDensity` with a bandwidth of 0.25. Its rows are
        near those of the class.

    sampling_strategy : float, str, dict or callable, default="auto"
        Classes to over-sample, and how far, as in imbalanced-learn.

    random_state : int, RandomState instance or None, default=None
        Determines what is drawn. It also seeds every ``random_state`` of the
        autoencoder and of the density. Pass an int for the same rows in every call.

    Attributes
    ----------
    sampling_strategy_ : dict
        For each class the number of rows made.

    estimator_ : estimator
        The autoencoder, fitted to all rows, or to the numbers of a table's rows.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen in ``fit``, if all are strings.

    See Also
    --------
    AutoencoderTransformer.sample : Generates rows without classes.

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
        "estimator": [HasMethods(["fit", "transform", "inverse_transform"]), None],
        "density": [HasMethods(["fit", "sample"]), None],
    }

    def __init__(
        self,
        estimator=None,
        *,
        density=None,
        sampling_strategy="auto",
        random_state=None,
    ):
        super().__init__(sampling_strategy=sampling_strategy)
        self.estimator = estimator
        self.density = density
        self.random_state = random_state

    def _check_X_y(self, X, y, accept_sparse=None):
        if type(X).__module__.startswith("polars"):
            raise ValueError(
                f"{type(self).__name__} takes data frames of pandas only, as "
                "imbalanced-learn does. Convert X by X.to_pandas()."
            )
        if not sparse.issparse(X) and table_with_categories(X) is not None:
            y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
            validate_data(self, X=X, reset=True, skip_check_array=True)
            return X, y, binarize_y
        self._has_integers = _are_integers(X)
        X, y, binarize_y = super()._check_X_y(X, y, accept_sparse)
        if X.dtype.kind == "O":
            # Of nullable dtypes of pandas.
            X = X.astype(np.float64)
        return X, y, binarize_y

    def _fit_resample(self, X, y, **params):
        rng = check_random_state(self.random_state)
        encoder = None
        table = None if sparse.issparse(X) else table_with_categories(X)
        if table is not None:
            # The rows of a table stay as they are. Numbers stand for them.
            encoder, original = TableEncoder()._measured(table), table.as_objects()
            X = encoder._encoded(table, unknown=0.0)
            assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
        given = self.estimator
        if given is None:
            given = AutoencoderTransformer(min(16, *X.shape))
        autoencoder = _seeded_clone(given, rng)
        self.estimator_ = autoencoder.fit(X, y)
        # The user may have asked for data frames.
        codes = np.ascontiguousarray(autoencoder.transform(X))
        deviations = _deviations_within(codes, y)
        if encoder is not None:
            restored = np.asarray(autoencoder.inverse_transform(codes))
            residuals = (X - restored).std(axis=0)
        rows, labels = [X if encoder is None else original], [y]
        low, high = _range_of(X)
        for label, n_rows in self.sampling_strategy_.items():
            if n_rows == 0:
                continue
            density = self.density
            if density is None:
                density = KernelDensity(bandwidth=_BANDWIDTH)
            density = _seeded_clone(density, rng).fit(codes[y == label] / deviations)
            drawn = draw_from(density, n_rows, rng) * deviations
            made = np.asarray(autoencoder.inverse_transform(drawn))
            if encoder is None:
                rounded = np.clip(np.rint(made), low, high)
                made = np.where(self._has_integers, rounded, made).astype(X.dtype)
                rows.append(sparse.csr_matrix(made) if sparse.issparse(X) else made)
            else:
                rows.append(np.stack(encoder._drawn(made, residuals, rng), axis=1))
            labels.append(np.full(n_rows, label, dtype=y.dtype))
        if sparse.issparse(X):
            stacked = sparse.vstack(rows, format=X.format)
        else:
            stacked = np.vstack(rows)
        return stacked, np.concatenate(labels)


def _are_integers(X) -> np.ndarray:
    """Return for each feature, or for all at once, whether its dtype is of integers."""
    if hasattr(X, "dtypes"):
        dtypes = list(X.dtypes)
    else:
        dtypes = [getattr(X, "dtype", None) or np.asarray(X).dtype]
    return np.array([getattr(dtype, "kind", "f") in "iub" for dtype in dtypes])


def _range_of(X) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value of each feature."""
    if sparse.issparse(X):
        return min_max_axis(X, axis=0)
    return X.min(axis=0), X.max(axis=0)


def _seeded_clone(estimator, rng: np.random.RandomState):
    """Return a clone with seeds for its random states, as ensembles make them."""
    copy = clone(estimator)
    seeds = {
        name: rng.randint(2**31)
        for name in sorted(copy.get_params(deep=True))
        if name == "random_state" or name.endswith("__random_state")
    }
    copy.set_params(**seeds)
    return copy


def _deviations_within(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each component's standard deviation around the means of the classes."""
    labels, members = np.unique(y, return_inverse=True)
    means = np.array(
        [codes[members == label].mean(axis=0) for label in range(len(labels))]
    )
    deviations = (codes - means[members]).std(axis=0)
    return np.where(deviations > 0, deviations, 1.0)
