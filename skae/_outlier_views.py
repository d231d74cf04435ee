"""Three views of how unusual a row is, on one scale: density, forest and neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from ._data import chunks, dense
from ._outlier_scores import RowDensity
from ._state import stored

FENCE = 1.5
"""Interquartile ranges beyond a quartile: Tukey's rule for box plots."""

_MOST_REFERENCES, _MOST_VALUES = 5000, 2**25
"""Rows and values that train the trees and are looked at as neighbours, at most. The
trees need dense rows, and draw 256 of them."""

_FEWEST_REFERENCES = 256

SAME_ROW = 1e-6
"""Rows that are as close, in lengths of a row, are equal but for rounding errors."""

_STEPS_PER_NAT = 8
_TAIL = 0.1
"""Beyond the largest score the logarithm goes on as in this fraction of the rows."""


@stored("tail")
@dataclass(frozen=True)
class Tail:
    """Minus the logarithm of how many rows have a larger score.

    It is piecewise linear. Beyond the largest score it goes on as for an exponential
    distribution, whose mean is that of the largest tenth.

    Parameters
    ----------
    knots : ndarray of shape (n_knots,)
        Scores, in increasing order.

    values : ndarray of shape (n_knots,)
        Minus the logarithm of the fraction of rows with larger scores.

    slope : float
        Beyond the last knot.
    """

    knots: np.ndarray
    values: np.ndarray
    slope: float

    @classmethod
    def fit(cls, scores: np.ndarray) -> Tail:
        """Take the quantiles of scores at equal steps of the logarithm."""
        largest = np.log(2 * len(scores))
        values = np.linspace(0, largest, int(_STEPS_PER_NAT * largest) + 2)
        knots = np.quantile(scores, -np.expm1(-values))
        knots[-1] = scores.max()
        # Of equal knots the last one counts.
        is_last = np.append(np.diff(knots) > 0, True)
        knots, values = knots[is_last], values[is_last]
        start = np.quantile(scores, 1 - _TAIL)
        beyond = scores[scores >= start] - start
        # Equal scores have no tail. Then any larger score is far beyond.
        mean = max(beyond.mean(), SAME_ROW * max(np.abs(scores).max(), 1.0))
        return cls(knots, values, float(1 / mean))

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return where scores lie, in nats."""
        beyond = np.maximum(scores - self.knots[-1], 0)
        return np.interp(scores, self.knots, self.values) + self.slope * beyond


@stored("isolation trees")
@dataclass(frozen=True)
class IsolationTrees:
    """An isolation forest as arrays, one row for each tree.

    Parameters
    ----------
    features, left, right : ndarray of shape (n_trees, n_nodes), int
        Which feature a node compares, and the next nodes. A leaf is its own next node.

    thresholds : ndarray of shape (n_trees, n_nodes), float32
        Rows with smaller or equal values go to the left.

    lengths : ndarray of shape (n_trees, n_nodes)
        Depth of a leaf, and the mean depth of further trees of its rows.

    mean_length : float
        Mean depth of a leaf in random trees.

    centre : ndarray of shape (n_features,)
        Subtracted from rows first: far from the origin float32 would lose digits.
    """

    features: np.ndarray
    left: np.ndarray
    right: np.ndarray
    thresholds: np.ndarray
    lengths: np.ndarray
    mean_length: float
    centre: np.ndarray

    @classmethod
    def fit(cls, X: Any, seed: int) -> IsolationTrees:
        """Fit scikit-learn's forest to rows, all of which become dense."""
        rows = np.asarray(dense(X), dtype=np.float64)
        centre = rows.mean(axis=0).astype(np.float32).astype(np.float64)
        forest = IsolationForest(random_state=seed).fit(rows - centre)
        trees = [one.tree_ for one in forest.estimators_]
        shape = len(trees), max(tree.node_count for tree in trees)
        left = np.tile(np.arange(shape[1]), (shape[0], 1))
        right, features = left.copy(), np.zeros(shape, int)
        thresholds, lengths = np.zeros(shape, np.float32), np.zeros(shape)
        for number, tree in enumerate(trees):
            inner = np.flatnonzero(tree.children_left >= 0)
            left[number, inner] = tree.children_left[inner]
            right[number, inner] = tree.children_right[inner]
            features[number, inner] = tree.feature[inner]
            # The trees see float32. The largest such number below a threshold divides
            # the rows as the threshold does.
            exact, rounded = tree.threshold[inner], thresholds.dtype.type
            values = exact.astype(rounded)
            values = np.where(
                values > exact, np.nextafter(values, rounded(-np.inf)), values
            )
            thresholds[number, inner] = values
            depths = np.zeros(tree.node_count)
            for node in inner:
                for child in (left[number, node], right[number, node]):
                    depths[child] = depths[node] + 1
            further = _average_path_length(tree.n_node_samples)
            lengths[number, : tree.node_count] = depths + further
        mean_length = float(_average_path_length(np.array([forest.max_samples_]))[0])
        return cls(features, left, right, thresholds, lengths, mean_length, centre)

    @property
    def is_leaf(self) -> np.ndarray:
        """Which nodes are leaves. Some of them no row reaches."""
        return self.left == np.arange(self.left.shape[1])

    def __call__(self, X: Any) -> np.ndarray:
        """Return minus the forest's ``score_samples``."""
        trees = np.arange(len(self.left))
        found = []
        for some in chunks(X):
            rows = (dense(X[some]) - self.centre).astype(np.float32)
            numbers = np.arange(len(rows))[:, None]
            nodes, before = np.zeros((len(rows), len(trees)), int), None
            while before is None or (nodes != before).any():
                before = nodes
                values = rows[numbers, self.features[trees, nodes]]
                goes_left = values <= self.thresholds[trees, nodes]
                branches = self.left[trees, nodes], self.right[trees, nodes]
                nodes = np.where(goes_left, *branches)
            found.append(self.lengths[trees, nodes].mean(axis=1))
        return np.exp2(-np.concatenate(found) / self.mean_length)


