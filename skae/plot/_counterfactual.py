"""What moves a decision about a row."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch

from .._pipelines import as_array, rows_of
from ..inspection import counterfactual
from ._drawing import RowsDisplay, pyplot, settings_of, to_units_of


class CounterfactualDisplay(RowsDisplay):
    """A row, and its code decoded on the path to another class.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    original : ndarray of shape (n_features,)
        The row.

    counterfactual : :class:`~sklearn.utils.Bunch`
        What :func:`skae.inspection.counterfactual` returns.

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
    skae.inspection.counterfactual : Computes it.
    EncoderJacobianDisplay : What a code responds to.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import CounterfactualDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, hidden_layer_sizes=())
    >>> pipeline = make_pipeline(autoencoder, LogisticRegression(max_iter=5000))
    >>> display = CounterfactualDisplay.from_estimator(
    ...     pipeline.fit(X, y), X, row=0, target=9, image_shape=(8, 8)
    ... )
    >>> display.counterfactual.predictions[-1].item()
    9
    """

    def __init__(
        self,
        *,
        original,
        counterfactual,
        image_shape=None,
        feature_names=None,
        standardize=False,
    ):
        self.original = original
        self.counterfactual = counterfactual
        super().__init__(image_shape, feature_names, standardize)

    def plot(self, ax=None, *, image_kwargs=None, change_kwargs=None, line_kwargs=None):
        """Draw the decoded rows.

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
        self : CounterfactualDisplay
        """
        found = self.counterfactual
        self.change_ = found.rows[-1] - found.rows[0]
        shown = np.stack([self.original, *found.rows])
        places = zip(found.predictions.tolist(), found.steps, strict=True)
        names = ["row", *(f"{label}\nat {step:.3g}" for label, step in places)]
        shape = self._shape(shown.shape[1])
        self.change_image_ = None
        if shape is not None:
            columns = [*names, "change"]
            self._draw_images(ax, shape, shown[None], [""], columns, image_kwargs)
            self.change_image_ = self._draw_signed(
                shape, self.change_[None], change_kwargs, first=len(shown)
            )
            self.ax_.set_xlabel("prediction along the path; the boundary is at 1")
        else:
            self._draw_lines(
                ax,
                shown[:, None],
                [name.replace("\n", " ") for name in names],
                [""],
                line_kwargs,
                original=True,
                palette=("viridis", 0.9),
                title="prediction",
            )
        self.ax_.set_title(f"from {found.predicted} to {found.target}")
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
        """Change the code of a row until it gets another class, decode and draw.

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
            The other class. None stands for the class with the highest decision after
            the predicted one.

        n_steps : int, default=5
            Number of codes on the path towards the other class, the row's own included.

        reach : float, default=2.0
            Where the path ends. It starts at 0, and 1 is the boundary.

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
        display : CounterfactualDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        found = counterfactual(
            estimator, X, row, target=target, n_steps=n_steps, reach=reach
        )
        original = as_array(rows_of(X, slice(row, row + 1)))
        to_show = to_units_of(X, standardize)
        display = cls(
            original=to_show(original)[0],
            counterfactual=Bunch(**{**found, "rows": to_show(found.rows)}),
            **settings_of(estimator, original.shape[1], image_shape, standardize),
        )
        return display.plot(
            ax,
            image_kwargs=image_kwargs,
            change_kwargs=change_kwargs,
            line_kwargs=line_kwargs,
        )
