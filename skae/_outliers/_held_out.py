"""Scores of rows by models that were fitted without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, ShuffleSplit

from .._training import is_gain
from ._row_density import EncodedRows, NewRows

_N_FOLDS = 3
_FEWEST_ROWS = 2 * _N_FOLDS

_MOST_FOLDED = 1000
_SHARE = 0.2
"""With more rows this share is enough to choose and to find a threshold."""

_BANDWIDTHS = 0.85, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12
"""To try beside 1."""


@dataclass(frozen=True)
class HeldOutFits:
    """Autoencoders that were each fitted without some of the rows.

    Parameters
    ----------
    data : {array, CSR matrix} of shape (n_samples, n_features)
        All rows.

    splits : list of tuple
        For each autoencoder the rows that train and those that are held out.

    autoencoders : list
        Fitted.

    seed : int
        Chooses the centres of kernels.
    """

    data: Any
    splits: list
    autoencoders: list
    seed: int

    @classmethod
    def fit(cls, data: Any, autoencoder: Callable[[], Any], seed: int) -> HeldOutFits:
        """Hold out a fifth of the rows, or with few rows each third in turn.

        The held-out rows also choose the best epoch of a network.
        """
        if data.shape[0] > _MOST_FOLDED:
            splitter = ShuffleSplit(1, test_size=_SHARE, random_state=seed)
        else:
            splitter = KFold(_N_FOLDS, shuffle=True, random_state=seed)
        splits = list(splitter.split(np.empty((data.shape[0], 1))))
        autoencoders = []
        for training, held_out in splits:
            one = autoencoder()
            X_val = data[held_out] if one.early_stopping else None
            autoencoders.append(one.fit(data[training], X_val=X_val))
        return cls(data, splits, autoencoders, seed)

    def final(self, autoencoder: Callable[[], Any]) -> Any:
        """Return the autoencoder of all rows.

        A network that most of many rows have trained is as good, and is taken as it is.
        """
        if len(self.splits) == 1 and self.autoencoders[0].selected_model_ == "network":
            return self.autoencoders[0]
        return autoencoder().fit(self.data)

    def chosen(self, bandwidth: float | str) -> tuple[float, np.ndarray]:
        """Return the bandwidth and the log-likelihood of each row, in their order.

        If it is "auto", a smaller bandwidth has to be significantly better.
        """
        encoded = [
            (
                EncodedRows.of(one, self.data[training]),
                list(NewRows.of(one, self.data[held_out])),
            )
            for one, (training, held_out) in zip(
                self.autoencoders, self.splits, strict=True
            )
        ]
        order = np.argsort(np.concatenate([held_out for _, held_out in self.splits]))

        def scores(bandwidth: float) -> np.ndarray:
            found = [
                training.density(bandwidth, self.seed).of(held_out)
                for training, held_out in encoded
            ]
            return np.concatenate(found)[order]

        if bandwidth != "auto":
            return float(bandwidth), scores(float(bandwidth))
        chosen, best = 1.0, scores(1.0)
        for candidate in _BANDWIDTHS:
            found = scores(candidate)
            if is_gain(found - best):
                chosen, best = candidate, found
        return chosen, best


def check_can_hold_out(owner: str, n_rows: int, autoencoder: Any) -> None:
    """Raise ``ValueError`` if rows cannot be held out while the others train."""
    if n_rows < _FEWEST_ROWS:
        raise ValueError(
            f"{owner} needs at least {_FEWEST_ROWS} rows, because it holds out a third "
            f"of them. Got n_samples={n_rows}."
        )
    weight = getattr(autoencoder, "target_weight", 0)
    if weight:
        raise ValueError(
            f"{owner} needs an estimator with target_weight=0, because it has no "
            f"labels. Got target_weight={weight}."
        )
    share = _SHARE if n_rows > _MOST_FOLDED else 1 / _N_FOLDS
    n_training = n_rows - int(np.ceil(share * n_rows))
    n_components = autoencoder.n_components
    if isinstance(n_components, Integral) and int(n_components) > n_training:
        raise ValueError(
            f"n_components={n_components} of the estimator must be at most "
            f"{n_training}, the number of rows that train while others are held out. "
            f"Got n_samples={n_rows}."
        )
