"""Canonical codes: uncorrelated, sorted by variance, with a deterministic sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._chunks import chunks

_NEGLIGIBLE = 1e-6
"""Share of the largest code's deviation under which a code counts as constant."""


@dataclass(frozen=True)
class Basis:
    """An invertible affine map from the network's codes to those that users see.

    Codes are ``(network_codes - offset) @ matrix``, network codes are
    ``codes @ inverse + offset``.

    Parameters
    ----------
    offset : ndarray of shape (n_components,), float32
        Mean of the network's codes over the training rows, or zero.

    matrix, inverse : ndarray of shape (n_components, n_components), float32
        Rotation, sign and scale.
    """

    offset: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray

    @classmethod
    def identity(cls, n_components: int, scale: float) -> Basis:
        """Keep the network's own codes, in the data's units."""
        eye = np.eye(n_components, dtype=np.float32)
        return cls(np.zeros(n_components, np.float32), eye * scale, eye / scale)

    @classmethod
    def canonical(
        cls,
        codes: np.ndarray,
        rows: np.ndarray,
        scale: float,
        *,
        rotate: bool,
        whiten: bool,
    ) -> tuple[Basis, np.ndarray]:
        """Find the basis in which the codes are sorted and, rotated, uncorrelated.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_components)
            The network's codes of the training rows.

        rows : ndarray of shape (n_samples, n_features)
            The training rows: a code's sign is such that the feature it
            covaries with most, it covaries with positively. On PCA's codes that is
            scikit-learn's sign.

        scale : float
            One unit of the network in the data's units.

        rotate : bool
            Whether a rotation is free: codes that a penalty made sparse, or that end
            in a nonlinear layer of the user's, are only put in order.

        whiten : bool
            Whether to bring every code to variance one.

        Returns
        -------
        basis : Basis

        variances : ndarray of shape (n_components,), float64
            Non-increasing variances of the codes, before whitening, in the data's
            squared units.
        """
        codes = codes.astype(np.float64)
        mean = codes.mean(axis=0)
        centred = codes - mean
        degrees = max(len(codes) - 1, 1)
        if rotate:
            variances, axes = np.linalg.eigh(centred.T @ centred / degrees)
            order = np.arange(len(variances))[::-1]
        else:
            variances = np.square(centred).sum(axis=0) / degrees
            axes = np.eye(len(variances))
            order = np.argsort(-variances, kind="stable")
        variances = np.maximum(variances[order], 0)
        axes = axes[:, order]
        if rotate:
            turned = centred @ axes
            covariances = sum(
                turned[chunk].T @ rows[chunk] for chunk in chunks(len(rows))
            )
            strongest = np.abs(covariances).argmax(axis=1)
            picked = covariances[np.arange(len(strongest)), strongest]
            axes = axes * np.where(picked < 0, -1.0, 1.0)
        units = np.full(len(variances), scale)
        if whiten:
            deviations = np.sqrt(variances)
            constant = deviations <= _NEGLIGIBLE * deviations.max(initial=0)
            units = 1 / np.where(constant, 1.0, deviations)
        basis = cls(
            (mean if rotate else np.zeros_like(mean)).astype(np.float32),
            (axes * units).astype(np.float32),
            (axes / units).T.astype(np.float32),
        )
        return basis, variances * scale**2
