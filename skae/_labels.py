"""Labels that users give to ``fit``, and the linear model that predicts them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ._data import dense, is_missing, is_rounding
from ._linear import LinearModel, PrincipalCovariates
from ._losses.target import is_labelled, weight_beside_variance
from ._networks import NetworkSpec

UNLABELLED = -1
"""Integer class of rows without a label, as in ``sklearn.semi_supervised``."""

_MOST_ROWS = 5000
"""Rows to which the head of the linear model is fitted. More hardly change it."""


@dataclass(frozen=True)
class Labels:
    """The labels of the training rows.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_targets), float64
        Indicators of classes, or numbers. NaN where a row has no label.

    classes : ndarray of shape (n_targets,) or None
        The classes, sorted. None if labels are numbers.

    origin : ndarray of shape (n_targets,)
        Mean of the numbers; zero for classes.

    unit : float
        Root of their summed variance; one for classes.

    is_flat : bool
        Whether ``y`` had one dimension.
    """

    values: np.ndarray
    classes: np.ndarray | None
    origin: np.ndarray
    unit: float
    is_flat: bool

    @classmethod
    def of(cls, estimator: Any, y: Any, X: Any) -> Labels:
        """Check and encode labels. Floats are numbers, everything else is a class.

        Raises
        ------
        ValueError
            If there are no labels, or if they cannot be used.
        """
        name = type(estimator).__name__
        if y is None:
            raise ValueError(
                f"This {name} estimator requires y to be passed, but the target y is "
                f"None. It does so because target_weight={estimator.target_weight}. "
                "Give labels y, or set target_weight=0."
            )
        y = _with_gaps(y)
        check_consistent_length(X, y)
        if y.ndim > 2:
            raise ValueError(
                f"y must have one or two dimensions. Got shape {y.shape} instead."
            )
        is_flat = y.ndim < 2 or y.shape[1] == 1
        if is_flat:
            y = column_or_1d(y, warn=True)
        if is_flat and y.dtype.kind != "f":
            return cls._of_classes(name, y)
        y = check_array(
            y.reshape(len(y), -1),
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            input_name="y",
        )
        return cls._of_numbers(name, y, is_flat)

    @classmethod
    def _of_numbers(cls, name: str, y: np.ndarray, is_flat: bool) -> Labels:
        """Return numbers in units of their own mean and deviation."""
        known = y[is_labelled(y)]
        if not len(known):
            raise ValueError(f"{name} needs labels, but every row of y has a NaN.")
        values = np.where(is_labelled(y)[:, None], y, np.nan)
        origin = known.mean(axis=0)
        largest = np.abs(known).max()
        if largest > np.finfo(np.float32).max:
            raise ValueError(
                f"Input y contains values up to {largest:.1e}, which are too large for "
                f"dtype('float32'), in which {name} computes. Rescale y first."
            )
        unit = float(np.sqrt(known.var(axis=0).sum()))
        unit = 1.0 if is_rounding(unit, origin) else unit
        return cls(values, None, origin, unit, is_flat)

    @classmethod
    def _of_classes(cls, name: str, y: np.ndarray) -> Labels:
        """Encode all classes that there are."""
        known = np.ones(len(y), bool)
        if y.dtype.kind == "O":
            known = np.array([label is not None for label in y])
            if not known.any():
                raise ValueError(f"{name} needs labels, but y has none.")
        present = y[known]
        if y.dtype.kind == "O":
            is_text = [isinstance(label, str) for label in present]
            if any(is_text) and not all(is_text):
                raise ValueError(
                    "y has text and other labels. Give all labels as text, or all as "
                    "numbers."
                )
            # Integers and booleans with gaps have a type of their own.
            present = present if all(is_text) else np.array(present.tolist())
        check_classification_targets(present)
        has_label = np.ones(len(present), bool)
        if present.dtype.kind == "i":
            has_label = present != UNLABELLED
        classes, numbers = np.unique(present[has_label], return_inverse=True)
        known[known] = has_label
        if not has_label.all() and len(classes) < 2:
            raise ValueError(
                f"{name} takes rows of the class {UNLABELLED} as rows without a "
                f"label. Beside it, y has the classes {classes.tolist()}, of which it "
                "needs at least two. If -1 is one of two classes, use other integers."
            )
        values = np.full((len(y), len(classes)), np.nan)
        values[known] = np.eye(len(classes))[numbers]
        return cls(values, classes, np.zeros(len(classes)), 1.0, True)

    @property
    def known(self) -> np.ndarray:
        """Which rows have a label."""
        return is_labelled(self.values)

    @property
    def for_training(self) -> np.ndarray:
        """Labels in the units of the network's head, as float32."""
        return ((self.values - self.origin) / self.unit).astype(np.float32)

    @property
    def strata(self) -> np.ndarray | None:
        """Number of each row's class, which are held out in equal fractions."""
        if self.classes is None:
            return None
        return np.where(self.known, np.nan_to_num(self.values).argmax(axis=1), -1)

    def spec(self, spec: NetworkSpec) -> NetworkSpec:
        """Return the description of a network that predicts these labels, too."""
        kind: Literal["classes", "numbers"] = (
            "numbers" if self.classes is None else "classes"
        )
        return replace(spec, n_targets=self.values.shape[1], target_kind=kind)

    def linear_model(
        self,
        X: Any,
        pca: LinearModel,
        spec: NetworkSpec,
        weight: float,
        rng: np.random.RandomState,
    ) -> LinearModel:
        """Return principal covariates regression of rows ``X`` and their labels.

        The loss of a network measures reconstructions by what PCA leaves. A network
        starts at the linear model that is the best by this loss.

        Parameters
        ----------
        X : {array, CSR matrix} of shape (n_samples, n_features)
            The rows.

        pca : LinearModel
            Their PCA.

        spec : NetworkSpec
            The network that starts at the model.

        weight : float
            Weight of the labels.

        rng : RandomState
            Starts an iterative solver, and chooses rows for the head.
        """
        if not spec.is_linear:
            weight = weight_beside_variance(weight, pca.unexplained)
        scaling = pca.scaling
        covariates = PrincipalCovariates.fit(
            X, self.values, scaling, pca.n_components, weight, rng, labelled=self.known
        )
        if self.classes is None:
            kernel = covariates.head * (scaling.scale / self.unit)
            head = kernel, (covariates.target_mean - self.origin) / self.unit
        else:
            rows = np.flatnonzero(self.known)
            rows = np.sort(rng.permutation(rows)[:_MOST_ROWS])
            codes = (dense(X[rows]) - scaling.mean) @ covariates.encoder / scaling.scale
            head = _classifier(codes, self.values[rows].argmax(axis=1), self.values)
        return covariates.linear_model(pca, head)

    def head_of(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel and bias of linear regression of the numbers on codes."""
        known = self.known
        mean = codes[known].mean(axis=0, dtype=np.float64)
        targets = self.for_training[known].astype(np.float64)
        target_mean = targets.mean(axis=0)
        kernel = np.linalg.lstsq(
            codes[known] - mean, targets - target_mean, rcond=None
        )[0]
        return kernel, target_mean - mean @ kernel

    def attributes(self, head: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
        """Return the head as fitted attributes, in the units of ``y``."""
        kernel, bias = head
        coefficients = self.unit * kernel.T
        intercept = self.unit * bias + self.origin
        if self.classes is not None:
            return {
                "coef_": coefficients,
                "intercept_": intercept,
                "classes_": self.classes,
            }
        if self.is_flat:
            coefficients, intercept = coefficients[0], float(intercept[0])
        return {"coef_": coefficients, "intercept_": intercept}


def _with_gaps(y: Any) -> np.ndarray:
    """Return labels as an array. Objects that say that a label is missing become None.

    Series of integers, text or booleans with gaps would become floats, which are
    numbers to predict.
    """
    if hasattr(y, "columns") and y.shape[1] == 1:
        y = y[y.columns[0]]
    is_series = hasattr(y, "to_list") and hasattr(y, "dtype")
    if is_series and "float" not in str(y.dtype).lower():
        values = y.to_list()
        y = np.empty(len(values), object)
        y[:] = values
    elif isinstance(y, list | tuple) and np.asarray(y).dtype.kind == "U":
        # NumPy would make text of what says that a label is missing.
        y = np.asarray(y, dtype=object)
    else:
        y = np.asarray(y)
    if y.dtype.kind != "O" or y.ndim > 1:
        return y
    y = y.copy()
    for number, label in enumerate(y):
        if is_missing(label):
            y[number] = None
    kinds = {type(label) for label in y if label is not None}
    if kinds and all(issubclass(kind, (float, np.floating)) for kind in kinds):
        # Numbers, with gaps that are NaN.
        return y.astype(np.float64)
    return y


def _classifier(
    codes: np.ndarray, numbers: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias of multinomial logistic regression on codes."""
    n_classes = values.shape[1]
    kernel, bias = np.zeros((codes.shape[1], n_classes)), np.zeros(n_classes)
    present = np.unique(numbers)
    if len(present) < 2:
        return kernel, bias
    deviations = codes.std(axis=0)
    deviations[deviations == 0] = 1.0
    fitted = LogisticRegression(max_iter=1000).fit(codes / deviations, numbers)
    coefficients, intercept = fitted.coef_.T, fitted.intercept_
    if len(present) == 2:
        halves = np.array([-0.5, 0.5])
        coefficients, intercept = coefficients * halves, intercept * halves
    kernel[:, present] = coefficients / deviations[:, None]
    bias[present] = intercept
    return kernel, bias
