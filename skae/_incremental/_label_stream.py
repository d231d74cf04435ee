"""Labels that arrive in batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .._labels import UNLABELLED, Labels, checked_labels, has_class
from .._objective import LabelStatistics

ANEW = "Call fit, or partial_fit of a clone, to start anew."
"""What to do where a batch does not fit to the earlier ones."""


@dataclass(frozen=True)
class LabelStream:
    """The labels of the newest batch, and what is known of all labels so far.

    Parameters
    ----------
    newest : Labels
        Labels of the newest batch. The classes are those of the first call. The units
        of numbers are those of the first batch that has labels.

    statistics : LabelStatistics
        Of all labels so far, in the network's units.

    knows_classes : bool
        Whether the user has said which classes there are.
    """

    newest: Labels
    statistics: LabelStatistics
    knows_classes: bool = True

    @classmethod
    def begin(cls, estimator: Any, y: Any, X: Any, classes: Any) -> LabelStream:
        """Return the labels of the first batch.

        Without ``classes`` these are the classes of the batch. scikit-learn's checks
        hand ``classes`` to classifiers only, so a single batch may come without.

        Raises
        ------
        ValueError
            If they cannot be used.
        """
        y, is_numbers = checked_labels(estimator, y, X)
        if is_numbers:
            if classes is not None:
                raise ValueError(
                    f"classes={classes!r} were passed, but y has the dtype {y.dtype}. "
                    "Floats are numbers to predict. Pass classes as integers: "
                    "y.astype(int)."
                )
            labels = Labels.of_numbers(y)
        elif classes is None:
            labels = Labels.of_classes(type(estimator).__name__, y)
        else:
            labels = _encoded(y, _checked_classes(classes))
        n_targets = labels.values.shape[1]
        nothing = LabelStatistics(0, 0, np.zeros(n_targets), 0.0)
        is_known = is_numbers or classes is not None
        return cls(labels, nothing, is_known)._with(labels)

    def after(self, estimator: Any, y: Any, X: Any, classes: Any) -> LabelStream:
        """Return the labels of the next batch.

        Raises
        ------
        ValueError
            If they cannot be used, or do not fit to those of the earlier batches.
        """
        known = self.newest.classes
        y, is_numbers = checked_labels(estimator, y, X)
        if is_numbers != (known is None):
            kinds = "classes", "numbers"
            raise ValueError(
                f"y has the dtype {y.dtype}, which stands for {kinds[is_numbers]}, but "
                f"the earlier batches have {kinds[known is None]}. {ANEW}"
            )
        if known is None and classes is not None:
            raise ValueError(
                f"classes={classes!r} were passed, but the labels of the earlier "
                f"batches are numbers. {ANEW}"
            )
        if known is not None:
            self._check_same(classes, known)
            return replace(self, knows_classes=True)._with(_encoded(y, known))
        labels = Labels.of_numbers(y)
        n_targets, width = self.newest.values.shape[1], labels.values.shape[1]
        if width != n_targets:
            raise ValueError(
                f"y has {width} columns of numbers, but that of the earlier batches "
                f"has {n_targets}. {ANEW}"
            )
        return self._with(
            replace(labels, origin=self.newest.origin, unit=self.newest.unit)
        )

    @property
    def without_values(self) -> LabelStream:
        """The same without the labels themselves, to be stored."""
        labels = self.newest
        return replace(self, newest=replace(labels, values=labels.values[:0]))

    def _check_same(self, classes: Any, known: np.ndarray) -> None:
        """Raise ``ValueError`` if a later call passes other classes than the first."""
        if classes is None and not self.knows_classes:
            raise ValueError(
                "classes must be passed on the first call to partial_fit, if there are "
                f"more calls. {ANEW}"
            )
        if classes is not None and not np.array_equal(known, _checked_classes(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to "
                f"partial_fit, was: {known!r}"
            )

    def _with(self, labels: Labels) -> LabelStream:
        is_first = not self.statistics.n_labelled and labels.known.any()
        if labels.classes is None and is_first:
            labels = labels.in_own_units
        values = (labels.values - labels.origin) / labels.unit
        statistics = self.statistics.merged(LabelStatistics.of(values))
        return replace(self, newest=labels, statistics=statistics)


def _checked_classes(classes: Any) -> np.ndarray:
    """Return the classes that a user passed, sorted."""
    check_classification_targets(classes)
    known = np.unique(column_or_1d(classes))
    if known.dtype.kind == "i" and UNLABELLED in known:
        raise ValueError(
            f"classes={classes!r} must not hold {UNLABELLED}, which stands for rows "
            "without a label. Use other integers."
        )
    return known


def _encoded(y: np.ndarray, classes: np.ndarray) -> Labels:
    """Return labels of the given classes."""
    known = has_class(y)
    present, places = np.unique(y[known], return_inverse=True)
    # Python's equality, by which the classes may have another dtype than y.
    numbers = {label: number for number, label in enumerate(classes.tolist())}
    if not numbers.keys() >= set(present.tolist()):
        raise ValueError(
            f"`y` has classes not in `classes`. `classes` has {classes.tolist()}. 'y' "
            f"has {present.tolist()}."
        )
    found = np.array([numbers[label] for label in present.tolist()], dtype=int)
    return Labels.of_indices(found[places], known, classes)
