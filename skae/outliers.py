"""Detection of outliers: rows that are improbable under an autoencoder."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._autoencoder import AutoencoderTransformer
from ._base import BaseAutoencoder
from ._outlier_scores import EncodedRows, HeldOutFits, check_can_hold_out
from ._pipelines import like
from ._state import EstimatorMixin, restore_on_error
from ._validation import validated

__all__ = ["AutoencoderOutlierDetector"]

_FENCE = 1.5
"""Interquartile ranges below the lower quartile: Tukey's rule for box plots."""


class AutoencoderOutlierDetector(EstimatorMixin, OutlierMixin, BaseEstimator):
    r"""Detect outliers by the likelihood of their codes and of their residuals.

    For anomaly detection: outliers among the training rows, and outliers among new rows
    (novelty detection). Scale the features before, for example with
    :class:`~sklearn.preprocessing.StandardScaler`.

    The score of a row :math:`x` with code :math:`z` and reconstruction :math:`\hat x`
    is

    .. math::
        \log p(z) + \log N(x - \hat x; 0, \sigma^2).

    A linear autoencoder and one normal distribution of the codes give the
    log-likelihood of probabilistic PCA [1]_. This is the start. A network takes the
    place of the linear autoencoder, and kernels [2]_ take the place of the normal
    distribution, only if they are significantly better on held-out rows. The kernels
    are around random samples of few rows. So a few outliers do not get kernels of
    their own in most samples, and stay improbable.

    Read more in ``docs/outliers.md``.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Any of skae's autoencoders. It is cloned. None stands for an
        :class:`~skae.AutoencoderTransformer` with two small hidden layers and so many
        components that PCA explains 90 % of the variance.

    contamination : "auto" or float in (0, 0.5], default="auto"
        Where the threshold lies.

        - "auto": scores of held-out rows give it, by the rule of box plots. It is 1.5
          interquartile ranges below their lower quartile.
        - A float is the fraction of the training rows below the threshold.

    bandwidth : "auto" or float in (0, 1], default="auto"
        Width of the kernels that describe the codes. 1 stands for one normal
        distribution. A smaller bandwidth follows the rows more closely. "auto" starts
        at 1, and takes a smaller one only if held-out rows are significantly more
        probable (Wilcoxon, p < 0.01).

    random_state : int, RandomState instance or None, default=None
        Determines which rows are held out, and the kernels. It also seeds the
        autoencoder. Pass an int for the same result in every fit.

    Attributes
    ----------
    estimator_ : estimator
        The autoencoder. With more than 1000 rows a network has seen four fifths of
        them in training. Otherwise it is fitted to all rows.

    bandwidth_ : float
        Width of the kernels.

    offset_ : float
        Threshold of the scores. Rows below it are outliers.

    held_out_scores_ : ndarray of shape (n_held_out,)
        Scores of training rows by a model that was fitted without them, in the order
        of the rows. They are all rows if these are at most 1000, else a fifth of them.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen in ``fit``, if all are strings.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Isolates rows by random splits.
    sklearn.decomposition.PCA : Its ``score_samples`` is the start.

    Notes
    -----
    The score of a network leaves out by how much the decoder stretches space. So it is
    a log-likelihood only for a linear autoencoder. A variational autoencoder has a
    lower bound of its own, which is used instead.

    References
    ----------
    .. [1] Tipping & Bishop (1999), "Probabilistic principal component analysis", JRSS B
       61(3).
    .. [2] West (1993), "Approximating posterior distributions by mixture", JRSS B
       55(2).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae.outliers import AutoencoderOutlierDetector
    >>> X, y = load_digits(return_X_y=True)
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X[y == 0])
    >>> float(round((detector.predict(X[y == 1]) == -1).mean(), 1))
    1.0
    """

    _parameter_constraints: dict = {
        "estimator": [BaseAutoencoder, None],
        "contamination": [
            StrOptions({"auto"}),
            Interval(Real, 0, 0.5, closed="right"),
        ],
        "bandwidth": [
            StrOptions({"auto"}),
            Interval(Real, 0, 1, closed="right"),
        ],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        contamination="auto",
        bandwidth="auto",
        random_state=None,
    ):
        self.estimator = estimator
        self.contamination = contamination
        self.bandwidth = bandwidth
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(self, X, y=None):
        """Fit the autoencoder, the density of its codes and the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Some may be outliers.

        y : None
            Ignored, here for the conventions of scikit-learn.

        Returns
        -------
        self : object
            The fitted detector.
        """
        data = validated(self, X, reset=True)
        rng = check_random_state(self.random_state)
        seed = rng.randint(2**31)
        owner = type(self).__name__
        check_can_hold_out(owner, data.shape[0], self._autoencoder(seed))

        def autoencoder():
            return self._autoencoder(seed)

        fits = HeldOutFits.fit(data, autoencoder, seed)
        self.bandwidth_, self.held_out_scores_ = fits.chosen(self.bandwidth)
        self.estimator_ = fits.final(autoencoder)
        encoded = EncodedRows.of(self.estimator_, data)
        self._density = encoded.density(self.bandwidth_, seed)
        self.offset_ = self._threshold(data)
        return self

    def score_samples(self, X):
        """Return the log-likelihood of each row, the higher the more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to evaluate.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In nats.
        """
        check_is_fitted(self)
        # Kernels far from a row underflow to zero, as they should.
        with np.errstate(under="ignore"):
            return self._density.log_density(validated(self, X))

    def decision_function(self, X):
        """Return ``score_samples(X) - offset_``, below zero for outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to evaluate.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            In nats.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return -1 for outliers and 1 for other rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to evaluate.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            1 or -1.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X):
        """Return how much each feature contributes to what makes a row improbable.

        A feature counts by how much the row's squared distance from the rows most like
        it falls if the feature takes its most probable value, and the others keep
        theirs: the reconstruction-based contribution [1]_. A linear model finds a
        single faulty feature with certainty if the fault is large. A network is treated
        as linear around the row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to explain.

        Returns
        -------
        contributions : {ndarray, DataFrame} of shape (n_samples, n_features)
            They are not negative, and add up to 1 in each row. A data frame with the
            names of the features, if ``X`` is one.

        See Also
        --------
        skae.inspection.outlier_contributions : For a detector in a pipeline.

        References
        ----------
        .. [1] Alcala & Qin (2009), "Reconstruction-based contribution for process
           monitoring", Automatica 45(7).
        """
        check_is_fitted(self)
        with np.errstate(under="ignore"):
            found = self._density.contributions(validated(self, X))
        return like(X, found)

    def _autoencoder(self, seed: int) -> BaseAutoencoder:
        """Return a new autoencoder."""
        if self.estimator is None:
            return AutoencoderTransformer(
                0.9, hidden_layer_sizes=(128, 64), max_iter=30, random_state=seed
            )
        return clone(self.estimator).set_params(random_state=seed)

    def _threshold(self, data) -> float:
        if self.contamination == "auto":
            low, high = np.percentile(self.held_out_scores_, [25, 75])
            return float(low - _FENCE * (high - low))
        # This fraction is one of the training rows, by the convention of scikit-learn.
        scores = self._density.log_density(data)
        return float(np.percentile(scores, 100 * self.contamination))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
