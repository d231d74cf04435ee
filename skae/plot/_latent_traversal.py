"""What each code does to a row."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_scalar

from .._pipelines import Parts, rows_of
from ._drawing import RowsDisplay, checked_components, pyplot, settings_of, to_units_of


class LatentTraversalDisplay(RowsDisplay):
    """Rows decoded along one code at a time.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    rows : ndarray of shape (n_shown, n_steps, n_features)
        Decoded rows. The other codes stay where they are.

    components : array-like of int of shape (n_shown,)
        The component that changes.

    steps : ndarray of shape (n_steps,)
        The change, in standard deviations of the code.

    image_shape : tuple of int or None, default=None
        Shape of the images that rows are, or "auto" for square images. None shows
        lines.

    feature_names : array-like of str or None, default=None
        Names of the features.

    standardize : bool, default=False
        Whether the rows are standardized.

    Attributes
    ----------
    image_ : matplotlib AxesImage or None
        The grid of images: a line for each component, a column for each step.

    lines_ : list of matplotlib Line2D or None
        A line for each step, if rows are no images. Components are side by side.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    LatentSpaceDisplay : Codes as points.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import LatentTraversalDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
    >>> display = LatentTraversalDisplay.from_estimator(
    ...     autoencoder, X, n_steps=5, image_shape=(8, 8)
    ... )
    >>> display.steps
    array([-2., -1.,  0.,  1.,  2.])
    >>> display.rows.shape
    (2, 5, 64)
    """

    def __init__(
        self,
        *,
        rows,
        components,
        steps,
        image_shape=None,
        feature_names=None,
        standardize=False,
    ):
        self.rows = rows
        self.components = components
        self.steps = steps
        super().__init__(image_shape, feature_names, standardize)

    def plot(self, ax=None, *, image_kwargs=None, line_kwargs=None):
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs : dict or None, default=None
            Keywords for ``imshow``.

        line_kwargs : dict or None, default=None
            Keywords for ``plot``, if rows are no images.

        Returns
        -------
        self : LatentTraversalDisplay
        """
        names = [f"code {component}" for component in self.components]
        steps = [f"{step:+.3g}" if step else "0" for step in self.steps]
        shape = self._shape(self.rows.shape[2])
        if shape is not None:
            self._draw_images(ax, shape, self.rows, names, steps, image_kwargs)
            self.ax_.set_xlabel("standard deviations of the code")
        else:
            self._draw_lines(
                ax,
                self.rows.swapaxes(0, 1),
                steps,
                names,
                line_kwargs,
                palette=("coolwarm", 1.0),
                title="deviations",
            )
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        row=None,
        components=None,
        n_steps=5,
        reach=2.0,
        image_shape=None,
        standardize=False,
        ax=None,
        image_kwargs=None,
        line_kwargs=None,
    ):
        """Change one code at a time, decode and draw.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder, a pipeline that contains one, or a search over one.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. They say how much each code varies.

        row : int or None, default=None
            Number of the row of ``X`` to start from, from 0. None starts from the mean
            code of ``X``.

        components : array-like of int or None, default=None
            Which components to change, from 0. None stands for the first five.

        n_steps : int, default=5
            Number of steps.

        reach : float, default=2.0
            The steps go from ``-reach`` to ``reach`` standard deviations of the code.

        image_shape : tuple of int, "auto" or None, default=None
            Shape of the images that rows are. None takes that of a convolutional
            autoencoder. Where there is none, rows are shown as lines.

        standardize : bool, default=False
            Whether to subtract the mean of ``X`` from each feature and to divide by its
            standard deviation. Use it for tables of features in different units.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs, line_kwargs : dict or None, default=None
            Keywords for ``imshow`` and ``plot``.

        Returns
        -------
        display : LatentTraversalDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        check_scalar(n_steps, "n_steps", Integral, min_val=2)
        check_scalar(reach, "reach", Real, min_val=0, include_boundaries="neither")
        parts = Parts.of(estimator)
        codes = parts.encode(X).astype(np.float64)
        start = codes.mean(axis=0)
        if row is not None:
            check_scalar(row, "row", Integral, min_val=0, max_val=len(codes) - 1)
            start = parts.encode(rows_of(X, slice(row, row + 1)))[0]
        shown = checked_components(components, codes.shape[1], n_default=5)
        steps = np.linspace(-reach, reach, n_steps)
        changed = np.tile(start, (len(shown), n_steps, 1))
        for line, component in zip(changed, shown, strict=True):
            line[:, component] += steps * codes[:, component].std()
        to_show = to_units_of(X, standardize)
        rows = parts.decode(changed.reshape(-1, codes.shape[1]))
        display = cls(
            rows=to_show(rows).reshape(len(shown), n_steps, -1),
            components=shown,
            steps=steps,
            **settings_of(estimator, rows.shape[1], image_shape, standardize),
        )
        return display.plot(ax, image_kwargs=image_kwargs, line_kwargs=line_kwargs)
