"""The autoencoder, for rows of a table and for images."""

from __future__ import annotations

from typing import Any

from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metaestimators import available_if

from ._base import BaseAutoencoder, warn_of_divergence
from ._data import Batch
from ._incremental import IncrementalState, check_unchanged
from ._losses.corruption import Corruption
from ._losses.penalties import Contraction, Sparsity
from ._losses.reconstruction import Reconstruction
from ._losses.target import Target
from ._networks import (
    IMAGE_CONSTRAINTS,
    CustomLayers,
    DenseLayers,
    Layers,
    NetworkSpec,
    convolutional_layers,
)
from ._state import restore_on_error
from ._training import Problem
from ._validation import (
    FitData,
    check_scale,
    check_together,
    merged_constraints,
    observed_values,
    validated,
    warn_of_far_batch,
)

_TERMS = Reconstruction, Corruption, Sparsity, Contraction, Target

_FOR_TABLES = {"activation": "relu", "max_iter": 60}
_FOR_IMAGES = {"activation": "silu", "max_iter": 24}
"""What "auto" stands for. The learning rate follows from the network."""


def _learns_without_labels(estimator: Any) -> bool:
    """Say whether ``partial_fit`` is possible. Raise where it is not."""
    if estimator.target_weight:
        raise AttributeError(
            "partial_fit learns without labels. Set target_weight=0, or call fit, "
            "which also takes memory maps."
        )
    return True


