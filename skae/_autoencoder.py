"""The dense autoencoder."""

from __future__ import annotations

from sklearn.utils._param_validation import HasMethods, StrOptions

from ._base import BaseAutoencoder
from ._incremental import IncrementalMixin
from ._networks import CustomLayers, DenseLayers, NetworkSpec, checked_sizes
from ._objective import Contraction, Corruption, Reconstruction, Sparsity
from ._parameters import merged_constraints

_TERMS = Reconstruction, Corruption, Sparsity, Contraction


class AutoencoderTransformer(IncrementalMixin, BaseAutoencoder):
    r"""Dense autoencoder that starts at PCA and never reconstructs worse.

    An autoencoder without hidden layers and with linear activations is PCA [1]_. Here
    every network holds that linear autoencoder as one path, at the start PCA's own
    solution, and adds to it a nonlinear path whose last layer starts at zero:

    .. math::
        z = W x + f(x), \qquad \hat x = V z + g(z).

    So at iteration 0 the model is PCA, and what training makes of it is kept only where
    it is better, beyond doubt, on rows held out from training. Data are centred and
    divided by one global scale, so their units do not matter.

    Read more in ``docs/architecture.md``.

    Parameters
    ----------
    n_components : int, float in (0, 1) or None, default=2
        Width of the code. A float is the share of the variance to explain: the smallest
        number of components for which PCA explains more than that. None keeps
        ``min(n_samples, n_features)``.

    hidden_layer_sizes : array-like of int, default=(256, 128)
        Widths of the encoder's hidden layers; the decoder mirrors them. Empty for a
        linear autoencoder: with squared error that is PCA, and nothing is trained.

    activation : str or callable, default="relu"
        Keras activation of the hidden layers.

    skip_connections : {"linear", "dense"} or None, default="linear"
        - "linear": input, code and output are joined by the linear path above.
        - "dense": every encoder layer also sees the input and every decoder layer the
          code, :math:`h_l = \sigma(W_l [h_{l-1}; x] + b_l)`. This holds the linear
          path, so it starts at PCA too.
        - None: the plain textbook network, from a random start and without guarantee.

    encoder, decoder : callable or None, default=None
        Your own network in place of the hidden layers: called with the keywords
        ``n_features`` and ``n_components``, it returns a ``keras.Model`` from
        ``(n_features,)`` to ``(n_components,)`` (the encoder) or back (the decoder).
        With ``skip_connections="linear"`` the linear path is added around it; with None
        the model is all there is.

    output_activation : str, callable or None, default=None
        Keras activation of the reconstruction, as "sigmoid" for pixels in 0-1. The
        network then sees the data as they are, neither centred nor scaled, and cannot
        start at PCA: ``skip_connections`` has to be None.

    whiten : bool, default=False
        Whether to give every code variance one on the training data.

    loss : str, callable or keras.losses.Loss, default="mean_squared_error"
        Keras loss between rows and reconstructions, both centred and divided by the
        global scale (without ``output_activation``). With another loss than the squared
        error the guarantee holds for that loss.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Keras optimizer. An instance is not changed.

    learning_rate : float or None, default=None
        Rate of the first step; it falls along half a cosine to zero at ``max_iter``.
        None is 0.004 (0.002 where steps have no units, see Notes) for an optimizer
        given by name, and for an instance the instance's own rate or schedule, as it
        is.

    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto" is the power of two nearest to ``n_samples / 35``, from
        32 to 512.

    max_iter : int, default=60
        Most epochs. Where rows are few, the encoder then trains alone, for half as
        many more at most: see ``early_stopping``.

    alpha : float, default=1e-5
        Strength of the L2 penalty
        :math:`\frac{\alpha}{2} u \sum_l \lVert W_l \rVert^2` on the kernels of the
        nonlinear path, where :math:`u` is the share of the variance that PCA leaves
        unexplained (1 without a path that holds PCA): the larger, the closer to PCA.

    dropout : float in [0, 1), default=0.0
        Share of hidden units dropped in training.

    corruption : {"gaussian", "masking", "salt_and_pepper"}, callable or None, \
            default=None
        Damage done to the rows in training, which the network learns to repair
        (a denoising autoencoder [2]_): added noise, features set to 0, or features set
        to the smallest or the largest training value. A callable gets rows in the
        data's units and uniform noise of their shape, and returns damaged rows, by
        means of ``keras.ops``. Progress is then judged by how well damaged rows are
        restored. For pairs of damaged and whole rows that you have, see ``X_clean`` of
        ``fit``.

    corruption_level : float, default=0.3
        Standard deviation of the gaussian noise, in units of the root of the mean
        feature variance, so that it means the same for pixels in 0-1 and in 0-255; for
        the other kinds the share of features hit, at most 1. A callable ignores it.

    sparsity : float, default=0.0
        For codes of which each row uses few components. Strength of a penalty [3]_ on
        :math:`\lVert z \rVert_1 / (\sqrt{k} \lVert z \rVert_2)`, which is 1 for a code
        that uses all components alike and :math:`1 / \sqrt{k}` for one that uses a
        single one. Sparse codes are sorted by variance, not rotated: a rotation
        would undo them.

    contraction : float, default=0.0
        For codes and reconstructions that small changes of a row hardly move. Strength
        of a penalty [4]_ on :math:`\lVert J \rVert_F^2 / d`, where :math:`J` is the
        Jacobian of the reconstruction. Takes about twice the time.

    density : estimator or None, default=None
        What ``sample`` draws codes from: an estimator with ``fit`` and ``sample``, as
        :class:`~sklearn.mixture.GaussianMixture` or
        :class:`~sklearn.neighbors.KernelDensity`, fitted to the training codes. None
        for one normal distribution.

    early_stopping : bool, default=True
        Whether to hold out rows, restore the weights that are best on them, and stop
        when these no longer improve. Without it all rows train, and the best weights
        are those of the epoch with the lowest training loss. With it, where rows
        are few for their features (ten of each, and 16 million values, at most) or
        values few (100000 at most), the encoder trains alone in the end: the decoder
        rests, and the encoder learns the codes of new rows, each made of two known
        ones. Not if the network is shown damaged rows, or normalises batches.

    validation_fraction : float in (0, 1), default=0.1
        Share of the rows to hold out, rounded up. Where that is fewer than 100 rows,
        five further networks are trained beside the one to keep, each without a fifth
        of the rows: they judge, and the network to keep trains on all rows. With fewer
        than 10 rows there is nothing to judge by, and PCA is kept.

    n_iter_no_change : int, default=20
        Epochs without improvement after which training stops.

    tol : float, default=1e-4
        Smallest relative decrease of the loss that counts as improvement.

    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the fit before, if that had the same
        network. PCA of the new data remains what has to be beaten; rows that the fit
        before trained on may be among those that judge.

    random_state : int, RandomState instance or None, default=None
        Decides the weights at the start, the rows held out, the order of the rows and
        the noise. Pass an int for results that are the same, bit for bit, every time.

    verbose : bool, default=False
        Whether to print the losses of each epoch.

    Attributes
    ----------
    n_components_ : int
        Width of the code.

    explained_variance_ : ndarray of shape (n_components_,)
        Variance of each code on the training data, before whitening; non-increasing.

    explained_variance_ratio_ : ndarray of shape (n_components_,)
        The training ``score`` shared out among the codes in proportion to their
        variance; non-increasing, and for PCA what PCA reports.

    density_ : object
        What ``sample`` draws codes from.

    mean_ : ndarray of shape (n_features_in_,)
        Mean of the training rows.

    n_iter_ : int
        Epochs run; 0 where nothing could be trained.

    loss_curve_ : list of float
        Mean training loss of each epoch, for rows in units of the global scale: with
        squared error, the share of the variance left unexplained. In the epochs of the
        encoder alone it is that of the rows made of two.

    validation_loss_curve_ : list of float or None
        Mean loss of the held-out rows after each epoch.

    best_loss_ : float
        The lowest of the losses that decide, iteration 0 included.

    encoder_, decoder_ : keras.Model
        ``transform`` and ``inverse_transform`` as ordinary Keras models of standard
        layers, scaling included; built on first access.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen in ``fit``, if all are strings.

    See Also
    --------
    sklearn.decomposition.PCA : The linear autoencoder.

    Notes
    -----
    A network is kept only if it beats PCA on all training rows taken together, and on
    the held-out rows beyond chance: on average, and at a level of 0.01 by Wilcoxon's
    signed-rank test [5]_. Otherwise the fitted estimator is PCA itself, in the
    precision of the input.

    Rows and codes beyond the training data by more than these are wide are encoded and
    decoded by PCA as far as they lie beyond that, and far enough by PCA alone: a
    network knows nothing of what it has not seen.

    Steps of training are measured in units that PCA knows: of weights that see inputs
    by one over the inputs' deviations, of those of outputs by what PCA leaves. So a
    feature that dominates hides nothing, down to a ten-millionth of the variance; where
    PCA leaves less, it is kept. Steps have no units where there is more to do than
    reconstruct (``corruption``, ``X_clean``, ``sparsity``, ``contraction``), nor in
    networks of your own and in ``partial_fit``.

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

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skae import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=8, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (1797, 8)
    >>> pca = PCA(n_components=8).fit(X)
    >>> print(f"{pca.explained_variance_ratio_.sum():.1%}")
    67.4%
    >>> autoencoder.score(X) > 0.9
    True
    """

    _terms = _TERMS
    _parameter_constraints: dict = {
        **BaseAutoencoder._parameter_constraints,
        **merged_constraints(_TERMS),
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
        hidden_layer_sizes=(256, 128),
        activation="relu",
        skip_connections="linear",
        encoder=None,
        decoder=None,
        output_activation=None,
        whiten=False,
        loss="mean_squared_error",
        optimizer="adam",
        learning_rate=None,
        batch_size="auto",
        max_iter=60,
        alpha=1e-5,
        dropout=0.0,
        corruption=None,
        corruption_level=0.3,
        sparsity=0.0,
        contraction=0.0,
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
        self.density = density
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _network_spec(self, n_features: int, n_components: int) -> NetworkSpec:
        layers = DenseLayers(
            checked_sizes("hidden_layer_sizes", self.hidden_layer_sizes),
            self.activation,
            float(self.dropout),
            see_inputs=self.skip_connections == "dense",
        )
        return NetworkSpec(
            n_features,
            int(n_components),
            layers if self.encoder is None else CustomLayers(self.encoder),
            layers if self.decoder is None else CustomLayers(self.decoder),
            linear_path=self.skip_connections is not None,
            output_activation=self.output_activation,
        )
