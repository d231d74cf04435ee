"""What the codes of a row respond to, and what moves a decision about it."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch, check_scalar

from ._data import slices
from ._inference import NetworkModel
from ._pipelines import Parts, as_array, checked_row, flat, like, opened, rows_of

__all__ = ["counterfactual", "encoder_jacobian", "outlier_contributions"]

_TOLERANCE = 1e-3
"""Largest difference between a decision and a linear one, in its largest change."""

_ROUNDING = 1e-9
"""Changes below this fraction of the decisions are rounding errors."""

_STEP, _COARSE_STEP = 1e-3, 3e-2
"""Steps of differences in deviations of a feature, in float64 and in float32."""

_FEATURES = 64
"""Features of a call. Dense networks encode twice as many rows in float64."""


def counterfactual(
    estimator: Any,
    X: Any,
    row: int,
    *,
    target: Any = None,
    n_steps: int = 5,
    reach: float = 2.0,
) -> Bunch:
    r"""Change the code of a row until it gets another class, and decode the codes.

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
        The other class. None stands for the class with the highest decision after the
        predicted one.

    n_steps : int, default=5
        Number of codes on the path towards the other class, the row's own included.

    reach : float, default=2.0
        Where the path ends. It starts at 0, and 1 is the boundary, where both classes
        have the same decision.

    Returns
    -------
    counterfactual : :class:`~sklearn.utils.Bunch`
        - ``steps``: ndarray of shape (n_steps,), from 0 to ``reach``.
        - ``codes``: ndarray of shape (n_steps, n_components), the path.
        - ``rows``: ndarray of shape (n_steps, n_features), the decoded codes, in the
          units of ``X``. The last one is the counterfactual row.
        - ``margins``: ndarray of shape (n_steps,), decision of the target minus
          decision of the predicted class.
        - ``predictions``: ndarray of shape (n_steps,), the predicted class of each
          code. On the path to a target a third class may win.
        - ``predicted`` and ``target``: the two classes.

    See Also
    --------
    skae.plot.CounterfactualDisplay : Shows it.
    encoder_jacobian : What a code responds to.

    Notes
    -----
    Let :math:`a` be the derivative of the margin with respect to the code. The path
    goes along :math:`\Sigma a`, where :math:`\Sigma` is the covariance of the codes of
    ``X``. This is the shortest path to the boundary if distances are measured in
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
    >>> from skae.inspection import counterfactual
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(8, hidden_layer_sizes=())
    >>> pipeline = make_pipeline(autoencoder, LogisticRegression(max_iter=5000))
    >>> found = counterfactual(pipeline.fit(X, y), X, row=0, target=9)
    >>> print(found.predictions[0], found.predictions[-1])
    0 9
    >>> found.rows.shape
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
    margin = margins(code[None])[0]
    gains = margins(moved) - margin
    gradient = np.divide(
        gains, deviations, out=np.zeros_like(gains), where=deviations > 0
    )
    direction = spread @ gradient
    # The variance of the margin. The last bits of equal codes may differ.
    speed = float(direction @ gradient)
    if not speed > (_ROUNDING * np.abs(start).max()) ** 2:
        raise ValueError(
            "The decision does not depend on the codes, or the codes of X do not vary."
        )
    steps = np.linspace(0, reach, n_steps)
    path = code + np.outer(steps * (-margin / speed), direction)
    found, expected = margins(path), (1 - steps) * margin
    change = np.abs(expected[0] - expected[-1]) + _ROUNDING * np.abs(start).max()
    if np.abs(found - expected).max() > _TOLERANCE * change:
        raise ValueError(
            "The decision is not linear in the codes. The steps after the autoencoder "
            "must be linear, and so must the decision_function of the classifier."
        )
    return Bunch(
        steps=steps,
        codes=path,
        rows=parts.decode(path),
        margins=found,
        predictions=classifier.predict(like(encoded, path)),
        predicted=classifier.classes_[first],
        target=classifier.classes_[last],
    )


