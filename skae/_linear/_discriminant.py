"""Linear discriminant analysis of codes, computed from sums."""

from __future__ import annotations

import numpy as np

from ._running_sums import RunningSums

_CONSTANT = 1e-12
"""Codes with a smaller share of the largest variance hold rounding errors."""


def discriminant(
    sums: RunningSums, encoder: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias that map codes to logits of classes.

    The logits are those of linear discriminant analysis (Fisher 1936), up to a number
    that all classes share. Two things keep them finite. The pooled covariance counts
    one more row, with the variances of the codes of all rows. A class without rows has
    the mean logit of the others and the share of half a row, so it never wins.

    Parameters
    ----------
    sums : RunningSums
        Of rows and indicators of their classes.

    encoder : ndarray of shape (n_features, n_components)
        Maps centred rows to codes.

    variances : ndarray of shape (n_components,)
        Of the codes of all rows.
    """
    n_labelled = sums.labelled.count
    counts = n_labelled * sums.target_mean
    varying = variances > _CONSTANT * variances.max(initial=0.0)
    deviations = np.sqrt(np.where(varying, variances, 1.0))
    to_codes = encoder * varying / deviations
    is_seen = counts > 0.5
    # The products of a class's indicator with rows are its mean times its size.
    ahead = np.zeros((encoder.shape[1], len(counts)))
    np.divide(to_codes.T @ sums.products, counts, out=ahead, where=is_seen)
    within = to_codes.T @ sums.labelled.scatter @ to_codes
    within -= (ahead * counts) @ ahead.T
    within[np.diag_indices(len(within))] += 1.0
    kernel = np.linalg.solve(within / (n_labelled + 1), ahead)
    shares = counts / max(n_labelled, 1)
    bias = np.log(shares, out=np.zeros(len(shares)), where=is_seen)
    bias -= 0.5 * (ahead * kernel).sum(axis=0)
    bias[~is_seen] = shares @ bias + np.log(0.5 / max(n_labelled, 1))
    centre = (sums.labelled.mean - sums.rows.mean) @ to_codes
    return kernel / deviations[:, None], bias - centre @ kernel
