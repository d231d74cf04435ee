"""Rows that depend on each other: exact copies, and groups that the user names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._chunks import chunks, dense


def groups_of_copies(X: Any) -> np.ndarray:
    """Return the number of each row's group, where equal rows form a group.

    Groups are numbered in the order of their first rows. Without copies the numbers are
    those of the rows.

    Parameters
    ----------
    X : {array, CSR matrix} of shape (n_rows, n_features)
        The rows.
    """
    numbers: dict[int, int] = {}
    return np.array(
        [
            numbers.setdefault(hash(row.tobytes()), len(numbers))
            for chunk in chunks(X)
            # Adding zero turns a negative zero into a positive one.
            for row in dense(X[chunk]) + 0.0
        ]
    )


def merged_groups(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return groups in which rows are together that are together in either of two.

    Parameters
    ----------
    one, other : ndarray of shape (n_rows,), int
        Numbers of groups.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array(
        (np.ones(len(one), bool), (one, other)), (one.max() + 1, other.max() + 1)
    )
    # Groups of either kind are the nodes of a bipartite graph, rows are its edges.
    n_nodes = sum(edges.shape)
    graph = coo_array(
        (edges.data, (edges.row, edges.col + edges.shape[0])), (n_nodes, n_nodes)
    )
    component = connected_components(graph, directed=False)[1]
    return numbered(component[one])


def numbered(labels: np.ndarray) -> np.ndarray:
    """Return labels of any kind as numbers, in the order of their first rows."""
    _, first, group = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[group]