class AutoencoderTransformer(BaseAutoencoder):
    r"""Autoencoder that starts at PCA and is kept only if it beats PCA.

    For nonlinear dimensionality reduction. The network has a bottleneck of
    ``n_components`` units. Their values are the latent code of a row, also called its
    embedding. Codes are points of the latent space.

    An autoencoder without hidden layers and with linear activations is PCA [1]_. Every
    network here contains that linear autoencoder as one path. A nonlinear path is added
    to it:

    .. math::
        z = W x + f(x), \qquad \hat x = V z + g(z).

    At the start :math:`W` and :math:`V` are PCA's, and the last layers of :math:`f` and
    :math:`g` are zero. So training starts at PCA. The trained network is kept only if
    it beats PCA significantly on held-out rows. Otherwise the fitted estimator is PCA.
    Data are centred and divided by one global scale, so their units do not matter.

    Read more in ``docs/guarantee.md``.

    Parameters
    ----------
    n_components : int, float in (0, 1) or None, default=2
        Number of components, the width of the code. A float is a fraction of the
        variance: the smallest number of components with which PCA explains more than
        that. None stands for ``min(n_samples, n_features)``.

    image_shape : sequence of int, "auto" or None, default=None
        None stands for rows of a table and dense layers. Otherwise rows are flattened
        images, and convolutions [6]_ come before the dense layers. Give
        ``(height, width)`` or ``(height, width, channels)``, in the order of
        ``image.reshape(-1)``, channels last. "auto" is a square image with one channel
        if the number of features is a square. Otherwise it is a single line of pixels,
        for example a signal or a spectrum. Powers of two that are squares, from 256 on,
        may be either: give the shape. Read more in ``docs/images.md``.

    filters : int or array-like of int, default=32
        Number of filters of each convolutional layer of the encoder. The decoder
        mirrors them. An integer is the number in the first layer. Each further layer
        has twice as many, at most four times as many as the first, until at most 64
        cells are left. Ignored without ``image_shape``, and so are the next two.

    kernel_size : int, array-like of int or None, default=None
        Side of the windows, in pixels or cells, of all layers or of each layer. None is
        twice the stride in the first layer, and the stride in the others.

    strides : int, array-like of int or None, default=None
        Distance between windows, of all layers or of each layer, at most their side.
        None is 2, and 4 in the first layer. There it is 2 along sides of fewer than 16
        pixels, and 1 along sides of fewer than 4. In further layers of lines it is 4.

    hidden_layer_sizes : array-like of int, default=(256, 128)
        Widths of the encoder's dense hidden layers. The decoder mirrors them. Without
        hidden layers, ``image_shape`` and other losses than the squared error, the
        autoencoder is PCA, and nothing is trained.

    activation : str, callable or "auto", default="auto"
        Keras activation of the hidden layers. "auto" stands for "relu", and for "silu"
        if rows are images.

    skip_connections : {"linear", "dense"} or None, default="linear"
        - "linear": the linear path joins input, code and output.
        - "dense": every encoder layer also sees the input, and every decoder layer the
          code, :math:`h_l = \sigma(W_l [h_{l-1}; x] + b_l)`. The linear path is there,
          too. Not for images.
        - None: the plain textbook network. It starts at random weights and need not
          beat PCA.

    encoder, decoder : callable or None, default=None
        Your own network in place of the layers. It is called with the keywords
        ``n_features`` and ``n_components`` and returns a ``keras.Model``: the encoder
        maps ``(n_features,)`` to ``(n_components,)``, the decoder the other way. Its
        input is centred and divided by one global scale, unless ``output_activation``
        is set. With ``skip_connections="linear"`` the linear path is added around it.
        With None there is only the model. A model that exists already is where training
        starts, and stays as it is. Read more in ``docs/own_networks.md``.

    output_activation : str, callable or None, default=None
        Keras activation of the reconstruction, for example "sigmoid" for pixels in 0-1.
        The network then sees the data neither centred nor scaled. Training cannot start
        at PCA, so ``skip_connections`` has to be None. Losses of probabilities or
        counts, such as "binary_crossentropy", need it.

    whiten : bool, default=False
        Whether to give every code variance one on the training data.

    loss : str, callable or keras.losses.Loss, default="mean_squared_error"
        Keras loss between rows and reconstructions, both centred and divided by the
        global scale. With another loss than the squared error, the network has to beat
        PCA by that loss. A function of your own returns a value for each row, or for
        each element.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Keras optimizer. An instance is not changed. Settings that training cannot
        honour raise a ``ValueError``, see ``docs/training.md``.

    learning_rate : float or "auto", default="auto"
        Rate of the first step. It falls along half a cosine to zero at ``max_iter``.
        "auto" stands for the own rate or schedule of an optimizer that is an instance.
        If the optimizer is given by name, it stands for 0.006 for images, else for
        0.004 if weights are rescaled (see Notes) and for 0.002 if they are not. For
        "sgd", "adagrad", "adadelta" and "adafactor" it stands for 1, 0.3, 10 and 0.1.

    batch_size : int or "auto", default="auto"
        Number of rows in a batch. "auto" is the power of two nearest to
        ``n_samples / 35``, from 32 to 512.

    max_iter : int or "auto", default="auto"
        Largest number of epochs. "auto" stands for 60, and for 24 if rows are images.
        On small or wide data the last third trains the
        encoder alone, see ``early_stopping``.

    alpha : float, default=1e-5
        Strength of the L2 penalty :math:`\frac{\alpha}{2} u \sum_l \lVert W_l \rVert^2`
        on the kernels of the nonlinear path. Here :math:`u` is the fraction of the
        variance that PCA leaves, or 1 without a linear path. With a larger penalty the
        result is closer to PCA.

    dropout : float in [0, 1), default=0.0
        Fraction of hidden units dropped in training.

    corruption : {"gaussian", "masking", "salt_and_pepper", "blocks"}, callable or \
            None, default=None
        Damage done to the rows in training, which the network learns to repair [2]_:
        added noise, features set to 0, features set to the smallest or the largest
        training value, or a rectangle of an image set to 0 (inpainting). A callable
        gets rows in the data's units and uniform noise of their shape, and returns
        damaged rows, computed with ``keras.ops``. Losses are then those of restoring
        damaged rows. Rows without damage may be reconstructed worse than by PCA, most
        of all with much masking. If you have damaged and undamaged versions of rows,
        pass ``X_clean`` to ``fit``.

    corruption_level : float, default=0.3
        Standard deviation of the gaussian noise, in units of the root of the mean
        feature variance. So it means the same for pixels in 0-1 and in 0-255. For the
        other kinds it is the fraction of features that are changed, at most 1. A
        callable ignores it.

    sparsity : float, default=0.0
        Strength of the sparsity penalty. Larger values give fewer active components for
        each row [3]_. The penalty is :math:`\lVert z \rVert_1 / (\sqrt{k} \lVert z
        \rVert_2)`. It is 1 if a code uses all components alike, and :math:`1 /
        \sqrt{k}` if it uses one. Sparse codes are sorted by variance but not rotated,
        since a rotation would undo them.

    contraction : float, default=0.0
        Strength of the contractive penalty on the Jacobian of the reconstruction. With
        larger values a small change of a row moves its reconstruction less [4]_. The
        penalty is :math:`\lVert J \rVert_F^2 / d`, where :math:`J` is
        the Jacobian of the reconstruction. It doubles the training time.

    target_weight : float in [0, 1), default=0.0
        Weight of the labels ``y``. With 0 they are ignored. Otherwise the codes learn
        to reconstruct the rows and to predict the labels by a linear function, with
        1 - ``target_weight`` as the weight of the reconstruction. Training starts at
        principal covariates regression. Read more in ``docs/labels.md``.

    density : estimator or None, default=None
        Distribution that ``sample`` draws codes from: an estimator with ``fit`` and
        ``sample``, for example :class:`~sklearn.mixture.GaussianMixture` or
        :class:`~sklearn.neighbors.KernelDensity`. It is fitted to the training codes.
        None stands for one normal distribution.

    early_stopping : bool, default=True
        Whether to hold out rows, keep the weights that are best on them, and stop when
        they no longer improve, or when only training rows gain. Without it all rows
        train, and the weights of the epoch with the lowest training loss are kept. With
        it, small or wide data have a second phase if the first one has beaten PCA: the
        decoder is frozen, and the encoder trains on augmented rows, in which some
        features are swapped with another row. Data are small or wide if they have at
        most 100000 values, or at most ten rows for each feature and 16 million values.
        A network that restores damaged rows or uses batch statistics has no second
        phase.

    validation_fraction : float in (0, 1), default=0.1
        Fraction of the rows to hold out, rounded up. If that is fewer than 100 rows,
        up to five more networks are trained, each without another fifth of the rows,
        until 400 rows are held out. They evaluate the rows that they have not seen, and
        the network to keep trains on all rows. With fewer than 10 rows nothing can be
        evaluated, and PCA is kept. Equal rows count as one, and so do the rows of a
        group given to ``fit``.

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

    selected_model_ : {"linear", "network"}
        Which model was kept: the linear model that training started from, or the
        network.

    components_ : ndarray of shape (n_components_, n_features_in_)
        How each feature of the decoded row changes if one code grows and the others
        stay: one row for each code. It is the derivative at the mean code, before
        whitening. Far from the mean code a network may behave differently. For PCA
        these are its principal axes.

    explained_variance_ : ndarray of shape (n_components_,)
        Variance of each code on the training data, before whitening. Not increasing.

    explained_variance_ratio_ : ndarray of shape (n_components_,)
        Fraction of the training data's variance that the codes explain, divided among
        them in proportion to their variances. For PCA this is what PCA reports.

    singular_values_ : ndarray of shape (n_components_,)
        Euclidean norm of each centred code over the training rows, before whitening.

    noise_variance_ : float
        Variance that the reconstruction leaves, divided by the number of components
        left out, which is ``min(n_samples, n_features) - n_components_``.

    density_ : object
        Distribution that ``sample`` draws codes from.

    mean_ : ndarray of shape (n_features_in_,)
        Mean of the training rows.

    coef_, intercept_ : ndarray of shape (n_targets, n_components_) and (n_targets,)
        The linear function that predicts labels: ``codes @ coef_.T + intercept_`` are
        numbers or the logits of classes. For one number they have the shapes
        (n_components_,) and (). Only with ``target_weight`` above 0. With
        ``corruption``, numbers are regressed on the codes of the rows without damage.

    classes_ : ndarray of shape (n_targets,)
        The classes, sorted. Only if labels are classes.

    n_samples_ : int
        Number of training rows of ``fit``.

    n_samples_seen_ : int
        Number of rows seen by ``partial_fit``.

    n_iter_ : int
        Number of epochs run, at most ``max_iter``. A closed form counts as one.

    n_iter_per_phase_ : list of int
        The same for each phase of training.

    loss_curve_ : list of float
        Mean training loss of each epoch, in units of the global scale. With the squared
        error it is the fraction of the variance left unexplained. In the second phase
        it is the loss of the augmented rows.

    validation_loss_curve_ : list of float or None
        Mean loss of the held-out rows after each epoch.

    start_loss_ : float or None
        Mean loss of the same rows as ``best_loss_`` before the first epoch. Unless
        ``warm_start`` continues a network, it is the loss of the model at the start:
        the linear model, if there is one. None after ``partial_fit``.

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
    sklearn.decomposition.PCA : The linear autoencoder.
    VariationalAutoencoderTransformer : With a likelihood.

    Notes
    -----
    The network is kept if it has a lower mean loss than PCA on all training rows, and a
    significantly lower loss on the held-out rows (Wilcoxon's signed-rank test [5]_,
    p < 0.01). Held-out rows have to be independent of the others: pass ``groups`` to
    ``fit`` if rows depend on each other.

    Rows and codes may lie beyond the range of the training data. From a tenth of that
    range on, PCA takes over gradually. Far beyond, PCA encodes and decodes alone.

    Weights are rescaled so that one optimizer step changes each by a comparable amount.
    Without this, one feature with large values would set the length of every step.
    Weights are not rescaled if the objective is more than a reconstruction
    (``corruption``, ``X_clean``, ``sparsity``, ``contraction``), in your own networks
    and in ``partial_fit``. Where PCA leaves less than 1e-7 of the variance, PCA is
    kept.

    Rows of a table may have missing values (NaN). They are filled in by probabilistic
    PCA, then encoded. Their reconstructions are complete. Losses and scores count
    observed values only. ``fit`` finds the probabilistic PCA by expectation
    maximisation. In training further values are hidden, so that the network learns to
    reconstruct them. See ``docs/missing_values.md``.

    The convolutions are those of ``keras.layers.Conv2D`` with padding "same", and
    ``encoder_`` and ``decoder_`` have these layers. In training they are computed as
    matrix products over windows, because compiled loops over convolutions are slow on a
    CPU.

    The codes of a network are rotated to be uncorrelated on the training data, sorted
    by variance, and signed as scikit-learn signs PCA's.

    References
    ----------
    .. [1] Baldi & Hornik (1989), "Neural networks and principal component analysis:
       learning from examples without local minima", Neural Networks 2(1).
    .. [2] Vincent et al. (2010), "Stacked denoising autoencoders", JMLR 11.
    .. [3] Hoyer (2004), "Non-negative matrix factorization with sparseness
       constraints", JMLR 5.
    .. [4] Alain & Bengio (2014), "What regularized auto-encoders learn from the
       data-generating distribution", JMLR 15.
    .. [5] Demšar (2006), "Statistical comparisons of classifiers over multiple data
       sets", JMLR 7.
    .. [6] LeCun et al. (1989), "Backpropagation applied to handwritten zip code
       recognition", Neural Computation 1(4).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=8, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (1797, 8)
    >>> autoencoder.selected_model_
    'network'
    >>> pca = PCA(n_components=8).fit(X)
    >>> print(f"{pca.explained_variance_ratio_.sum():.1%}")
    67.4%
    >>> autoencoder.score(X) > 0.9
    True
    """

    __module__ = "skae"
    _terms = _TERMS
    _parameter_constraints: dict = {
        **BaseAutoencoder._parameter_constraints,
        **merged_constraints(_TERMS),
        **IMAGE_CONSTRAINTS,
        "max_iter": [
            *BaseAutoencoder._parameter_constraints["max_iter"],
            StrOptions({"auto"}),
        ],
        "encoder": [callable, None],
        "decoder": [callable, None],
        "whiten": ["boolean"],
        "density": [HasMethods(["fit", "sample"]), None],
        "skip_connections": [StrOptions({"linear", "dense"}), None],
        "output_activation": [str, callable, None],
    }

    def __init__(
        self,
        n_components=2,
        *,
        image_shape=None,
        filters=32,
        kernel_size=None,
        strides=None,
        hidden_layer_sizes=(256, 128),
        activation="auto",
        skip_connections="linear",
        encoder=None,
        decoder=None,
        output_activation=None,
        whiten=False,
        loss="mean_squared_error",
        optimizer="adam",
        learning_rate="auto",
        batch_size="auto",
        max_iter="auto",
        alpha=1e-5,
        dropout=0.0,
        corruption=None,
        corruption_level=0.3,
        sparsity=0.0,
        contraction=0.0,
        target_weight=0.0,
        density=None,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.skip_connections = skip_connections
        self.encoder = encoder
        self.decoder = decoder
        self.output_activation = output_activation
        self.whiten = whiten
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.alpha = alpha
        self.dropout = dropout
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.sparsity = sparsity
        self.contraction = contraction
        self.target_weight = target_weight
        self.density = density
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @available_if(_learns_without_labels)
    @_fit_context(prefer_skip_nested_validation=True)
    @restore_on_error
    def partial_fit(self, X, y=None):
        """Train for one pass over a batch of rows.

        The first call fixes the units and the number of components. It gives the PCA of
        its batch. Later calls continue from there, beside an
        :class:`~sklearn.decomposition.IncrementalPCA` of all rows so far. Every batch
        evaluates both before they learn from it, and again afterwards. If the network
        reconstructs the new batch significantly better both times, the fitted estimator
        holds the network. Otherwise it holds the PCA.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The batch, without missing values. If training starts at PCA, the first
            batch needs at least ``n_components`` rows.

        y : None
            Ignored, here for the conventions of scikit-learn. Labels need ``fit``: with
            ``target_weight`` above 0 there is no ``partial_fit``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data or a parameter cannot be used.

        Warns
        -----
        ConvergenceWarning
            If the loss is not finite. The weights before the batch are kept.
        UserWarning
            If the batch lies far from the earlier ones, as in other units.

        Notes
        -----
        The learning rate does not fall, because the number of batches is not known, and
        no rows are held out. The codes are canonical on the newest batch. The first
        call forgets an earlier ``fit``, and ``fit`` forgets all batches.
        """
        # 1. Check parameters and rows.
        parameters, before = self._parameters(), getattr(self, "_incremental", None)
        check_together(type(self).__name__, parameters, self._terms)
        rows = validated(self, X, reset=before is None, finite=False)
        if observed_values(self, rows) is not None:
            raise ValueError(
                f"Input X contains NaN, which {type(self).__name__}.partial_fit does "
                "not take. Use fit, or fill the missing values in by "
                "skae.impute.AutoencoderImputer."
            )
        for term in self._terms:
            term.check_rows(parameters, rows, "X")

        # 2. Describe the problem. The first batch decides about it.
        if before is None:
            self._network_spec(parameters, rows.shape[1], 1)
            rng = check_random_state(self.random_state)
            data = self._fit_linear(FitData(parameters, Batch(rows)), rng)
            problem = self._problem(data)
            before = IncrementalState.begin(problem, rows, rng)
        else:
            known = before.spec
            problem = Problem.of(parameters, self._terms, known, before.linear)
            spec = self._network_spec(parameters, known.n_features, known.n_components)
            check_unchanged(self, before, spec, problem)

        # 3. Train, and compare the network with PCA of all rows so far.
        after = before.after(rows, problem)
        if after.running is not None:
            check_scale(self, after.running.scaling, rows.dtype, is_network=False)
            if before.running is not None and before.n_rows_seen:
                warn_of_far_batch(self, rows, *before.running.moments)
        linear = after.linear
        model: Any = linear.as_stored(rows.dtype, self.whiten)
        if after.network_is_better:
            has_linear_path = after.spec.linear_path
            model = after.network.with_canonical_codes(
                rows,
                linear if has_linear_path else None,
                extrapolate=has_linear_path,
                rotate=not self.sparsity and after.spec.has_linear_codes,
                whiten=self.whiten,
                earlier_range=after.training_range,
            )

        # 4. Store the model.
        data, history = (
            FitData(parameters, Batch(rows), X=rows, linear=linear),
            after.history,
        )
        self._store(model, data, history, after.n_rows_seen)
        self._incremental = after
        warn_of_divergence(self, after.stopped_by, history)
        return self

    def _parameters(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)
        automatic = _FOR_TABLES if self.image_shape is None else _FOR_IMAGES
        for name, value in automatic.items():
            if isinstance(parameters[name], str) and parameters[name] == "auto":
                parameters[name] = value
        return parameters

    def _network_spec(
        self, parameters: dict[str, Any], n_features: int, n_components: int
    ) -> NetworkSpec:
        see_inputs, shape = self.skip_connections == "dense", None
        layers: Layers
        layers = dense_layers = DenseLayers.of(parameters, see_inputs=see_inputs)
        if self.image_shape is not None:
            layers = convolutional_layers(parameters, n_features, dense_layers)
            shape = layers.image_shape
        return NetworkSpec(
            n_features,
            int(n_components),
            layers if self.encoder is None else CustomLayers(self.encoder),
            layers if self.decoder is None else CustomLayers(self.decoder),
            linear_path=self.skip_connections is not None,
            output_activation=self.output_activation,
            image_shape=shape,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.image_shape is None
        return tags
