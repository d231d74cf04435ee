"""Curves of what a fit has stored: losses, and the variance that codes explain."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._callbacks import name_of_start
from .._pipelines import Parts
from ._drawing import Display, line_style, pyplot


class TrainingCurveDisplay(Display):
    """Losses of a training, and the loss that the network has to beat.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    loss_curve : list of float
        Mean training loss of each epoch.

    validation_loss_curve : list of float or None, default=None
        Mean loss of the held-out rows after each epoch.

    start_loss : float or None, default=None
        Loss before the first epoch, on the held-out rows or, without any, on all rows.

    start_name : str, default="start"
        The model at the start.

    n_iter_per_phase : list of int or None, default=None
        Number of epochs of each phase.

    selected_model : {"linear", "network"} or None, default=None
        Which model was kept in the end.

    Attributes
    ----------
    best_epoch_ : int
        The epoch after which the loss that decides was lowest. 0 is the start.

    loss_line_ : matplotlib Line2D
        The training loss.

    validation_line_ : matplotlib Line2D or None
        The loss of the held-out rows, the start included.

    start_line_ : matplotlib Line2D or None
        The loss of the start, a horizontal line.

    phase_lines_ : list of matplotlib Line2D
        A vertical line between two phases. In the second phase the training loss is
        that of augmented rows, which is larger.

    best_point_ : matplotlib Line2D
        Where the best weights were.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.plot import TrainingCurveDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(
    ...     8, hidden_layer_sizes=(32,), max_iter=3, random_state=0
    ... ).fit(X)
    >>> display = TrainingCurveDisplay.from_estimator(autoencoder)
    >>> display.start_line_.get_label()
    'PCA'
    >>> len(display.loss_line_.get_ydata())
    3
    """

    def __init__(
        self,
        *,
        loss_curve,
        validation_loss_curve=None,
        start_loss=None,
        start_name="start",
        n_iter_per_phase=None,
        selected_model=None,
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.start_loss = start_loss
        self.start_name = start_name
        self.n_iter_per_phase = n_iter_per_phase
        self.selected_model = selected_model

    def plot(self, ax=None, *, line_kwargs=None, start_kwargs=None):
        """Draw the losses.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        line_kwargs : dict or None, default=None
            Keywords for ``plot``, for both curves.

        start_kwargs : dict or None, default=None
            Keywords for ``axhline``, for the loss of the start.

        Returns
        -------
        self : TrainingCurveDisplay
        """
        ax = self._axes(ax)
        loss, held_out = self.loss_curve, self.validation_loss_curve
        start = [np.nan if self.start_loss is None else self.start_loss]
        style = line_style({"color": "C0", "label": "training"}, line_kwargs)
        (self.loss_line_,) = ax.plot(range(1, len(loss) + 1), loss, **style)
        decides = start + list(loss if held_out is None else held_out)
        self.validation_line_ = None
        if held_out is not None:
            style = line_style({"color": "C1", "label": "held-out rows"}, line_kwargs)
            (self.validation_line_,) = ax.plot(range(len(decides)), decides, **style)
        self.start_line_ = None
        if self.start_loss is not None:
            style = {"color": "0.3", "linestyle": "--", "label": self.start_name}
            self.start_line_ = ax.axhline(
                self.start_loss, **line_style(style, start_kwargs)
            )
        ends = np.cumsum(self.n_iter_per_phase or [])[:-1]
        style = {"color": "0.6", "linestyle": ":"}
        self.phase_lines_ = [ax.axvline(end, **style) for end in ends]
        for line in self.phase_lines_[:1]:
            line.set_label("then the encoder alone")
        self.best_epoch_ = int(np.nanargmin(decides))
        name = f"best, epoch {self.best_epoch_}" if self.best_epoch_ else "best, start"
        (self.best_point_,) = ax.plot(
            [self.best_epoch_], [decides[self.best_epoch_]], "ko", label=name
        )
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss")
        kept = self.selected_model
        model = "network" if kept == "network" else "linear model"
        ax.legend(title=kept and f"kept: {model}")
        return self

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, line_kwargs=None, start_kwargs=None):
        """Draw the losses of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder, a pipeline that contains one, or a search over one.

        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a figure.

        line_kwargs, start_kwargs : dict or None, default=None
            Keywords for ``plot``, for both curves, and for ``axhline``, for the loss of
            the start.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        pyplot(f"{cls.__name__}.from_estimator")
        fitted = _fitted(estimator, "loss_curve_", "estimator must have been trained")
        parameters = fitted.get_params(deep=False)
        continues = parameters.get("warm_start", False)
        display = cls(
            loss_curve=fitted.loss_curve_,
            validation_loss_curve=fitted.validation_loss_curve_,
            start_loss=fitted.start_loss_,
            start_name="start" if continues else name_of_start(parameters),
            n_iter_per_phase=fitted.n_iter_per_phase_,
            selected_model=fitted.selected_model_,
        )
        return display.plot(ax, line_kwargs=line_kwargs, start_kwargs=start_kwargs)


class ExplainedVarianceDisplay(Display):
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
        ax = self._axes(ax)
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


def _fitted(estimator: Any, attribute: str, needed: str) -> Any:
    """Return the autoencoder of an estimator, if the fit stored an attribute."""
    fitted = Parts.of(estimator).autoencoder
    check_is_fitted(fitted)
    if not hasattr(fitted, attribute):
        raise TypeError(f"{needed}. Got {fitted!r} instead.")
    return fitted


def _shares(name: str, estimator: Any) -> np.ndarray:
    """Return the share of the variance that each code explains."""
    needed = f"{name} must have explained_variance_ratio_"
    fitted = _fitted(estimator, "explained_variance_ratio_", needed)
    return fitted.explained_variance_ratio_


def _cumulative(shares: np.ndarray) -> np.ndarray:
    """Return the sums over no code, one code, and so on."""
    return np.concatenate([[0.0], np.cumsum(shares)])
