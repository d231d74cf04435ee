"""Rows and what an autoencoder makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

from .._pipelines import Parts, as_array, rows_of
from ._drawing import RowsDisplay, pyplot, settings_of, to_units_of


class ReconstructionDisplay(RowsDisplay):
    """Rows over their reconstructions, with the error of each row.

    Rows are shown as images, or as lines over their features. Use
    :meth:`from_estimator` or :meth:`from_reconstructions` to make one.

    Parameters
    ----------
    originals : ndarray of shape (n_samples, n_features)
        The rows.

    reconstructions : dict of str to ndarray of shape (n_samples, n_features)
        Reconstructions of them, by name.

    image_shape : tuple of int or None, default=None
        ``(height, width)`` or ``(height, width, channels)`` of the images that rows
        are, or "auto" for square images. None shows lines.

    feature_names : array-like of str or None, default=None
        Names of the features.

    standardize : bool, default=False
        Whether the rows are standardized.

    Attributes
    ----------
    errors_ : dict of str to ndarray of shape (n_samples,)
        Mean squared error of each reconstruction.

    image_ : matplotlib AxesImage or None
        The grid of images: the originals, and below them the reconstructions.

    lines_ : list of matplotlib Line2D or None
        The lines, if rows are no images.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    LatentTraversalDisplay : What each code does to a row.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import ReconstructionDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, hidden_layer_sizes=()).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(
    ...     autoencoder, X, n_samples=3, image_shape=(8, 8)
    ... )
    >>> display.errors_["reconstruction"].round(1)
    array([2.4, 4.9, 5.8])
    """

    def __init__(
        self,
        *,
        originals,
        reconstructions,
        image_shape=None,
        feature_names=None,
        standardize=False,
    ):
        self.originals = originals
        self.reconstructions = reconstructions
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
        self : ReconstructionDisplay
        """
        names = ["original", *self.reconstructions]
        grid = np.stack([self.originals, *self.reconstructions.values()])
        self.errors_ = {
            name: np.square(rows - self.originals).mean(axis=1)
            for name, rows in self.reconstructions.items()
        }
        columns = [
            "\n".join(f"{error:.3g}" for error in errors)
            for errors in zip(*self.errors_.values(), strict=True)
        ]
        shape = self._shape(grid.shape[2])
        if shape is not None:
            self._draw_images(
                ax, shape, grid, names, columns, image_kwargs, limits_of=self.originals
            )
        else:
            self._draw_lines(ax, grid, names, columns, line_kwargs, original=True)
        below = ", then ".join(self.reconstructions) if len(names) > 2 else "each row"
        self.ax_.set_xlabel(f"mean squared error of {below}")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_samples=8,
        pca=None,
        image_shape=None,
        standardize=False,
        ax=None,
        image_kwargs=None,
        line_kwargs=None,
    ):
        """Reconstruct rows and draw them.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder, a pipeline that contains one, or a search over one.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        n_samples : int, default=8
            Number of rows to show, at most. They are the first ones of ``X``.

        pca : estimator or None, default=None
            A fitted :class:`~sklearn.decomposition.PCA`, or another model to compare
            with. Its reconstructions are shown, too.

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
        display : ReconstructionDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        parts = Parts.of(estimator)
        shown = rows_of(X, slice(int(n_samples)))
        models = {"reconstruction": parts}
        if pca is not None:
            models["PCA"] = Parts.of(pca)
        # Estimators say best what is wrong with rows.
        found = {name: one.decode(one.encode(shown)) for name, one in models.items()}
        originals = as_array(shown)
        to_show = to_units_of(X, standardize)
        display = cls(
            originals=to_show(originals),
            reconstructions={name: to_show(rows) for name, rows in found.items()},
            **settings_of(estimator, originals.shape[1], image_shape, standardize),
        )
        return display.plot(ax, image_kwargs=image_kwargs, line_kwargs=line_kwargs)

    @classmethod
    def from_reconstructions(
        cls,
        X,
        reconstructions,
        *,
        image_shape=None,
        ax=None,
        image_kwargs=None,
        line_kwargs=None,
    ):
        """Draw rows and given reconstructions of them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        reconstructions : array-like of shape (n_samples, n_features) or dict
            Reconstructions of all these rows. A dict holds several, by name.

        image_shape : tuple of int, "auto" or None, default=None
            Shape of the images that rows are. None shows lines.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        image_kwargs, line_kwargs : dict or None, default=None
            Keywords for ``imshow`` and ``plot``.

        Returns
        -------
        display : ReconstructionDisplay
        """
        pyplot(f"{cls.__name__}.from_reconstructions")
        if not isinstance(reconstructions, Mapping):
            reconstructions = {"reconstruction": reconstructions}
        if not reconstructions:
            raise ValueError("reconstructions is an empty dict. Give at least one.")
        originals = as_array(X)
        rows = {name: as_array(r, str(name)) for name, r in reconstructions.items()}
        for name, one in rows.items():
            if one.shape != originals.shape:
                raise ValueError(
                    f"The reconstructions {name!r} have shape {one.shape}, but X has "
                    f"shape {originals.shape}."
                )
        display = cls(
            originals=originals,
            reconstructions=rows,
            image_shape=image_shape,
            feature_names=getattr(X, "columns", None),
        )
        return display.plot(ax, image_kwargs=image_kwargs, line_kwargs=line_kwargs)
