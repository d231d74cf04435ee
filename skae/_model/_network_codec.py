"""A trained network as a codec."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from .._data import Collection, Scaling, dense, reduced, slices
from .._linear import LinearPath
from .._networks import NetworkSpec
from ._blocks import MANY, filled
from ._bounds import Bounds, Box
from ._code_transform import CodeStatistics, CodeTransform
from ._codec import Codec, explained
from ._numpy_inference import PRECISE_ROWS, NumpyInference


class CodeSummary(NamedTuple):
    """What is known of the codes of the training rows.

    Parameters
    ----------
    variances : ndarray of shape (n_components,)
        Variance of each code, before whitening.

    explained : float
        Share of the rows' variance that the codes explain.

    residual_variance : float
        Variance of the rows that the codes do not explain, summed over the features.

    mean, covariance : ndarray of shape (n_components,) and square
        Of the codes as users see them.
    """

    variances: np.ndarray
    explained: float
    residual_variance: float
    mean: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class NetworkCodec(Codec):
    """A trained network.

    Parameters
    ----------
    spec : NetworkSpec
        The network.

    scaling : Scaling
        Between the data's units and the network's.

    weights : dict
        For "encoder" and "decoder", the lists of trainable and of other arrays.

    transform : CodeTransform
        Between the network's codes and the codes users see.

    bounds : Bounds
        Beyond these, PCA continues the network.

    components : ndarray of shape (n_components, n_features) or None
        Derivative of the decoder at the mean code, once that is known.
    """

    spec: NetworkSpec
    scaling: Scaling
    weights: dict
    transform: CodeTransform
    bounds: Bounds
    components: np.ndarray | None = None

    @classmethod
    def plain(cls, spec: NetworkSpec, scaling: Scaling, weights: dict) -> NetworkCodec:
        """Return a codec with the network's own codes, in the data's units."""
        transform = CodeTransform.identity(spec.n_components, _unit(spec, scaling))
        bounds = Bounds.none(spec.n_components, spec.n_features)
        return cls(spec, scaling, weights, transform, bounds)

    def canonical(
        self,
        X,
        linear: LinearPath | None,
        *,
        rotate: bool,
        whiten: bool,
        seen: tuple[Box, Box] | None = None,
    ) -> tuple[NetworkCodec, CodeSummary]:
        """Return this codec with canonical codes on ``X``, and their summary.

        If a ``linear`` model is given, it continues the network beyond ``X`` and beyond
        the rows and codes ``seen`` before.
        """
        unit = _unit(self.spec, self.scaling)
        statistics, error, *boxes = reduced(X, self._sums, _merged_sums)
        seen = seen or self.nothing_seen()
        row_box, code_box = (
            one.merged(box) for one, box in zip(seen, boxes, strict=True)
        )
        transform, variances = CodeTransform.canonical(
            statistics, unit, rotate=rotate, whiten=whiten
        )
        bounds = self.bounds
        if linear is not None:
            projection, components = linear.encoder[0], linear.decoder[0]
            is_pca = np.array_equal(projection, components.T)
            bounds = Bounds(
                row_box.widened().in_units(self.scaling.scale, self.scaling.mean),
                code_box.widened().in_units(self.scaling.scale),
                components.astype(np.float32),
                None if is_pca else projection.astype(np.float32),
            )
        residual_variance = error / max(X.shape[0] - 1, 1)
        summary = CodeSummary(
            variances,
            explained(error, statistics.row_scatter),
            residual_variance,
            *statistics.mapped(transform),
        )
        return replace(self, transform=transform, bounds=bounds), summary

    def _sums(self, rows: np.ndarray) -> tuple[CodeStatistics, float, Box, Box]:
        """Return statistics of rows, their squared error, and boxes around them."""
        codes = self.encode(rows)
        residuals = np.subtract(rows, self.decode(codes), dtype=np.float64)
        nothing = CodeStatistics.zero(self.spec.n_components, self.spec.n_features)
        codes_of_network = codes / _unit(self.spec, self.scaling)
        of_rows, of_codes = self.nothing_seen()
        return (
            nothing.with_rows(codes_of_network, rows - self.scaling.mean),
            float(np.vdot(residuals, residuals)),
            of_rows.with_rows(rows),
            of_codes.with_rows(codes),
        )

    @property
    def principal_axes(self) -> np.ndarray | None:
        """Axes of PCA, if it continues the network."""
        bounds = self.bounds
        is_pca = bounds.projection is None and bounds.components.any()
        return bounds.components if is_pca else None

    @property
    def head(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel and bias that predict labels from the codes users see."""
        last = self.weights["decoder"][0][-2:]
        kernel, bias = (array.astype(np.float64) for array in last)
        transform = self.transform
        return transform.inverse @ kernel, transform.offset @ kernel + bias

    def nothing_seen(self) -> tuple[Box, Box]:
        """Return empty boxes for rows and for codes."""
        spec = self.spec
        return (
            Box.around_nothing(spec.n_features),
            Box.around_nothing(spec.n_components),
        )

    def evidence(self, X, noise: np.ndarray) -> np.ndarray:
        """Return a lower bound of each row's log-likelihood, in nats.

        The network is variational. The codes of every row are drawn with the standard
        normal ``noise``, of shape (n_draws, n_components).
        """
        compute = functools.partial(self._compiled.evidence, noise=noise)
        # One block size, so that the sums for a row do not depend on the other rows.
        found = _blockwise(compute, X, np.empty(X.shape[0]), MANY)
        # A density in other units has another value.
        return found - self.spec.n_features * np.log(self.scaling.scale)

    def divergences(self, X) -> np.ndarray:
        """Return each code's mean divergence from its prior over ``X``, in nats."""
        if isinstance(X, Collection):
            sums = X.reduced(lambda rows: self._divergences(rows).sum(axis=0), np.add)
            mean = sums / X.shape[0]
        else:
            mean = self._divergences(X).mean(axis=0)
        return mean @ (self.transform.matrix != 0)

    def _divergences(self, X) -> np.ndarray:
        found = np.empty((X.shape[0], self.spec.n_components))
        return _blockwise(self._compiled.divergences, X, found, MANY)

    def encode(self, X) -> np.ndarray:
        """Return the codes of rows. They are not finite where a row is not."""
        codes = np.empty((X.shape[0], self.spec.n_components), X.dtype)
        inference = self._inference(len(codes))
        size = inference.block_rows(*X.shape)
        return _blockwise(inference.encode, X, codes, size)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of codes."""
        X = np.empty((len(codes), self.spec.n_features), codes.dtype)
        inference = self._inference(len(codes))

        def decode(blocks):
            return map(self.scaling.invert, inference.decode(blocks))

        return _blockwise(decode, codes, X, inference.block_rows(*X.shape))

    def keras_encoder(self) -> Any:
        """Return the encoder as a Keras model."""
        from ._export import export_encoder

        return export_encoder(*self._parts)

    def keras_decoder(self) -> Any:
        """Return the decoder as a Keras model."""
        from ._export import export_decoder

        return export_decoder(*self._parts)

    def __getstate__(self) -> dict:
        # Cached functions of the arrays are not part of the codec.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _inference(self, n_rows: int) -> Any:
        """Return what computes so many rows."""
        if n_rows <= PRECISE_ROWS and self.spec.has_numpy_forward_of_few:
            return self._precise
        return self._fast if self.spec.has_numpy_forward else self._compiled

    @functools.cached_property
    def _precise(self) -> NumpyInference:
        return NumpyInference(*self._parts, precise=True)

    @functools.cached_property
    def _fast(self) -> NumpyInference:
        return NumpyInference(*self._parts, precise=False)

    @functools.cached_property
    def _compiled(self) -> Any:
        from ._compiled_inference import CompiledInference

        return CompiledInference(*self._parts)

    @property
    def _parts(self) -> tuple:
        return self.spec, self.scaling, self.weights, self.transform, self.bounds


def _merged_sums(one: tuple, other: tuple) -> tuple:
    return (
        one[0].merged(other[0]),
        one[1] + other[1],
        one[2].merged(other[2]),
        one[3].merged(other[3]),
    )


def _blockwise(compute, values, out: np.ndarray, size: int) -> np.ndarray:
    """Fill ``out`` with what is computed of blocks of ``values``."""
    parts = list(slices(len(out), size))
    blocks = (filled(dense(values[part]), size) for part in parts)
    for part, block in zip(parts, compute(blocks), strict=True):
        out[part] = block[: part.stop - part.start]
    return out


def _unit(spec: NetworkSpec, scaling: Scaling) -> float:
    """Return one unit of the network's codes. Variational codes have no unit."""
    return scaling.scale if spec.likelihood is None else 1.0
