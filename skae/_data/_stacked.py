"""Two sets of rows as one, without a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._chunks import dense


@dataclass(frozen=True)
class Stacked:
    """The rows of one set, then those of another.

    Parameters
    ----------
    first, second : {array, CSR matrix} of shape (n_rows, n_features)
        Rows of equal width.
    """

    first: Any
    second: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self.first.shape[0] + self.second.shape[0], self.first.shape[1]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Return some rows as an array."""
        numbers = np.arange(self.shape[0])[rows]
        is_first = numbers < self.first.shape[0]
        of_first = dense(self.first[numbers[is_first]])
        of_second = dense(self.second[numbers[~is_first] - self.first.shape[0]])
        dtype = np.result_type(of_first, of_second)
        taken = np.empty((len(numbers), self.shape[1]), dtype)
        taken[is_first], taken[~is_first] = of_first, of_second
        return taken
