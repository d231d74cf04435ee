"""The variational autoencoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._base import BaseAutoencoder
from ._inference import Gaussian, NetworkModel
from ._losses.likelihood import Likelihood
from ._networks import (
    IMAGE_CONSTRAINTS,
    DenseLayers,
    Layers,
    NetworkSpec,
    convolutional_layers,
)
from ._transformer import lazy_for_dask
from ._validation import (
    FitData,
    check_computed,
    merged_constraints,
    validated,
    warn_of_rows_as_labels,
)

_TERMS = (Likelihood,)

_DRAWS = 32
"""Fewest draws of the code over which ``score_samples`` takes the mean."""

_ACTIVE = 0.01
"""Variance of its posterior means from which a component counts as active."""


class VariationalAutoencoderTransformer(BaseAutoencoder):
    r"""Variational autoencoder that starts at probabilistic PCA.

    A generative model of the data [1]_. Codes are drawn from :math:`N(0, I)`, and
    rows from a distribution around the decoded code. The encoder approximates the
    distribution of a row's code by a normal distribution. Both are trained to maximise
    a lower bound of the log-likelihood (ELBO),

    .. math::
        \log p(x) \ge \mathbb{E}_{z \sim q(z | x)} \log p(x | z)
        - \beta \, \mathrm{KL}(q(z | x) \,\|\, N(0, I)).

    The best linear variational autoencoder is probabilistic PCA [2]_. Every network
    contains it as a linear path and starts there. The trained network is kept only if
    its bound is significantly higher on held-out rows.

    Read more in ``docs/generate.md``.

    Parameters
    ----------
    n_components : int, float in (0, 1) or None, default=2
        Number of components, the width of the code. A float is a fraction of the
        variance: the smallest number of components with which PCA explains more than
        that. None stands for ``min(n_samples, n_features)``.

    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        - "gaussian": rows are normal around the decoded code. The decoder learns one
          variance for all features.
        - "bernoulli": features are 0 or 1, or fractions in between. The decoder learns
          their probabilities.

    beta : float, default=1.0
        Weight of the divergence [3]_. Above 1, codes are nearer to the prior and say
        less about their rows. Below 1, they say more. Only with 1 is the objective a
        bound of the log-likelihood.

    image_shape : sequence of int, "auto" or None, default=None
        ``(height, width)`` or ``(height, width, channels)`` of the images that rows
        are, for a convolutional network, or "auto", as in
        :class:`AutoencoderTransformer`. None stands for a dense network.

    filters : int or array-like of int, default=32
        Number of filters of each convolutional layer, as in
        :class:`AutoencoderTransformer`. Ignored without ``image_shape``,
        and so are the next two.

    kernel_size : int, array-like of int or None, default=None
        Side of the windows, in pixels or cells, likewise.

    strides : int, array-like of int or None, default=None
        Distance between windows, likewise.

    hidden_layer_sizes : array-like of int, default=(512, 256)
        Widths of the encoder's hidden layers. The decoder mirrors them. Without hidden
        layers and convolutions, with a Gaussian likelihood and ``beta=1``, the
        autoencoder is probabilistic PCA.

    activation : str or callable, default="silu"
        Keras activation of the hidden layers.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Keras optimizer. An instance is not changed. Settings that training cannot
        honour raise a ``ValueError``, see ``docs/training.md``.

    learning_rate : float or "auto", default="auto"
        Rate of the first step. It falls along half a cosine to zero at ``max_iter``.
        "auto" stands for 0.002 if the optimizer is given by name, and for an instance's
        own rate or schedule. For "sgd", "adagrad", "adadelta" and "adafactor" it stands
        for 1, 0.3, 10 and 0.1.

    batch_size : int or "auto", default="auto"
        Number of rows in a batch. "auto" is the power of two nearest to
        ``n_samples / 35``, from 32 to 512.

    max_iter : int, default=60
        Largest number of epochs.

    alpha : float, default=1e-5
        Strength of the L2 penalty on the kernels of the nonlinear path, as in
        :class:`AutoencoderTransformer`.

    dropout : float in [0, 1), default=0.0
        Fraction of hidden units dropped in training.

    early_stopping : bool, default=True
        Whether to hold out rows, keep the weights that are best on them, and stop when
        they no longer improve. Without it all rows train, and the weights of the epoch
        with the lowest training loss are kept.

    validation_fraction : float in (0, 1), default=0.1
        Fraction of the rows to hold out, rounded up. If that is fewer than 100 rows,
        folds are held out in turn, as in :class:`AutoencoderTransformer`.

    n_iter_no_change : int, default=20
        Number of epochs without improvement after which training stops. After two
        fifths of it, a network is given up that has never beaten its start, and whose
        held-out rows lose more than its training rows gain.

    tol : float, default=1e-4
        Smallest relative decrease of the loss that counts as an improvement.

    warm_start : bool, default=False
        Whether ``fit`` starts from the weights of the fit before, if that had the same
        network. The network still has to beat PCA of the new data. Rows that the fit
        before trained on may be held out now.

    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the held-out rows, the order of the rows and the
        noise. Pass an int for the same result in every fit.

    verbose : bool, default=False
        Whether to print the losses of each epoch, and in the end which model was kept
        and why.

    Attributes
    ----------
    n_components_ : int
        Number of components.

    n_active_components_ : int
        Number of components in use: those whose posterior means have a variance above
        0.01 over the training rows [4]_. The others are equal to the prior.

    divergence_ : ndarray of shape (n_components_,)
        Mean divergence of each code from its prior over the training rows, in nats.
        Their sum is the rate.

    selected_model_ : {"linear", "network"}
        Which model was kept: the linear model that training started from, or the
        network.

    components_ : ndarray of shape (n_components_, n_features_in_)
        How each feature of the decoded row changes if one code grows and the others
        stay: one row for each code. It is the derivative at the mean code.

    explained_variance_ : ndarray of shape (n_components_,)
        Variance of each code's posterior mean over the training rows. Not increasing.

    explained_variance_ratio_ : ndarray of shape (n_components_,)
        Fraction of the training data's variance that the codes explain, divided among
        them in proportion to their variances.

    singular_values_ : ndarray of shape (n_components_,)
        Euclidean norm of each centred code over the training rows.

    noise_variance_ : float
        Variance that the reconstruction leaves, divided by the number of components
        left out, which is ``min(n_samples, n_features) - n_components_``.

    density_ : object
        Distribution that ``sample`` draws codes from: the prior.

    mean_ : ndarray of shape (n_features_in_,)
        Mean of the training rows.

    n_samples_ : int
        Number of training rows of ``fit``.

    n_iter_ : int
        Number of epochs run, at most ``max_iter``. A closed form counts as one.

    n_iter_per_phase_ : list of int
        The same for each phase of training.

    loss_curve_ : list of float
        Minus the mean bound of each epoch, with ``beta``, in nats for each feature of
        rows in units of the global scale.

    validation_loss_curve_ : list of float or None
        Mean loss of the held-out rows after each epoch.

    start_loss_ : float
        Mean loss of the same rows as ``best_loss_`` before the first epoch. Unless
        ``warm_start`` continues a network, it is the loss of the model at the start:
        the linear model, if there is one.

    best_loss_ : float
        Lowest mean loss of the held-out rows, or of all rows if none are held out. The
        start of training counts, too.

    encoder_, decoder_ : keras.Model
        ``transform`` and ``inverse_transform`` as Keras models, made of Keras' own
        layers and including the scaling. Built when first used.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen in ``fit``, if all are strings.

    See Also
    --------
    sklearn.decomposition.PCA : Its ``score_samples`` is that of probabilistic PCA.

    Notes
    -----
    ``transform`` returns the mean of each row's code. ``inverse_transform`` and
    ``sample`` return the mean of the rows of a code. Codes are in the units of the
    prior and sorted by variance. They are not rotated, because their posterior has
    axes.

    References
    ----------
    .. [1] Kingma & Welling (2014), "Auto-encoding variational Bayes", ICLR.
    .. [2] Lucas et al. (2019), "Don't blame the ELBO! A linear VAE perspective on
       posterior collapse", NeurIPS.
    .. [3] Higgins et al. (2017), "beta-VAE: learning basic visual concepts with a
       constrained variational framework", ICLR.
    .. [4] Burda et al. (2016), "Importance weighted autoencoders", ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import VariationalAutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = VariationalAutoencoderTransformer(
    ...     n_components=8, max_iter=20, random_state=0
    ... ).fit(X)
    >>> autoencoder.sample(3, random_state=0).shape
    (3, 64)
    >>> autoencoder.n_active_components_
    8
    """

    __module__ = "skae"
    _terms = _TERMS
    _parameter_constraints: dict = {
        **BaseAutoencoder._parameter_constraints,
        **merged_constraints(_TERMS),
        **IMAGE_CONSTRAINTS,
    }

    def __init__(
        self,
        n_components=2,
        *,
        likelihood="gaussian",
        beta=1.0,
        image_shape=None,
        filters=32,
        kernel_size=None,
        strides=None,
        hidden_layer_sizes=(512, 256),
        activation="silu",
        optimizer="adam",
        learning_rate="auto",
        batch_size="auto",
        max_iter=60,
        alpha=1e-5,
        dropout=0.0,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.likelihood = likelihood
        self.beta = beta
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.alpha = alpha
        self.dropout = dropout
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @lazy_for_dask(None)
    def score_samples(self, X):
        """Return a lower bound of each row's log-likelihood (ELBO).

        It says how probable a row is, not only how well it is reconstructed, and for
        probabilistic PCA it is exact: what ``score_samples`` of
        :class:`~sklearn.decomposition.PCA` returns.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features)
            Rows to evaluate.

        Returns
        -------
        scores : {ndarray, Dask array} of shape (n_samples,)
            In nats, as a density in the data's units or, with a Bernoulli likelihood, a
            probability. The expectation is a mean over draws of the code, the same for
            every row and at every call.
        """
        check_is_fitted(self)
        data = validated(self, X)
        assert isinstance(self._model, NetworkModel)
        with np.errstate(invalid="ignore", over="ignore"):
            found = self._model.evidence(data, _draws(self.n_components_))
        check_computed(self, found)
        return found

    # A likelihood is not that of a restoration, so there are no clean rows.
    def score(self, X, y=None):  # type: ignore[override]
        """Return the mean of ``score_samples``, as density models do.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features)
            Rows to evaluate.

        y : None
            Ignored, here for the conventions of scikit-learn.

        Returns
        -------
        score : float
            In nats. Higher is better.
        """
        check_is_fitted(self)
        warn_of_rows_as_labels(self, self.n_features_in_, y)
        return float(self.score_samples(X).mean())

    @property
    def density_(self) -> Gaussian:
        """object: distribution that ``sample`` draws codes from, the prior."""
        check_is_fitted(self)
        return Gaussian(np.zeros(self.n_components_), np.eye(self.n_components_))

    def _network_spec(
        self, parameters: dict[str, Any], n_features: int, n_components: int
    ) -> NetworkSpec:
        layers: Layers
        layers, shape = DenseLayers.of(parameters), None
        if self.image_shape is not None:
            layers = convolutional_layers(parameters, n_features, layers)
            shape = layers.image_shape
        return NetworkSpec(
            *(n_features, int(n_components), layers, layers),
            likelihood=self.likelihood,
            image_shape=shape,
        )

    def _attributes(self, model: Any, data: FitData, *history: Any) -> dict[str, Any]:
        n_active = int((model.explained_variance > _ACTIVE).sum())
        return {
            **super()._attributes(model, data, *history),
            "divergence_": model.divergences(data.X),
            "n_active_components_": n_active,
        }


def _draws(n_components: int) -> np.ndarray:
    """Return draws whose mean is zero and whose covariance is the identity, exactly.

    So means over them of anything quadratic, all there is in a linear model, are exact.
    """
    n_pairs = max(_DRAWS // 2, n_components)
    normal = np.random.RandomState(0).standard_normal((n_pairs, n_components))
    orthogonal = np.sqrt(n_pairs) * np.linalg.qr(normal)[0]
    return np.concatenate([orthogonal, -orthogonal]).astype(np.float32)
