"""What the codes of a row respond to."""

from __future__ import annotations

import numpy as np

from .._pipelines import Parts, as_array, rows_of
from ..inspection import encoder_derivative
from ._axes import axes_for, image_style, pyplot
from ._components import checked_components
from ._images import (
    draw_images,
    limits_of,
    name_images,
    shape_of_estimator,
    shape_of_images,
    size_of_figure,
    symmetric_limits_of,
)
from ._profiles import draw_profiles, name_lines


class EncoderDerivativeDisplay:
    """A row, and the derivative of each of its codes with respect to its features.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    original : ndarray of shape (n_features,)
        The row.

    derivative : ndarray of shape (n_shown, n_features)
        Derivatives of codes.

    components : array-like of int of shape (n_shown,)
        The codes.

    image_shape : tuple of int or None, default=None
        Shape of the images that rows are, or "auto" for square images. None shows
        lines.

    feature_names : array-like of str or None, default=None
        Names of the features.

    standardize : bool, default=False
        Whether derivatives are those for standardized features.

    Attributes
    ----------
    image_ : matplotlib AxesImage or None
        The row.

    derivative_image_ : matplotlib AxesImage or None
        The derivatives, beside the row. A code grows with red features and falls with
        blue ones.

    lines_ : list of matplotlib Line2D or None
        The derivatives as lines, if rows are no images.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skae.inspection.encoder_derivative : Computes the derivative.
    DecisionWalkDisplay : What moves a decision.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import EncoderDerivativeDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(3, hidden_layer_sizes=()).fit(X)
    >>> display = EncoderDerivativeDisplay.from_estimator(
    ...     autoencoder, X, row=0, image_shape=(8, 8)
    ... )
    >>> display.derivative.shape
    (3, 64)
    """

    def __init__(
        self,
        *,
        original,
        derivative,
        components,
        image_shape=None,
        feature_names=None,
        standardize=False,
    ):
        self.original = original
        self.derivative = derivative
        self.components = components
        self.image_shape = image_shape
        self.feature_names = feature_names
        self.standardize = standardize

    def plot(
        self, ax=None, *, image_kwargs=None, derivative_kwargs=None, line_kwargs=None
    ):
        """Draw the derivatives.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs, derivative_kwargs : dict or None, default=None
            Keywords for ``imshow``, for the row and for the derivatives.

        line_kwargs : dict or None, default=None
            Keywords for ``plot``, if rows are no images.

        Returns
        -------
        self : EncoderDerivativeDisplay
        """
        found = self.derivative
        shape = shape_of_images(self.image_shape, found.shape[1])
        names = [f"code {component}" for component in self.components]
        self.image_ = self.derivative_image_ = self.lines_ = None
        if shape is not None:
            row = self.original[None, None]
            size = size_of_figure(np.stack([self.original, *found])[None], shape)
            ax = axes_for(self, ax, size)
            style = image_style({"cmap": "gray", **limits_of(row)}, image_kwargs)
            self.image_ = draw_images(ax, row, shape, style)
            if shape[2] > 1:
                # Colours cannot be negative: the sum over the channels has a sign.
                found = found.reshape(len(found), -1, shape[2]).sum(axis=2)
            style = {"cmap": "RdBu_r", **symmetric_limits_of(found)}
            self.derivative_image_ = draw_images(
                *(ax, found[None], (*shape[:2], 1)),
                image_style(style, derivative_kwargs),
                first=1,
            )
            name_images(ax, [""], ["row", *names], shape)
        else:
            ax = axes_for(self, ax, size_of_figure(found[:, None], None))
            styles = [{"color": f"C{i}"} for i in range(len(names))]
            self.lines_ = draw_profiles(
                *(ax, found[:, None], names, [""], styles, line_kwargs),
                self.feature_names,
            )
            ax.axhline(0, color="0.6", linewidth=0.8)
            per = " per deviation" if self.standardize else ""
            ax.set_ylabel(f"derivative{per}")
            name_lines(ax)
        self.ax_, self.figure_ = ax, ax.figure
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
        derivative_kwargs=None,
        line_kwargs=None,
    ):
        """Differentiate the codes of a row and draw the derivatives.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder, a pipeline that contains one, or a search over one.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, at least two. They say how much features vary.

        row : int
            Number of the row of ``X`` at which to differentiate, from 0.

        components : array-like of int or None, default=None
            Which codes to show, from 0. None stands for the first five.

        image_shape : tuple of int, "auto" or None, default=None
            Shape of the images that rows are. None takes that of a convolutional
            autoencoder. Where there is none, rows are shown as lines.

        standardize : bool, default=False
            Whether to multiply derivatives by the standard deviation of the feature in
            ``X``. Use it for tables of features in different units.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs, derivative_kwargs, line_kwargs : dict or None, default=None
            Keywords for ``imshow``, for the row and for the derivatives, and for
            ``plot``.

        Returns
        -------
        display : EncoderDerivativeDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        parts = Parts.of(estimator)
        derivative = encoder_derivative(estimator, X, row)
        if standardize:
            derivative = derivative * as_array(X).std(axis=0)
        shown = checked_components(components, len(derivative), n_default=5)
        original = as_array(rows_of(X, slice(row, row + 1)))[0]
        if image_shape is None:
            image_shape = shape_of_estimator(parts.autoencoder, len(original))
        display = cls(
            original=original,
            derivative=derivative[shown],
            components=shown,
            image_shape=image_shape,
            feature_names=parts.feature_names,
            standardize=standardize,
        )
        return display.plot(
            ax,
            image_kwargs=image_kwargs,
            derivative_kwargs=derivative_kwargs,
            line_kwargs=line_kwargs,
        )
