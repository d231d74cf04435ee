"""What the codes of a row respond to."""

from __future__ import annotations

from .._pipelines import as_array, rows_of
from ..inspection import encoder_jacobian
from ._drawing import RowsDisplay, checked_components, pyplot, settings_of


class EncoderJacobianDisplay(RowsDisplay):
    """A row, and the Jacobian of its codes with respect to its features.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    original : ndarray of shape (n_features,)
        The row.

    jacobian : ndarray of shape (n_shown, n_features)
        Rows of the Jacobian, one for each code.

    components : array-like of int of shape (n_shown,)
        The codes.

    image_shape : tuple of int or None, default=None
        Shape of the images that rows are, or "auto" for square images. None shows
        lines.

    feature_names : array-like of str or None, default=None
        Names of the features.

    standardize : bool, default=False
        Whether the Jacobian is that for standardized features.

    Attributes
    ----------
    image_ : matplotlib AxesImage or None
        The row.

    jacobian_image_ : matplotlib AxesImage or None
        The Jacobian, beside the row. A code grows with red features and falls with
        blue ones.

    lines_ : list of matplotlib Line2D or None
        The Jacobian as lines, if rows are no images.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skae.inspection.encoder_jacobian : Computes the Jacobian.
    CounterfactualDisplay : What moves a decision.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import EncoderJacobianDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(3, hidden_layer_sizes=()).fit(X)
    >>> display = EncoderJacobianDisplay.from_estimator(
    ...     autoencoder, X, row=0, image_shape=(8, 8)
    ... )
    >>> display.jacobian.shape
    (3, 64)
    """

    def __init__(
        self,
        *,
        original,
        jacobian,
        components,
        image_shape=None,
        feature_names=None,
        standardize=False,
    ):
        self.original = original
        self.jacobian = jacobian
        self.components = components
        super().__init__(image_shape, feature_names, standardize)

    def plot(
        self, ax=None, *, image_kwargs=None, jacobian_kwargs=None, line_kwargs=None
    ):
        """Draw the Jacobian.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs, jacobian_kwargs : dict or None, default=None
            Keywords for ``imshow``, for the row and for the Jacobian.

        line_kwargs : dict or None, default=None
            Keywords for ``plot``, if rows are no images.

        Returns
        -------
        self : EncoderJacobianDisplay
        """
        names = [f"code {component}" for component in self.components]
        shape = self._shape(self.jacobian.shape[1])
        self.jacobian_image_ = None
        if shape is not None:
            row, columns = self.original[None, None], ["row", *names]
            self._draw_images(ax, shape, row, [""], columns, image_kwargs)
            self.jacobian_image_ = self._draw_signed(
                shape, self.jacobian, jacobian_kwargs, first=1
            )
        else:
            self._draw_lines(ax, self.jacobian[:, None], names, [""], line_kwargs)
            self.ax_.axhline(0, color="0.6", linewidth=0.8)
            per = " per deviation" if self.standardize else ""
            self.ax_.set_ylabel(f"Jacobian{per}")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        row,
        *,
        components=None,
        image_shape=None,
        standardize=False,
        ax=None,
        image_kwargs=None,
        jacobian_kwargs=None,
        line_kwargs=None,
    ):
        """Compute the Jacobian of the codes of a row and draw it.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder, a pipeline that contains one, or a search over one.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, at least two. They say how much features vary.

        row : int
            Number of the row of ``X`` at which to compute it, from 0.

        components : array-like of int or None, default=None
            Which codes to show, from 0. None stands for the first five.

        image_shape : tuple of int, "auto" or None, default=None
            Shape of the images that rows are. None takes that of a convolutional
            autoencoder. Where there is none, rows are shown as lines.

        standardize : bool, default=False
            Whether to multiply the Jacobian by the standard deviation of each feature
            in ``X``. Use it for tables of features in different units.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs, jacobian_kwargs, line_kwargs : dict or None, default=None
            Keywords for ``imshow``, for the row and for the Jacobian, and for
            ``plot``.

        Returns
        -------
        display : EncoderJacobianDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        jacobian = encoder_jacobian(estimator, X, row)
        if standardize:
            jacobian = jacobian * as_array(X).std(axis=0)
        shown = checked_components(components, len(jacobian), n_default=5)
        original = as_array(rows_of(X, slice(row, row + 1)))[0]
        display = cls(
            original=original,
            jacobian=jacobian[shown],
            components=shown,
            **settings_of(estimator, len(original), image_shape, standardize),
        )
        return display.plot(
            ax,
            image_kwargs=image_kwargs,
            jacobian_kwargs=jacobian_kwargs,
            line_kwargs=line_kwargs,
        )