def _average_path_length(n_rows: np.ndarray) -> np.ndarray:
    """Return the mean depth of a leaf in random trees (Liu et al. 2008)."""
    many = np.maximum(n_rows, 3)
    lengths = 2 * (np.log(many - 1.0) + np.euler_gamma) - 2 * (many - 1.0) / many
    return np.select([n_rows <= 1, n_rows == 2], [0.0, 1.0], lengths)


@stored("outlier views")
@dataclass(frozen=True)
class Views:
    """Two models of rows beside their density. None of the three finds all outliers.

    Parameters
    ----------
    trees : IsolationTrees
        Of some rows that the density does not find unusual.

    references : {array, CSR matrix} of shape (n_references, n_features)
        These rows, minus the centre of the trees where they are dense. The distance to
        the nearest one says how unusual a row is.
    """

    trees: IsolationTrees
    references: Any

    @classmethod
    def fit(cls, density: RowDensity, X: Any, seed: int) -> Views:
        """Fit the trees and choose the references."""
        X, _ = density.autoencoder._complete(X)
        scores = density.log_density(X)
        rows = np.flatnonzero(scores >= lower_fence(scores))
        n_most = max(_MOST_VALUES // X.shape[1], _FEWEST_REFERENCES)
        n_most = min(n_most, _MOST_REFERENCES)
        if len(rows) > n_most:
            rng = np.random.RandomState(seed)
            rows = np.sort(rng.permutation(rows)[:n_most])
        references = X[rows]
        trees = IsolationTrees.fit(references, seed)
        if not issparse(references):
            references = references - trees.centre
        return cls(trees, references)

    def of(self, density: RowDensity, X: Any) -> np.ndarray:
        """Return three scores of each row. Larger ones are more unusual."""
        densities, rows = density.expected_log_density(X)
        return np.stack([-densities, self.trees(rows), self._distances(rows)], axis=1)

    def _distances(self, X: Any) -> np.ndarray:
        """Return the distance to the nearest reference.

        A reference that equals the row is passed over, because it may be the row.
        """
        n_neighbors = min(2, self.references.shape[0])
        index = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute")
        index.fit(self.references)
        found = []
        for some in chunks(X):
            rows = X[some] if issparse(X) else X[some] - self.trees.centre
            distances = index.kneighbors(rows)[0]
            squares = rows.multiply(rows) if issparse(rows) else rows**2
            lengths = np.sqrt(np.asarray(squares.sum(axis=1)).reshape(-1))
            is_same = distances[:, 0] <= SAME_ROW * lengths
            found.append(np.where(is_same, distances[:, -1], distances[:, 0]))
        return np.concatenate(found)


def combined(tails: list[Tail], views: np.ndarray) -> np.ndarray:
    """Return minus the sum of the two largest tails: two views have to agree."""
    found = [tail(view) for tail, view in zip(tails, views.T, strict=True)]
    return np.min(found, axis=0) - np.sum(found, axis=0)


def lower_fence(scores: np.ndarray) -> float:
    """Return the lower whisker of a box plot, by Tukey's rule."""
    low, high = np.percentile(scores, [25, 75])
    return float(low - FENCE * (high - low))
