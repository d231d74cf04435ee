"""The convolutional autoencoder."""

from __future__ import annotations

from numbers import Integral

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from ._base import BaseAutoencoder
from ._incremental import IncrementalMixin
from ._networks import (
    ConvolutionalLayers,
    CustomLayers,
    DenseLayers,
    NetworkSpec,
    checked_image_shape,
    checked_sizes,
    convolutions,
)
from ._objective import Contraction, Corruption, Reconstruction, Sparsity
from ._parameters import merged_constraints

_TERMS = Reconstruction, Corruption, Sparsity, Contraction
_POSITIVE = Interval(Integral, 1, None, closed="left")


class ConvolutionalAutoencoderTransformer(IncrementalMixin, BaseAutoencoder):
    r"""Convolutional autoencoder that starts at PCA and never reconstructs worse.

    Rows are flattened images. Convolutions see how their pixels lie together: windows
    at all places share the same filters [1]_, so fewer images teach more. As in
    :class:`AutoencoderTransformer` a linear path, at the start PCA's solution, joins
    input, code and output, and what training makes of the network is kept only where
    it reconstructs held-out rows better beyond doubt.

    Read more in ``docs/images.md``.

    Parameters
    ----------
    n_components : int, float in (0, 1) or None, default=2
        Width of the code. A float is the share of the variance to explain: the smallest
        number of components for which PCA explains more than that. None keeps
        ``min(n_samples, n_features)``.

    image_shape : sequence of int or "auto", default="auto"
        ``(height, width)`` or ``(height, width, channels)`` of the images that rows
        are, in the order of ``image.reshape(-1)``, channels last. "auto" for a square
        image with one channel where the number of features is a square, else for a
        single line of pixels, as of a signal or a spectrum.

    filters : int or array-like of int, default=32
        Filters of each convolutional layer of the encoder; the decoder mirrors them.
        An integer is those of the first layer, followed by layers with twice as many
        each until at most 8 by 8 cells are left.

    kernel_size : int, array-like of int or None, default=None
        Side of the windows, in pixels or cells, of all layers or of each one. None for
        twice the stride in the first layer and the stride in the others.

    strides : int, array-like of int or None, default=None
        Distance between windows, likewise; at most their side. None for 4 in the first
        layer (2 along sides of fewer than 16 pixels, 1 of fewer than 4) and 2 in the
        others.

    hidden_layer_sizes : array-like of int, default=(256,)
        Widths of the dense layers between convolutions and code. May be empty.

    activation : str or callable, default="silu"
        Keras activation of all layers but those of code and output.

    skip_connections : {"linear"} or None, default="linear"
        - "linear": input, code and output are joined by the linear path.
        - None: the plain network, from a random start and without guarantee.

    encoder, decoder : callable or None, default=None
        Your own network in place of all these layers: called with the keywords
        ``n_features`` and ``n_components``, it returns a ``keras.Model`` from
        ``(n_features,)`` to ``(n_components,)`` (the encoder) or back (the decoder).
        With ``skip_connections="linear"`` the linear path is added around it; with None
        the model is all there is.

    whiten : bool, default=False
        Whether to give every code variance one on the training data.

    loss : str, callable or keras.losses.Loss, default="mean_squared_error"
        Keras loss between rows and reconstructions, both centred and divided by the
        global scale. With another loss than the squared error the guarantee holds for
        that loss.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Keras optimizer. An instance is not changed.

    learning_rate : float or None, default=0.006
        Rate of the first step; it falls along half a cosine to zero at ``max_iter``.
        None is 0.002 for an optimizer given by name, and for an instance the
        instance's own rate or schedule, as it is.

    batch_size : int or "auto", default="auto"
        Rows in a batch. "auto" is the power of two nearest to ``n_samples / 35``, from
        32 to 512.

    max_iter : int, default=20
        Most epochs. Where rows are few, the encoder then trains alone, for half as
        many more at most: see ``early_stopping``.

    alpha : float, default=1e-5
        Strength of the L2 penalty
        :math:`\frac{\alpha}{2} u \sum_l \lVert W_l \rVert^2` on the kernels of the
        nonlinear path, where :math:`u` is the share of the variance that PCA leaves
        unexplained (1 without a path that holds PCA): the larger, the closer to PCA.

    dropout : float in [0, 1), default=0.0
        Share of hidden units dropped in training.

    corruption : {"gaussian", "masking", "salt_and_pepper", "blocks"}, callable or \
            None, default=None
        Damage done to the images in training, which the network learns to repair
        (a denoising autoencoder [2]_): added noise, pixels set to 0, pixels set to the
        smallest or the largest training value, or a rectangle set to 0 (inpainting). A
        callable gets rows in the data's units and uniform noise of their shape, and
        returns damaged rows, by means of ``keras.ops``. Progress is then judged by how
        well damaged images are restored. For pairs of damaged and whole images that
        you have, see ``X_clean`` of ``fit``.

    corruption_level : float, default=0.3
        Standard deviation of the gaussian noise, in units of the root of the mean
        feature variance, so that it means the same for pixels in 0-1 and in 0-255; for
        the other kinds the share of pixels hit, at most 1. A callable ignores it.

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
    AutoencoderTransformer : For rows that are not images.

    Notes
    -----
    The convolutions are ``keras.layers.Conv2D`` with padding "same", and such are in
    ``encoder_`` and ``decoder_``. In training they are computed as matrix products over
    windows, since compiled loops over convolutions are slow on a CPU.

    References
    ----------
    .. [1] LeCun et al. (1989), "Backpropagation applied to handwritten zip code
       recognition", Neural Computation 1(4).
    .. [2] Vincent et al. (2010), "Stacked denoising autoencoders", JMLR 11.
    .. [3] Hoyer (2004), "Non-negative matrix factorization with sparseness
       constraints", JMLR 5.
    .. [4] Alain & Bengio (2014), "What regularized auto-encoders learn from the
       data-generating distribution", JMLR 15.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import ConvolutionalAutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = ConvolutionalAutoencoderTransformer(
    ...     n_components=8, image_shape=(8, 8), random_state=0
    ... )
    >>> autoencoder.fit_transform(X).shape
    (1797, 8)
    >>> autoencoder.score(X) > 0.85
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
        "image_shape": ["array-like", StrOptions({"auto"})],
        "filters": ["array-like", _POSITIVE],
        "kernel_size": ["array-like", _POSITIVE, None],
        "strides": ["array-like", _POSITIVE, None],
        "skip_connections": [StrOptions({"linear"}), None],
        "corruption": [
            StrOptions({"gaussian", "masking", "salt_and_pepper", "blocks"}),
            callable,
            None,
        ],
    }

    def __init__(
        self,
        n_components=2,
        *,
        image_shape="auto",
        filters=32,
        kernel_size=None,
        strides=None,
        hidden_layer_sizes=(256,),
        activation="silu",
        skip_connections="linear",
        encoder=None,
        decoder=None,
        whiten=False,
        loss="mean_squared_error",
        optimizer="adam",
        learning_rate=0.006,
        batch_size="auto",
        max_iter=20,
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
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.skip_connections = skip_connections
        self.encoder = encoder
        self.decoder = decoder
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
        shape = checked_image_shape(self.image_shape, n_features)
        layers = ConvolutionalLayers(
            shape,
            convolutions(shape, self.filters, self.kernel_size, self.strides),
            DenseLayers(
                checked_sizes("hidden_layer_sizes", self.hidden_layer_sizes),
                self.activation,
                float(self.dropout),
            ),
        )
        return NetworkSpec(
            n_features,
            int(n_components),
            layers if self.encoder is None else CustomLayers(self.encoder),
            layers if self.decoder is None else CustomLayers(self.decoder),
            linear_path=self.skip_connections is not None,
            image_shape=shape,
        )
