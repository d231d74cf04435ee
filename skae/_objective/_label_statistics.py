"""How many rows have labels, and how much these vary."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class LabelStatistics(NamedTuple):
    """Statistics of the labels of some rows.

    Parameters
    ----------
    n_rows, n_labelled : int
        Number of rows, and of those with a label.

    mean : ndarray of shape (n_targets,)
        Mean of the labels. For indicators these are the shares of the classes.

    square : float
        Sum of the squared deviations of the labels from it.
    """

    n_rows: int
    n_labelled: int
    mean: np.ndarray
    square: float

    @classmethod
    def of(cls, label: np.ndarray) -> LabelStatistics:
        """Return the statistics of labels. Rows without one have a NaN."""
        known = label[is_labelled(label)]
        if not len(known):
            return cls(len(label), 0, np.zeros(label.shape[1]), 0.0)
        square = known.var(axis=0, dtype=np.float64).sum() * len(known)
        return cls(len(label), len(known), known.mean(axis=0), float(square))

    def merged(self, other: LabelStatistics) -> LabelStatistics:
        """Return the statistics of both sets of rows (Chan, Golub & LeVeque 1979)."""
        n_rows, n_labelled = self.n_rows + other.n_rows, self.n_labelled
        if not other.n_labelled:
            return self._replace(n_rows=n_rows)
        n_labelled += other.n_labelled
        ahead, share = other.mean - self.mean, other.n_labelled / n_labelled
        return LabelStatistics(
            n_rows,
            n_labelled,
            self.mean + share * ahead,
            self.square + other.square + self.n_labelled * share * float(ahead @ ahead),
        )

    @property
    def share(self) -> float:
        """Share of the rows that have a label."""
        return self.n_labelled / self.n_rows

    @property
    def variance(self) -> float:
        """Total variance of the labels."""
        return self.square / max(self.n_labelled, 1)


def is_labelled(label: np.ndarray) -> np.ndarray:
    """Say for each row whether it has a label."""
    return ~np.isnan(label).any(axis=1)
