"""Detection of outliers: rows that are improbable under an autoencoder."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._autoencoder import AutoencoderTransformer
from ._base import BaseAutoencoder
from ._outlier_scores import (
    EncodedRows,
    HeldOutFits,
    check_can_hold_out,
    dependent_rows,
)
from ._outlier_views import Tail, Views, combined, lower_fence
from ._pipelines import like
from ._state import EstimatorMixin, restore_on_error
from ._validation import (
    observed_values,
    validated,
    validated_beside,
    validated_groups,
)

__all__ = ["AutoencoderOutlierDetector"]


class AutoencoderOutlierDetector(EstimatorMixin, OutlierMixin, BaseEstimator):
    r"""Detect outliers by an autoencoder, a forest and the nearest neighbour.

    For anomaly detection: outliers among the training rows, and outliers among new rows
    (novelty detection). Scale the features before, for example with
    :class:`~sklearn.preprocessing.StandardScaler`.

    Three views say how unusual a row is, because none of them finds all kinds of
    outliers:

    - the likelihood of the row's code :math:`z` and reconstruction :math:`\hat x`,

      .. math::
          \log p(z) + \log N(x - \hat x; 0, \sigma^2),

    - an :class:`~sklearn.ensemble.IsolationForest`,
    - the distance to the nearest training row.

    Training rows that the likelihood finds unusual (Tukey's rule for box plots) train
    neither of the last two. So a few outliers that are alike do not hide each other.

    The fraction of held-out rows that are more unusual puts the views on one scale. The
    score of a row is the sum of the logarithms of its two smallest fractions: two of
    three views have to agree. ``method="likelihood"`` takes the first view alone.

    A linear autoencoder and one normal distribution of the codes give the
    log-likelihood of probabilistic PCA [1]_. This is the start. A network takes the
    place of the linear autoencoder, and kernels [2]_ take the place of the normal
    distribution, only if they are significantly better on held-out rows.

    Read more in ``docs/outliers.md``.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Any of skae's autoencoders. It is cloned. None stands for an
        :class:`~skae.AutoencoderTransformer` with two small hidden layers and so many
        components that PCA explains 90 % of the variance.

    method : {"combined", "likelihood"}, default="combined"
        What the score is. "combined" finds outliers better on most tables. "likelihood"
        is the logarithm of a probability density, with an explanation of its own.

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
        Determines which rows are held out, the kernels, and the forest. It also seeds
        the autoencoder. Pass an int for the same result in every fit.

    Attributes
    ----------
    estimator_ : estimator
        The autoencoder. With more than 1000 rows, in at least 50 groups, a network has
        seen four fifths of them in training. Otherwise it is fitted to all rows.

    bandwidth_ : float
        Width of the kernels.

    offset_ : float
        Threshold of the scores. Rows below it are outliers.

    held_out_scores_ : ndarray of shape (n_held_out,)
        Scores of rows by a model that was fitted without them and without rows of their
        groups, in the order of the rows. With ``X_val`` they are its rows. Otherwise
        they are all training rows if these are at most 1000 or are in less than 50
        groups, else a fifth of them.

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
    The likelihood of a network leaves out by how much the decoder stretches space. So
    it is exact only for a linear autoencoder. A variational autoencoder has a lower
    bound of its own, which is used instead.

    Missing values (NaN) are allowed where the estimator takes them. The likelihood is
    that of the observed values. For a linear autoencoder it has a closed form; a
    network is treated as linear around the row. The combined score fills values in, and
    takes the likelihood that the complete row is expected to have.

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
        "method": [StrOptions({"combined", "likelihood"})],
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
        method="combined",
        contamination="auto",
        bandwidth="auto",
        random_state=None,
    ):
        self.estimator = estimator
        self.method = method
        self.contamination = contamination
        self.bandwidth = bandwidth
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    @restore_on_error
    def fit(self, X, y=None, *, groups=None, X_val=None):
        """Fit the autoencoder, the density of its codes and the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Some may be outliers.

        y : None
            Ignored, here for the conventions of scikit-learn.

        groups : array-like of shape (n_samples,), default=None
            Groups of rows that depend on each other, for example windows of one part of
            time. A group is held out as a whole. Equal rows always are.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows to hold out, for example the latest ones. They choose the model, the
            bandwidth and the threshold. Then all rows of ``X`` train. Cannot be
            combined with ``groups``.

        Returns
        -------
        self : object
            The fitted detector.
        """
        data = self._validated(X, reset=True)
        seed = check_random_state(self.random_state).randint(2**31)
        if X_val is not None and groups is not None:
            raise ValueError(
                "X_val cannot be combined with groups. Leave one of them out."
            )
        owner, first = type(self).__name__, self._autoencoder(seed)
        check_can_hold_out(owner, data.shape[0], first, X_val is not None)
        if groups is not None:
            groups = validated_groups(groups, data)
        if X_val is not None:
            X_val = validated_beside(self, X_val, "X_val", (None, data.shape[1]))
        groups = dependent_rows(owner, data, groups)

        def autoencoder():
            return self._autoencoder(seed)

        # Models of some rows each choose the bandwidth and score the others.
        fits = HeldOutFits.fit(data, autoencoder, seed, groups, X_val)
        self.bandwidth_ = fits.bandwidth(self.bandwidth)

        def density(estimator, rows):
            return EncodedRows.of(estimator, rows).density(self.bandwidth_, seed)

        def views(estimator, rows):
            likelihood = density(estimator, rows)
            fitted = Views.fit(likelihood, rows, seed)
            return lambda new: fitted.of(likelihood, new)

        # The model of all rows is what scores new ones.
        self.estimator_ = fits.final(data, autoencoder, groups)
        self._density = density(self.estimator_, data)
        self._views, self._tails = None, []
        if self.method == "likelihood":
            self.held_out_scores_ = fits.held_out_scores(
                lambda *fitted: density(*fitted).log_density
            )
        else:
            held_out = fits.held_out_scores(views)
            self._tails = [Tail.fit(view) for view in held_out.T]
            self.held_out_scores_ = combined(self._tails, held_out)
            self._views = Views.fit(self._density, data, seed)
        self.offset_ = self._threshold(data)
        return self

    def score_samples(self, X):
        """Return the score of each row, the higher the more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to evaluate.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In nats. The combined score is at most zero.
        """
        check_is_fitted(self)
        return self._scores(self._validated(X))

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

    def explain(self, X, *, feature_groups=None):
        """Return how much each feature contributes to what makes a row improbable.

        A feature counts by how much the row's squared distance from the rows most like
        it falls if the feature takes its most probable value, and the others keep
        theirs: the reconstruction-based contribution [1]_. A linear model finds a
        single faulty feature with certainty if the fault is large. A network is treated
        as linear around the row.

        Features that depend on each other share what one of them causes. Put features
        that fail together into one group, for example the values of one sensor in a
        window. All features of a group take their most probable values together.

        The explanation is that of the likelihood, also of a combined score.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to explain.

        feature_groups : array-like of shape (n_features,), default=None
            Name of each feature's group. None for one group for each feature.

        Returns
        -------
        contributions : {ndarray, DataFrame} of shape (n_samples, n_groups)
            They are not negative, and add up to 1 in each row. Groups are in the order
            of their first features. A data frame with the names of the features or
            groups, if ``X`` is one.

        Raises
        ------
        ValueError
            If ``feature_groups`` does not name a group for each feature.

        See Also
        --------
        skae.inspection.outlier_contributions : For a detector in a pipeline.

        References
        ----------
        .. [1] Alcala & Qin (2009), "Reconstruction-based contribution for process
           monitoring", Automatica 45(7).
        """
        check_is_fitted(self)
        data = self._validated(X)
        names, groups = None, [np.array([f]) for f in range(data.shape[1])]
        if feature_groups is not None:
            labels = list(feature_groups)
            if len(labels) != data.shape[1]:
                raise ValueError(
                    f"feature_groups must have a name for each of {data.shape[1]} "
                    f"features. Got {len(labels)}."
                )
            names = list(dict.fromkeys(labels))
            groups = [
                np.flatnonzero([label == name for label in labels]) for name in names
            ]
        with np.errstate(under="ignore"):
            found = self._density.contributions(data, groups)
        return like(X, found, names)

    def _validated(self, X, reset: bool = False):
        data = validated(self, X, reset=reset, finite=False)
        observed_values(self, data)
        return data

    def _scores(self, data) -> np.ndarray:
        # Kernels far from a row underflow to zero, as they should.
        with np.errstate(under="ignore"):
            if self._views is None:
                return self._density.log_density(data)
            return combined(self._tails, self._views.of(self._density, data))

    def _autoencoder(self, seed: int) -> BaseAutoencoder:
        """Return a new autoencoder."""
        if self.estimator is None:
            return AutoencoderTransformer(
                0.9, hidden_layer_sizes=(128, 64), max_iter=30, random_state=seed
            )
        return clone(self.estimator).set_params(random_state=seed)

    def _threshold(self, data) -> float:
        if self.contamination == "auto":
            return lower_fence(self.held_out_scores_)
        # This fraction is one of the training rows, by the convention of scikit-learn.
        return float(np.percentile(self._scores(data), 100 * self.contamination))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        estimator_tags = get_tags(self._autoencoder(0))
        tags.input_tags.allow_nan = estimator_tags.input_tags.allow_nan
        return tags
