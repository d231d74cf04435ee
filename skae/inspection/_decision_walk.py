"""A walk of a row's code towards another class."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_scalar

from .._pipelines import Parts, checked_row, like, rows_of

_TOLERANCE = 1e-3
"""Largest difference between a decision and a linear one, in its largest change."""

_ROUNDING = 1e-9
"""Changes below this share of the decisions are rounding errors."""


def decision_walk(
    estimator: Any,
    X: Any,
    row: int,
    *,
    target: Any = None,
    n_steps: int = 5,
    reach: float = 2.0,
) -> Bunch:
    r"""Walk the code of a row towards another class, and decode the walk.

    The decoded rows show what moves the decision of a linear classifier on codes: what
    would have to be different for the row to get the other class.

    Parameters
    ----------
    estimator : Pipeline
        A fitted pipeline of an autoencoder and, after it, a linear classifier. Linear
        steps between them, such as a scaler, are allowed. Or a search over one.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, at least two. They say how much the codes vary.

    row : int
        Number of the row of ``X`` to explain, from 0.

    target : label, default=None
        The class to walk to. None stands for the class with the highest decision after
        the predicted one.

    n_steps : int, default=5
        Number of codes on the walk, the row's own included.

    reach : float, default=2.0
        Where the walk ends. It starts at 0, and 1 is the boundary, where both classes
        have the same decision.

    Returns
    -------
    walk : :class:`~sklearn.utils.Bunch`
        - ``steps``: ndarray of shape (n_steps,), from 0 to ``reach``.
        - ``codes``: ndarray of shape (n_steps, n_components).
        - ``rows``: ndarray of shape (n_steps, n_features), the decoded codes, in the
          units of ``X``.
        - ``margins``: ndarray of shape (n_steps,), decision of the target minus
          decision of the predicted class.
        - ``predictions``: ndarray of shape (n_steps,), the predicted class of each
          code. On the way to a target a third class may win.
        - ``predicted`` and ``target``: the two classes.

    See Also
    --------
    skae.plot.DecisionWalkDisplay : Shows it.
    encoder_derivative : What a code responds to.

    Notes
    -----
    Let :math:`a` be the derivative of the margin with respect to the code. The walk
    goes along :math:`\Sigma a`, where :math:`\Sigma` is the covariance of the codes of
    ``X``. This is the shortest way to the boundary if distances are measured in
    deviations of the codes. Along :math:`a` itself, codes that hardly vary may change
    most, so that the decoded rows are unlike the data [1]_.

    References
    ----------
    .. [1] Haufe et al. (2014), "On the interpretation of weight vectors of linear
       models in multivariate neuroimaging", NeuroImage 87.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skae import AutoencoderTransformer
    >>> from skae.inspection import decision_walk
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, hidden_layer_sizes=())
    >>> pipeline = make_pipeline(autoencoder, LogisticRegression(max_iter=5000))
    >>> walk = decision_walk(pipeline.fit(X, y), X, row=0, target=9)
    >>> print(walk.predictions[0], walk.predictions[-1])
    0 9
    >>> walk.rows.shape
    (5, 64)
    """
    check_scalar(n_steps, "n_steps", Integral, min_val=2)
    check_scalar(reach, "reach", Real, min_val=0, include_boundaries="neither")
    parts = Parts.of(estimator)
    classifier = _linear_classifier(parts)
    codes = parts.encode(X).astype(np.float64)
    row = checked_row(row, len(codes))
    # The row alone, since the last bits of a code depend on the rows beside it.
    encoded = parts.reducer.transform(rows_of(X, slice(row, row + 1)))
    code = np.asarray(encoded, dtype=np.float64)[0]

    def decisions(codes: np.ndarray) -> np.ndarray:
        found = np.asarray(classifier.decision_function(like(encoded, codes)))
        # One for each class, also where there are two.
        return found if found.ndim > 1 else np.stack([-found, found], axis=1) / 2

    start = decisions(code[None])[0]
    first = int(start.argmax())
    last = _index_of(target, classifier.classes_, start)

    def margins(codes: np.ndarray) -> np.ndarray:
        found = decisions(codes)
        return found[:, last] - found[:, first]

    spread = np.cov(codes, rowvar=False).reshape(len(code), len(code))
    deviations = np.sqrt(np.diag(spread))
    # The differences are exact, as the margin is linear.
    moved = code + np.diag(deviations)
    gains = margins(moved) - margins(code[None])
    gradient = np.divide(
        gains, deviations, out=np.zeros_like(gains), where=deviations > 0
    )
    direction = spread @ gradient
    speed = float(direction @ gradient)
    if not speed > 0:
        raise ValueError(
            "The decision does not depend on the codes, or the codes of X do not vary."
        )
    steps = np.linspace(0, reach, n_steps)
    boundary = -margins(code[None])[0] / speed
    walked = code + np.outer(steps * boundary, direction)
    found, expected = margins(walked), (1 - steps) * margins(code[None])[0]
    change = np.abs(expected[0] - expected[-1]) + _ROUNDING * np.abs(start).max()
    if np.abs(found - expected).max() > _TOLERANCE * change:
        raise ValueError(
            "The decision is not linear in the codes. The steps after the autoencoder "
            "must be linear, and so must the decision_function of the classifier."
        )
    return Bunch(
        steps=steps,
        codes=walked,
        rows=parts.decode(walked),
        margins=found,
        predictions=classifier.predict(like(encoded, walked)),
        predicted=classifier.classes_[first],
        target=classifier.classes_[last],
    )


def _linear_classifier(parts: Parts) -> Any:
    """Return the steps after the autoencoder. They classify codes."""
    last = None if parts.after is None else parts.after[-1]
    needed = "decision_function", "coef_", "classes_"
    if parts.after is None or not all(hasattr(last, name) for name in needed):
        raise TypeError(
            "estimator must be a fitted pipeline of an autoencoder and a linear "
            "classifier on its codes, with decision_function and coef_. Its last step "
            f"is {(last or parts.autoencoder)!r}."
        )
    return parts.after


def _index_of(target: Any, classes: np.ndarray, decisions: np.ndarray) -> int:
    """Return the place of the class to walk to."""
    if target is None:
        return int(np.argsort(decisions)[-2])
    found = np.flatnonzero(classes == target)
    if not len(found):
        raise ValueError(
            f"target={target!r} is none of the classes {classes.tolist()}."
        )
    if found[0] == decisions.argmax():
        raise ValueError(
            f"target={target!r} is the class that is predicted already. Choose another "
            "one, or None for the class with the second highest decision."
        )
    return int(found[0])
