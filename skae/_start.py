"""The rows of a fit as it trains on them, and PCA of them."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import get_tags

from ._data import Batch, Scaling
from ._imputation import Filling, Spread
from ._linear import PrincipalAxes
from ._validation import check_n_components


class Start(NamedTuple):
    """What is known before a network is described.

    Parameters
    ----------
    data : {array, CSR matrix} of shape (n_samples, n_features)
        The rows that the network should return, without missing values.

    own : Scaling
        Their mean and scale.

    axes : PrincipalAxes or None
        PCA of them. None for a network that does not start at PCA.

    filling : Filling, Spread or None
        Fills in missing values, the second with PCA's axes. None for an estimator that
        takes no missing values.
    """

    data: Any
    own: Scaling
    axes: PrincipalAxes | None
    filling: Filling | Spread | None = None

    @classmethod
    def of(cls, estimator: Any, rows: Batch, rng: np.random.RandomState) -> Start:
        """Return PCA of rows. With missing values it is probabilistic PCA by EM.

        Parameters
        ----------
        estimator : estimator
            Its parameters say how many components there are.

        rows : Batch
            All rows, with a mask if values are missing.

        rng : RandomState
            Starts an iterative solver.
        """
        data = rows.wanted
        if rows.mask is not None:
            if _starts_at_pca(estimator):
                _check(estimator, data.shape)
            filling = Filling.fit(data, rows.mask, estimator.n_components)
            axes = filling.axes if _starts_at_pca(estimator) else None
            return cls(filling.filled(data, rows.mask), filling.scaling, axes, filling)
        own = Scaling.fit(data)
        axes = principal_axes(estimator, data, own, rng)
        if axes is None or not get_tags(estimator).input_tags.allow_nan:
            return cls(data, own, axes)
        return cls(data, own, axes, Spread.of(axes, own, data.shape[0]))

    def batch(self, rows: Batch, rng: np.random.RandomState) -> tuple[Batch, int]:
        """Return the rows to train on, and how many copies of each row there are."""
        if rows.mask is None:
            return rows, 1
        assert isinstance(self.filling, Filling)
        return self.filling.copies(rows.input, rows.mask, rng)


def principal_axes(
    estimator: Any, data: Any, scaling: Scaling, rng: np.random.RandomState
) -> PrincipalAxes | None:
    """Return PCA of complete rows, if a network starts there or its width follows."""
    if not _starts_at_pca(estimator):
        return None
    _check(estimator, data.shape)
    return PrincipalAxes.fit(data, scaling, estimator.n_components, rng)


def _starts_at_pca(estimator: Any) -> bool:
    is_share = isinstance(estimator.n_components, Real) and estimator.n_components < 1
    return is_share or _skip_connections(estimator) is not None


def _check(estimator: Any, shape: tuple[int, int]) -> None:
    check_n_components(estimator.n_components, shape, _skip_connections(estimator))


def _skip_connections(estimator: Any) -> str | None:
    return getattr(estimator, "skip_connections", "linear")
