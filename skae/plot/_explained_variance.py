"""The share of the variance that codes explain."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._pipelines import Parts
from ._axes import axes_for, line_style, pyplot


class ExplainedVarianceDisplay:
    """Cumulative share of the variance that the codes explain, beside that of PCA.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    explained_variance_ratio : ndarray of shape (n_components,)
        Share of each code.

    pca_explained_variance_ratio : ndarray or None, default=None
        The same of PCA.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The cumulative shares of the codes.

    pca_line_ : matplotlib Line2D or None
        Those of PCA.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    Notes
    -----
    The last point of the line is the share that all codes explain together. A network
    divides it among its codes in proportion to their variances. So the points before
    are a convention: a network that was fitted with fewer components explains more than
    the first codes here.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import ExplainedVarianceDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(4, hidden_layer_sizes=()).fit(X)
    >>> display = ExplainedVarianceDisplay.from_estimator(autoencoder)
    >>> display.line_.get_ydata().round(2)
    array([0.  , 0.15, 0.29, 0.4 , 0.49])
    """

    def __init__(self, *, explained_variance_ratio, pca_explained_variance_ratio=None):
        self.explained_variance_ratio = explained_variance_ratio
        self.pca_explained_variance_ratio = pca_explained_variance_ratio

    def plot(self, ax=None, *, line_kwargs=None, pca_kwargs=None):
        """Draw the shares.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        line_kwargs : dict or None, default=None
            Keywords for ``plot``, for the codes.

        pca_kwargs : dict or None, default=None
            Keywords for ``plot``, for PCA.

        Returns
        -------
        self : ExplainedVarianceDisplay
        """
        ax = axes_for(self, ax)
        self.pca_line_ = None
        if self.pca_explained_variance_ratio is not None:
            style = {"color": "0.5", "marker": "s", "linestyle": "--", "label": "PCA"}
            y = _cumulative(self.pca_explained_variance_ratio)
            style = line_style(style, pca_kwargs)
            (self.pca_line_,) = ax.plot(range(len(y)), y, **style)
        y = _cumulative(self.explained_variance_ratio)
        style = line_style({"marker": "o", "label": "autoencoder"}, line_kwargs)
        (self.line_,) = ax.plot(range(len(y)), y, **style)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_ylim(0, 1)
        ax.set_xlabel("number of codes")
        ax.set_ylabel("cumulative share of the variance")
        ax.legend(loc="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls, estimator, *, pca=None, ax=None, line_kwargs=None, pca_kwargs=None
    ):
        """Draw the shares of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder, a pipeline that contains one, or a search over one.

        pca : estimator or None, default=None
            A fitted :class:`~sklearn.decomposition.PCA` of the same rows, or a pipeline
            that contains one.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        line_kwargs, pca_kwargs : dict or None, default=None
            Keywords for ``plot``, for the codes and for PCA.

        Returns
        -------
        display : ExplainedVarianceDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        display = cls(
            explained_variance_ratio=_shares("estimator", estimator),
            pca_explained_variance_ratio=None if pca is None else _shares("pca", pca),
        )
        return display.plot(ax, line_kwargs=line_kwargs, pca_kwargs=pca_kwargs)


def _shares(name: str, estimator) -> np.ndarray:
    """Return the share of the variance that each code explains."""
    fitted = Parts.of(estimator).autoencoder
    check_is_fitted(fitted)
    if not hasattr(fitted, "explained_variance_ratio_"):
        raise TypeError(
            f"{name} must have explained_variance_ratio_. Got {fitted!r} instead."
        )
    return fitted.explained_variance_ratio_


def _cumulative(shares: np.ndarray) -> np.ndarray:
    """Return the sums over no code, one code, and so on."""
    return np.concatenate([[0.0], np.cumsum(shares)])