def encoder_jacobian(estimator: Any, X: Any, row: int) -> np.ndarray:
    """Return how fast the codes of a row change with each of its features.

    Parameters
    ----------
    estimator : estimator
        A fitted autoencoder, a pipeline that contains one, or a search over one.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows. Their deviations set the steps of the differences.

    row : int
        Number of the row of ``X`` at which to compute the Jacobian, from 0.

    Returns
    -------
    jacobian : ndarray of shape (n_components, n_features)
        Derivative of each code with respect to each feature of ``X``, in the units of
        both. Multiply it with ``X.std(axis=0)`` to compare features in different units.

    See Also
    --------
    skae.plot.EncoderJacobianDisplay : Shows it.
    counterfactual : What moves a decision.

    Notes
    -----
    The Jacobian is computed by central differences. So it includes all steps before
    the autoencoder, and it needs no particular backend. A difference spans a thousandth
    of the feature's standard deviation to both sides, or three hundredths where a
    network is computed in float32: convolutional ones, and those with other activations
    than NumPy computes. For PCA the Jacobian is ``components_``, at any row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.inspection import encoder_jacobian
    >>> X, _ = load_digits(return_X_y=True)
    >>> pca = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
    >>> jacobian = encoder_jacobian(pca, X, row=0)
    >>> np.allclose(jacobian, pca.components_)
    True
    """
    parts = Parts.of(estimator)
    scaler = StandardScaler(with_mean=False).fit(X)
    row = checked_row(row, X.shape[0] if hasattr(X, "shape") else len(X))
    at = as_array(rows_of(X, slice(row, row + 1)))[0]
    typical = np.sqrt(scaler.var_.mean()) or 1.0
    steps = _step(parts.autoencoder) * np.where(
        scaler.var_ > 0, np.sqrt(scaler.var_), typical
    )
    columns = []
    for part in slices(len(at), _FEATURES):
        moves = np.eye(len(at))[part] * steps
        asked = np.concatenate([at + moves, at - moves])
        above, below = np.split(parts.encode(like(X, asked)).astype(np.float64), 2)
        # The steps as they were taken, after rounding.
        taken = (at + steps) - (at - steps)
        columns.append((above - below) / taken[part, None])
    return np.concatenate(columns).T


def outlier_contributions(estimator: Any, X: Any, *, feature_groups: Any = None) -> Any:
    """Return how much each feature contributes to what makes a row improbable.

    Parameters
    ----------
    estimator : estimator
        A fitted :class:`~skae.outliers.AutoencoderOutlierDetector`, or a pipeline that
        ends with one.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to explain.

    feature_groups : array-like of shape (n_features_of_detector,), default=None
        Name of the group of each feature that the detector sees, see there.

    Returns
    -------
    contributions : {ndarray, DataFrame} of shape (n_samples, n_features_of_detector)
        What :meth:`~skae.outliers.AutoencoderOutlierDetector.explain` returns of the
        rows that the detector sees. A data frame with the names of these features, if
        ``X`` is one and the steps before the detector say what they are.

    Raises
    ------
    TypeError
        If there is no detector at the end.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import AutoencoderTransformer
    >>> from skae.inspection import outlier_contributions
    >>> from skae.outliers import AutoencoderOutlierDetector
    >>> X = load_wine(as_frame=True).data
    >>> pca = AutoencoderTransformer(0.9, hidden_layer_sizes=())
    >>> detector = AutoencoderOutlierDetector(pca, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), detector).fit(X)
    >>> outlier_contributions(pipeline, X[121:122]).idxmax(axis=1).item()
    'flavanoids'
    """
    detector, before = opened(estimator), None
    if isinstance(detector, Pipeline):
        steps = flat(detector)
        before, detector = steps[:-1], steps[-1]
    if not hasattr(detector, "explain"):
        raise TypeError(
            "estimator must be a fitted AutoencoderOutlierDetector, or a pipeline that "
            f"ends with one. Its last step is {detector!r}."
        )
    if not before:
        return detector.explain(X, feature_groups=feature_groups)
    rows = before.transform(X)
    found = np.asarray(detector.explain(rows, feature_groups=feature_groups))
    if feature_groups is not None:
        return like(X, found, list(dict.fromkeys(feature_groups)))
    try:
        names = before.get_feature_names_out()
    except AttributeError:
        # Some transformers do not name what they return.
        return found
    return like(X, found, names)


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
    """Return the place of the class to go to."""
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


def _step(autoencoder: Any) -> float:
    model = getattr(autoencoder, "_model", None)
    in_float32 = isinstance(model, NetworkModel) and not model.spec.runs_in_numpy
    return _COARSE_STEP if in_float32 else _STEP
