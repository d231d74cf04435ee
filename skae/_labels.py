"""Labels that users give to ``fit``, and the linear model that predicts them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ._data import Scaling, dense, is_rounding
from ._linear import LinearPath, PrincipalAxes, PrincipalCovariates
from ._model import FittedModel
from ._networks import NetworkSpec
from ._objective import is_labelled
from ._objective.target import weight_beside_variance

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
        y, is_numbers = checked_labels(estimator, y, X)
        if not is_numbers:
            return cls.of_classes(name, y)
        labels = cls.of_numbers(y)
        if not labels.known.any():
            raise ValueError(f"{name} needs labels, but every row of y has a NaN.")
        return labels.in_own_units

    @classmethod
    def of_numbers(cls, y: np.ndarray) -> Labels:
        """Return numbers in units of one."""
        values = y.reshape(len(y), -1)
        values = np.where(is_labelled(values)[:, None], values, np.nan)
        return cls(values, None, np.zeros(values.shape[1]), 1.0, y.ndim == 1)

    @classmethod
    def of_classes(cls, name: str, y: np.ndarray) -> Labels:
        """Encode classes: all there are."""
        known = has_class(y)
        classes, numbers = np.unique(y[known], return_inverse=True)
        if not known.all() and len(classes) < 2:
            raise ValueError(
                f"{name} takes rows of the class {UNLABELLED} as rows without a "
                f"label. Beside it, y has the classes {classes.tolist()}, of which it "
                "needs at least two. If -1 is one of two classes, use other integers."
            )
        return cls.of_indices(numbers, known, classes)

    @classmethod
    def of_indices(
        cls, numbers: np.ndarray, known: np.ndarray, classes: np.ndarray
    ) -> Labels:
        """Return classes, given by their numbers where they are known."""
        values = np.full((len(known), len(classes)), np.nan)
        values[known] = np.eye(len(classes))[numbers]
        return cls(values, classes, np.zeros(len(classes)), 1.0, True)

    @property
    def in_own_units(self) -> Labels:
        """The same numbers in units of their own mean and deviation."""
        known = self.values[self.known]
        origin = known.mean(axis=0)
        unit = float(np.sqrt(known.var(axis=0).sum()))
        return replace(
            self, origin=origin, unit=1.0 if is_rounding(unit, origin) else unit
        )

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
        """Number of each row's class, which are held out in equal shares."""
        if self.classes is None:
            return None
        return np.where(self.known, np.nan_to_num(self.values).argmax(axis=1), -1)

    def spec(self, spec: NetworkSpec) -> NetworkSpec:
        """Return the description of a network that predicts these labels, too."""
        kind: Literal["classes", "numbers"] = (
            "numbers" if self.classes is None else "classes"
        )
        return replace(spec, n_targets=self.values.shape[1], target_kind=kind)

    def linear(
        self,
        X: Any,
        own: Scaling,
        axes: PrincipalAxes,
        spec: NetworkSpec,
        weight: float,
        rng: np.random.RandomState,
    ) -> LinearPredictor:
        """Return the linear model of rows ``X`` and their labels.

        The loss of a network measures reconstructions by what PCA leaves. A network
        starts at the linear model that is the best by this loss.
        """
        if not spec.is_linear:
            weight = weight_beside_variance(weight, axes.unexplained)
        covariates = PrincipalCovariates.fit(
            X, self.values, own, axes.n_components, weight, rng, labelled=self.known
        )
        if self.classes is None:
            head = self.regression_head(covariates, own.scale)
        else:
            rows = np.flatnonzero(self.known)
            rows = np.sort(rng.permutation(rows)[:_MOST_ROWS])
            codes = (dense(X[rows]) - own.mean) @ covariates.encoder / own.scale
            head = _classifier(codes, self.values[rows].argmax(axis=1), self.values)
        return LinearPredictor(covariates, head)

    def regression_head(
        self, covariates: PrincipalCovariates, scale: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel and bias that predict numbers from codes in a unit."""
        kernel = covariates.head * (scale / self.unit)
        return kernel, (covariates.target_mean - self.origin) / self.unit

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


@dataclass(frozen=True)
class LinearPredictor:
    """Principal covariates regression with a head: the start where there are labels.

    Parameters
    ----------
    covariates : PrincipalCovariates
        The linear model.

    head : tuple of ndarray
        Kernel and bias that predict labels from codes in the network's units.
    """

    covariates: PrincipalCovariates
    head: tuple[np.ndarray, np.ndarray]

    @property
    def path(self) -> LinearPath:
        """The weights of the linear path at the start."""
        return LinearPath.covariates(self.covariates, self.head)

    def model(
        self, n_samples: int, dtype: Any, own: Scaling, whiten: bool
    ) -> FittedModel:
        """Return the linear model, computed without a network."""
        return FittedModel.covariates(
            self.covariates, self.head, own, whiten, n_samples, dtype
        )


def checked_labels(estimator: Any, y: Any, X: Any) -> tuple[np.ndarray, bool]:
    """Return labels as an array, and whether they are numbers.

    Raises
    ------
    ValueError
        If they cannot be used.
    """
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            "the target y is None. It does so because target_weight="
            f"{estimator.target_weight}."
        )
    y = np.asarray(y)
    check_consistent_length(X, y)
    is_flat = y.ndim < 2 or y.shape[1] == 1
    if is_flat:
        y = column_or_1d(y, warn=True)
    if is_flat and y.dtype.kind != "f":
        check_classification_targets(y)
        return y, False
    rows = check_array(
        y.reshape(len(y), -1),
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        input_name="y",
    )
    return (rows[:, 0] if is_flat else rows), True


def has_class(y: np.ndarray) -> np.ndarray:
    """Say for each row whether it has a class."""
    return y != UNLABELLED if y.dtype.kind == "i" else np.ones(len(y), bool)


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
