"""Scores of rows by models that were fitted without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import KFold

from .._training import is_gain
from ._row_density import RowDensity

_N_FOLDS = 3
_FEWEST_ROWS = 2 * _N_FOLDS

_CANDIDATES = 10, 40
"""Numbers of clusters to try beside a single one."""

_ROWS_PER_CLUSTER = 5


@dataclass(frozen=True)
class CrossFit:
    """Autoencoders that were each fitted without a fold of the rows.

    Parameters
    ----------
    data : {array, CSR matrix} of shape (n_samples, n_features)
        All rows.

    folds : list of tuple
        For each fold the rows that train and those that are held out.

    autoencoders : list
        For each fold the autoencoder of the rows that train.

    seed : int
        Seed of the clusters.
    """

    data: Any
    folds: list
    autoencoders: list
    seed: int

    @classmethod
    def fit(cls, data: Any, autoencoder: Callable[[], Any], seed: int) -> CrossFit:
        """Fit a new autoencoder for each fold."""
        splitter = KFold(_N_FOLDS, shuffle=True, random_state=seed)
        folds = list(splitter.split(np.empty((data.shape[0], 1))))
        autoencoders = [autoencoder().fit(data[training]) for training, _ in folds]
        return cls(data, folds, autoencoders, seed)

    def scores(self, n_clusters: int) -> np.ndarray:
        """Return the log-likelihood of each row, by the model of its fold."""
        scores = np.empty(self.data.shape[0])
        for autoencoder, (training, held_out) in zip(
            self.autoencoders, self.folds, strict=True
        ):
            rows = self.data[training]
            density = RowDensity.fit(autoencoder, rows, n_clusters, self.seed)
            scores[held_out] = density.log_density(self.data[held_out])
        return scores

    def chosen(self, n_clusters: int | str) -> tuple[int, np.ndarray]:
        """Return the number of clusters, and the scores with them.

        If it is "auto", several clusters have to be significantly better than fewer.
        """
        if n_clusters != "auto":
            return int(n_clusters), self.scores(int(n_clusters))
        chosen, scores = 1, self.scores(1)
        most = len(self.folds[0][0]) // _ROWS_PER_CLUSTER
        for candidate in _CANDIDATES:
            if candidate > most:
                break
            found = self.scores(candidate)
            if is_gain(found - scores):
                chosen, scores = candidate, found
        return chosen, scores


def check_enough_rows(owner: str, n_rows: int, n_clusters: int | str) -> None:
    """Raise ``ValueError`` if too few rows train while others are held out."""
    if n_rows < _FEWEST_ROWS:
        raise ValueError(
            f"{owner} needs at least {_FEWEST_ROWS} rows, because it holds out a third "
            f"of them. Got n_samples={n_rows}."
        )
    n_training = n_rows - -(-n_rows // _N_FOLDS)
    if n_clusters != "auto" and int(n_clusters) > n_training:
        raise ValueError(
            f"n_clusters={n_clusters} must be at most {n_training}, the number of rows "
            f"that train while others are held out. Got n_samples={n_rows}."
        )
