"""What moves a decision about a row."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch

from .._pipelines import Parts, as_array, rows_of
from ..inspection import decision_walk
from ._axes import axes_for, image_style, pyplot
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
from ._units import name_of_values, to_units_of


class DecisionWalkDisplay:
    """A row, and its code decoded on the way to another class.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    original : ndarray of shape (n_features,)
        The row.

    walk : :class:`~sklearn.utils.Bunch`
        What :func:`skae.inspection.decision_walk` returns.

    image_shape : tuple of int or None, default=None
        Shape of the images that rows are, or "auto" for square images. None shows
        lines.

    feature_names : array-like of str or None, default=None
        Names of the features.

    standardize : bool, default=False
        Whether the rows are standardized.

    Attributes
    ----------
    change_ : ndarray of shape (n_features,)
        The last decoded row minus the first.

    image_ : matplotlib AxesImage or None
        The row and, beside it, the decoded rows.

    change_image_ : matplotlib AxesImage or None
        The change, at the right. Red features increase and blue ones decrease.

    lines_ : list of matplotlib Line2D or None
        The row and the decoded rows as lines, if they are no images.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skae.inspection.decision_walk : Computes the walk.
    EncoderDerivativeDisplay : What a code responds to.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import DecisionWalkDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, hidden_layer_sizes=())
    >>> pipeline = make_pipeline(autoencoder, LogisticRegression(max_iter=5000))
    >>> display = DecisionWalkDisplay.from_estimator(
    ...     pipeline.fit(X, y), X, row=0, target=9, image_shape=(8, 8)
    ... )
    >>> display.walk.predictions[-1].item()
    9
    """

    def __init__(
        self, *, original, walk, image_shape=None, feature_names=None, standardize=False
    ):
        self.original = original
        self.walk = walk
        self.image_shape = image_shape
        self.feature_names = feature_names
        self.standardize = standardize

    def plot(self, ax=None, *, image_kwargs=None, change_kwargs=None, line_kwargs=None):
        """Draw the walk.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs, change_kwargs : dict or None, default=None
            Keywords for ``imshow``, for the rows and for the change.

        line_kwargs : dict or None, default=None
            Keywords for ``plot``, if rows are no images.

        Returns
        -------
        self : DecisionWalkDisplay
        """
        rows = self.walk.rows
        shape = shape_of_images(self.image_shape, rows.shape[1])
        self.change_ = rows[-1] - rows[0]
        grid = np.stack([self.original, *rows])
        names = [
            f"{label}\nat {step:.3g}"
            for step, label in zip(
                self.walk.steps, self.walk.predictions.tolist(), strict=True
            )
        ]
        self.image_ = self.change_image_ = self.lines_ = None
        if shape is not None:
            size = size_of_figure(grid[None, [*range(len(grid)), 0]], shape)
            ax = axes_for(self, ax, size)
            style = image_style({"cmap": "gray", **limits_of(grid)}, image_kwargs)
            self.image_ = draw_images(ax, grid[None], shape, style)
            change = self.change_
            if shape[2] > 1:
                # Colours cannot be negative: the sum over the channels has a sign.
                change = change.reshape(-1, shape[2]).sum(axis=1)
            style = {"cmap": "RdBu_r", **symmetric_limits_of(change)}
            self.change_image_ = draw_images(
                *(ax, change[None, None], (*shape[:2], 1)),
                image_style(style, change_kwargs),
                first=len(grid),
            )
            name_images(ax, [""], ["row", *names, "change"], shape)
            ax.set_xlabel("prediction along the walk; the boundary is at 1")
        else:
            ax = axes_for(self, ax, size_of_figure(grid[:, None], None))
            colours = pyplot("DecisionWalkDisplay.plot").get_cmap("viridis")
            lines = [name.replace("\n", " ") for name in names]
            styles = [{"color": "0.5", "linewidth": 3.0}]
            places = np.linspace(0, 0.9, len(rows))
            styles += [{"color": colours(place)} for place in places]
            self.lines_ = draw_profiles(
                *(ax, grid[:, None], ["row", *lines], [""], styles, line_kwargs),
                self.feature_names,
            )
            ax.set_ylabel(name_of_values(self.standardize))
            name_lines(ax, title="prediction")
        ax.set_title(f"from {self.walk.predicted} to {self.walk.target}")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        row,
        *,
        target=None,
        n_steps=5,
        reach=2.0,
        image_shape=None,
        standardize=False,
        ax=None,
        image_kwargs=None,
        change_kwargs=None,
        line_kwargs=None,
    ):
        """Walk the code of a row towards another class and draw the walk.

        Parameters
        ----------
        estimator : Pipeline
            A fitted pipeline of an autoencoder and, after it, a linear classifier. Or a
            search over one.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, at least two. They say how much the codes vary.

        row : int
            Number of the row of ``X`` to explain, from 0.

        target : label, default=None
            The class to walk to. None stands for the class with the highest decision
            after the predicted one.

        n_steps : int, default=5
            Number of codes on the walk, the row's own included.

        reach : float, default=2.0
            Where the walk ends. It starts at 0, and 1 is the boundary.

        image_shape : tuple of int, "auto" or None, default=None
            Shape of the images that rows are. None takes that of a convolutional
            autoencoder. Where there is none, rows are shown as lines.

        standardize : bool, default=False
            Whether to subtract the mean of ``X`` from each feature and to divide by its
            standard deviation. Use it for tables of features in different units.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs, change_kwargs, line_kwargs : dict or None, default=None
            Keywords for ``imshow``, for the rows and for the change, and for ``plot``.

        Returns
        -------
        display : DecisionWalkDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        parts = Parts.of(estimator)
        walk = decision_walk(
            estimator, X, row, target=target, n_steps=n_steps, reach=reach
        )
        original = as_array(rows_of(X, slice(row, row + 1)))[0]
        if image_shape is None:
            image_shape = shape_of_estimator(parts.autoencoder, len(original))
        to_show = to_units_of(X, standardize)
        display = cls(
            original=to_show(original[None])[0],
            walk=Bunch(**{**walk, "rows": to_show(walk.rows)}),
            image_shape=image_shape,
            feature_names=parts.feature_names,
            standardize=standardize,
        )
        return display.plot(
            ax,
            image_kwargs=image_kwargs,
            change_kwargs=change_kwargs,
            line_kwargs=line_kwargs,
        )
