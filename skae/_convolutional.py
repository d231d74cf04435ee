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
from ._objective.contraction import Contraction
from ._objective.corruption import Corruption
from ._objective.reconstruction import Reconstruction
from ._objective.sparsity import Sparsity
from ._objective.target import Target
from ._parameters import merged_constraints

_TERMS = Reconstruction, Corruption, Sparsity, Contraction, Target
_POSITIVE = Interval(Integral, 1, None, closed="left")


class ConvolutionalAutoencoderTransformer(IncrementalMixin, BaseAutoencoder):
    r"""Convolutional autoencoder that starts at PCA and is kept only if it beats PCA.

    Rows are flattened images. Convolutions apply the same filters to windows at all
    places [1]_, so that fewer images suffice for training. As in
    :class:`AutoencoderTransformer`, a linear path joins input, code and output. At the
    start it holds PCA. The trained network is kept only if it beats PCA significantly
    on held-out rows.

    Read more in ``docs/images.md``.

    Parameters
    ----------
    n_components : int, float in (0, 1) or None, default=2
        Number of components, the width of the code. A float is a share of the variance:
        the smallest number of components with which PCA explains more than that. None
        stands for ``min(n_samples, n_features)``.

    image_shape : sequence of int or "auto", default="auto"
        ``(height, width)`` or ``(height, width, channels)`` of the images that rows
        are, in the order of ``image.reshape(-1)``, channels last. "auto" is a square
        image with one channel if the number of features is a square. Otherwise it is a
        single line of pixels, for example a signal or a spectrum.

    filters : int or array-like of int, default=32
        Number of filters of each convolutional layer of the encoder. The decoder
        mirrors them. An integer is the number in the first layer. Each further layer
        has twice as many, until at most 8 by 8 cells are left.

    kernel_size : int, array-like of int or None, default=None
        Side of the windows, in pixels or cells, of all layers or of each layer. None is
        twice the stride in the first layer, and the stride in the others.

    strides : int, array-like of int or None, default=None
        Distance between windows, of all layers or of each layer, at most their side.
        None is 2, and 4 in the first layer. There it is 2 along sides of fewer than 16
        pixels, and 1 along sides of fewer than 4.

    hidden_layer_sizes : array-like of int, default=(256,)
        Widths of the dense layers between convolutions and code. May be empty.

    activation : str or callable, default="silu"
        Keras activation of all layers except those of code and output.

    skip_connections : {"linear"} or None, default="linear"
        - "linear": the linear path joins input, code and output.
        - None: the plain network. It starts at random weights and need not beat PCA.

    encoder, decoder : callable or None, default=None
        Your own network in place of the layers. It is called with the keywords
        ``n_features`` and ``n_components`` and returns a ``keras.Model``: the encoder
        maps ``(n_features,)`` to ``(n_components,)``, the decoder the other way. Its
        input is centred and divided by one global scale. With
        ``skip_connections="linear"`` the linear path is added around it. With None
        there is only the model. A model that exists already is where training starts,
        and stays as it is. Read more in ``docs/training.md``.

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

    learning_rate : float or None, default=0.006
        Rate of the first step. It falls along half a cosine to zero at ``max_iter``.
        None stands for 0.002 if the optimizer is given by name, and for an instance's
        own rate or schedule. For "sgd", "adagrad", "adadelta" and "adafactor" it stands
        for 1, 0.3, 10 and 0.1.

    batch_size : int or "auto", default="auto"
        Number of rows in a batch. "auto" is the power of two nearest to
        ``n_samples / 35``, from 32 to 512.

    max_iter : int, default=24
        Largest number of epochs. On small or wide data the last third trains the
        encoder alone, see ``early_stopping``.

    alpha : float, default=1e-5
        Strength of the L2 penalty :math:`\frac{\alpha}{2} u \sum_l \lVert W_l \rVert^2`
        on the kernels of the nonlinear path. Here :math:`u` is the share of the
        variance that PCA leaves, or 1 without a linear path. With a larger penalty the
        result is closer to PCA.

    dropout : float in [0, 1), default=0.0
        Share of hidden units dropped in training.

    corruption : {"gaussian", "masking", "salt_and_pepper", "blocks"}, callable or \
            None, default=None
        Damage done to the images in training, which the network learns to repair [2]_:
        added noise, pixels set to 0, pixels set to the smallest or the largest training
        value, or a rectangle set to 0 (inpainting). A callable gets rows in the data's
        units and uniform noise of their shape, and returns damaged rows, computed with
        ``keras.ops``. Losses are then those of restoring damaged images. If you have
        damaged and undamaged versions of images, pass ``X_clean`` to ``fit``.

    corruption_level : float, default=0.3
        Standard deviation of the gaussian noise, in units of the root of the mean
        feature variance. So it means the same for pixels in 0-1 and in 0-255. For the
        other kinds it is the share of features that are changed, at most 1. A callable
        ignores it.

    sparsity : float, default=0.0
        Strength of a penalty for codes in which each row uses few components [3]_. The
        penalty is :math:`\lVert z \rVert_1 / (\sqrt{k} \lVert z \rVert_2)`. It is 1 if
        a code uses all components alike, and :math:`1 / \sqrt{k}` if it uses one.
        Sparse codes are sorted by variance but not rotated, since a rotation would undo
        them.

    contraction : float, default=0.0
        Strength of a penalty for reconstructions that small changes of a row hardly
        move [4]_. The penalty is :math:`\lVert J \rVert_F^2 / d`, where :math:`J` is
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
        they no longer improve. Without it all rows train, and the weights of the epoch
        with the lowest training loss are kept. With it, small or wide data have a
        second phase: the decoder is frozen, and the encoder trains on augmented rows,
        in which some features are swapped with another row. Data are small or wide if
        they have at most 100000 values, or at most ten rows for each feature and 16
        million values. A network that restores damaged rows or uses batch statistics
        has no second phase.

    validation_fraction : float in (0, 1), default=0.1
        Share of the rows to hold out, rounded up. If that is fewer than 100 rows, five
        more networks are trained, each without a fifth of the rows. They evaluate the
        rows that they have not seen, and the network to keep trains on all rows. With
        fewer than 10 rows nothing can be evaluated, and PCA is kept. Equal rows count
        as one, and so do the rows of a group given to ``fit``.

    n_iter_no_change : int, default=20
        Number of epochs without improvement after which training stops.

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
        Whether to print the losses of each epoch, and which model was kept. In a
        terminal and in a notebook the epochs share one line.

    Attributes
    ----------
    n_components_ : int
        Number of components.

    selected_model_ : {"linear", "network"}
        Which model was kept: the linear model that training started from, or the
        network.

    components_ : ndarray of shape (n_components_, n_features_in_)
        Derivative of the decoded row with respect to each code, before whitening, at
        the mean code. For PCA these are its principal axes.

    explained_variance_ : ndarray of shape (n_components_,)
        Variance of each code on the training data, before whitening. Not increasing.

    explained_variance_ratio_ : ndarray of shape (n_components_,)
        Share of the training data's variance that the codes explain, divided among them
        in proportion to their variances. For PCA this is what PCA reports.

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
        (n_components_,) and (). Only with ``target_weight`` above 0.

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
        error it is the share of the variance left unexplained. In the second phase it
        is the loss of the augmented rows.

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
    AutoencoderTransformer : For rows that are not images.

    Notes
    -----
    The convolutions are those of ``keras.layers.Conv2D`` with padding "same", and
    ``encoder_`` and ``decoder_`` have these layers. In training they are computed as
    matrix products over windows, because compiled loops over convolutions are slow on a
    CPU.

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
        max_iter=24,
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
