"""The course of a training."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._pipelines import Parts
from .._training import name_of_start
from ._axes import axes_for, line_style, pyplot


class TrainingCurveDisplay:
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
        ax = axes_for(self, ax)
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
        ax.legend(title=kept and f"kept: {self._kept()}")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _kept(self) -> str:
        return "network" if self.selected_model == "network" else "linear model"

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
        fitted = Parts.of(estimator).autoencoder
        check_is_fitted(fitted)
        if not hasattr(fitted, "loss_curve_"):
            raise TypeError(
                f"estimator must have been trained. Got {fitted!r} instead."
            )
        display = cls(
            loss_curve=fitted.loss_curve_,
            validation_loss_curve=fitted.validation_loss_curve_,
            start_loss=fitted.start_loss_,
            start_name=name_of_start(fitted.get_params(deep=False)),
            n_iter_per_phase=fitted.n_iter_per_phase_,
            selected_model=fitted.selected_model_,
        )
        return display.plot(ax, line_kwargs=line_kwargs, start_kwargs=start_kwargs)
