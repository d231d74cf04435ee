"""A trained network: from rows to codes and back, in the data's units."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from .._data import DaskRows, Scaling, chunks, dense, reduce_rows, slices
from .._linear import LinearModel
from .._networks import NetworkSpec
from .._state import stored
from ._codes import CodeStatistics, CodeTransform
from ._compiled import FEW, MANY, CompiledInference
from ._forward import PRECISE_ROWS, Box, InferenceParts, NumpyInference

_STEP, _COARSE_STEP = 1e-4, 1e-2
"""Steps of differences in units of a code's deviation, in float64 and in float32."""


@stored("network model")
@dataclass(frozen=True)
class NetworkModel:
    """A trained network, with the same attributes and methods as a ``LinearModel``.

    It holds plain arrays and no Keras object. So a pickle is small, and any version of
    Keras and any backend may load it.

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

    row_box, code_box : Box
        The training range, in the network's units. The linear model continues the
        network beyond it.

    kind : {"network", "linear"}
        "linear" if the network computes a linear model.

    linear : LinearModel or None
        What continues it, and fills in missing values.

    components : ndarray of shape (n_components, n_features)
        Derivative of the decoder at the mean code, before whitening.

    explained_variance, explained_variance_ratio : ndarray of shape (n_components,)
        Variance of each code before whitening, and its part of the explained fraction.

    noise_variance : float
        Mean variance along the directions that the codes leave out.

    code_mean, code_covariance : ndarray of shape (n_components,) and square
        Of the training rows' codes.
    """

    spec: NetworkSpec
    scaling: Scaling
    weights: dict
    transform: CodeTransform
    row_box: Box
    code_box: Box
    kind: Literal["linear", "network"] = "network"
    linear: LinearModel | None = None
    components: Any = None
    explained_variance: Any = None
    explained_variance_ratio: Any = None
    noise_variance: float = 0.0
    code_mean: Any = None
    code_covariance: Any = None

    @classmethod
    def of_weights(
        cls,
        spec: NetworkSpec,
        scaling: Scaling,
        weights: dict,
        kind: Literal["linear", "network"] = "network",
    ) -> NetworkModel:
        """Return the network with its own codes, in the data's units."""
        unit = _unit(spec, scaling)
        transform = CodeTransform.identity(spec.n_components, unit)
        row_box = Box.without_bounds(spec.n_features)
        code_box = Box.without_bounds(spec.n_components)
        return cls(spec, scaling, weights, transform, row_box, code_box, kind)

    def with_canonical_codes(
        self,
        X: Any,
        linear: LinearModel | None,
        *,
        extrapolate: bool,
        rotate: bool,
        whiten: bool,
        earlier_range: tuple[Box, Box] | None = None,
    ) -> NetworkModel:
        """Return this network with canonical codes on ``X``.

        Parameters
        ----------
        X : {array, CSR matrix, DaskRows} of shape (n_rows, n_features)
            The training rows.

        linear : LinearModel or None
            Fills in missing values.

        extrapolate : bool
            Whether it also continues the network beyond the training range.

        rotate, whiten : bool
            Whether codes may be rotated, and whether they are whitened.

        earlier_range : tuple of Box or None
            Around earlier rows and their codes, with the network's own codes.
        """
        # Sum over the rows, and choose the codes that users see.
        statistics, error, *boxes = reduce_rows(X, self._sums, _merged_sums)
        unit = _unit(self.spec, self.scaling)
        transform, variances = CodeTransform.canonical(
            statistics, unit, rotate=rotate, whiten=whiten
        )
        mean, covariance = statistics.mapped(transform)
        n_left_out = min(X.shape) - len(variances)
        noise = error / max(X.shape[0] - 1, 1) / n_left_out if n_left_out > 0 else 0.0
        fractions = variances / (variances.sum() or 1.0)
        left = max(explained(error, statistics.row_scatter), 0.0)

        # Find the training range.
        row_box, code_box = self.row_box, self.code_box
        if extrapolate:
            for number, box in enumerate(earlier_range or ()):
                boxes[number] = boxes[number].merged(box)
            row_box = boxes[0].widened(self.scaling.scale, self.scaling.mean)
            code_box = boxes[1].widened(self.scaling.scale)

        # Differentiate the decoder at the mean code.
        model = replace(
            self,
            transform=transform,
            row_box=row_box,
            code_box=code_box,
            linear=None if linear is None else linear.as_stored(X.dtype, whiten=False),
            explained_variance=variances,
            explained_variance_ratio=left * fractions,
            noise_variance=noise,
            code_mean=mean,
            code_covariance=covariance,
        )
        jacobian = model._jacobian()
        if whiten:
            deviations = np.sqrt(variances)
            jacobian /= np.where(deviations > 0, deviations, 1.0)[:, None]
        return replace(model, components=jacobian.astype(X.dtype))

    @property
    def head(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Kernel and bias that predict labels from the codes users see."""
        if not self.spec.n_targets:
            return None
        last = self.weights["decoder"][0][-2:]
        kernel, bias = (array.astype(np.float64) for array in last)
        transform = self.transform
        return transform.inverse @ kernel, transform.offset @ kernel + bias

    def encode(self, X: Any) -> np.ndarray:
        """Return the codes of rows. They are not finite where a row is not."""
        codes = np.empty((X.shape[0], self.spec.n_components), X.dtype)
        inference = self._inference(len(codes))
        size = inference.block_rows(*X.shape)
        return _blockwise(inference.encode, X, codes, size)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the rows of codes."""
        X = np.empty((len(codes), self.spec.n_features), codes.dtype)
        inference = self._inference(len(codes))
        size = inference.block_rows(*X.shape)
        return _blockwise(inference.decode, codes, X, size, self.scaling.invert)

    def evidence(self, X: Any, noise: np.ndarray) -> np.ndarray:
        """Return a lower bound of each row's log-likelihood, in nats.

        The network is variational. The codes of every row are drawn with the standard
        normal ``noise``, of shape (n_draws, n_components).
        """
        compute = functools.partial(self._compiled.evidence, noise=noise)
        # One block size, so that the sums for a row do not depend on the other rows.
        found = _blockwise(compute, X, np.empty(X.shape[0]), MANY)
        # A density in other units has another value.
        return found - self.spec.n_features * np.log(self.scaling.scale)

    def divergences(self, X: Any) -> np.ndarray:
        """Return each code's mean divergence from its prior over ``X``, in nats."""
        if isinstance(X, DaskRows):
            sums = X.reduced(lambda rows: self._divergences(rows).sum(axis=0), np.add)
            mean = sums / X.shape[0]
        else:
            mean = self._divergences(X).mean(axis=0)
        return mean @ (self.transform.matrix != 0)

    def training_range(self, X: Any) -> tuple[Box, Box]:
        """Return the boxes around rows and their codes."""
        boxes: list[Box] = []
        for chunk in chunks(X):
            rows = dense(X[chunk])
            found = Box.of(rows), Box.of(self.encode(rows))
            boxes = [a.merged(b) for a, b in zip(boxes or found, found, strict=True)]
        return boxes[0], boxes[1]

    @property
    def parts(self) -> InferenceParts:
        """What encoding and decoding need."""
        spec, linear = self.spec, self.linear
        shape = spec.n_features, spec.n_components
        down, up = np.zeros(shape, np.float32), np.zeros(shape[::-1], np.float32)
        if linear is not None and self.row_box.is_bounded:
            up = linear.components.astype(np.float32)
            down = up.T
            if linear.projection is not None:
                down = linear.projection.astype(np.float32)
        return InferenceParts(
            spec,
            self.scaling,
            self.weights,
            self.transform,
            self.row_box,
            self.code_box,
            down,
            up,
        )

    def _sums(self, rows: np.ndarray) -> tuple[CodeStatistics, float, Box, Box]:
        """Return statistics of rows, their squared error, and boxes around them."""
        codes = self.encode(rows)
        residuals = np.subtract(rows, self.decode(codes), dtype=np.float64)
        codes_of_network = codes / _unit(self.spec, self.scaling)
        return (
            CodeStatistics.of(codes_of_network, rows - self.scaling.mean),
            float(np.vdot(residuals, residuals)),
            Box.of(rows),
            Box.of(codes),
        )

    def _jacobian(self) -> np.ndarray:
        """Return the derivative of the decoder at the mean code, by differences.

        A decoder sees codes in float32. So the steps are those between float32 numbers.
        """
        mean, variances = self.code_mean, np.diag(self.code_covariance)
        step = _STEP if self.spec.runs_in_numpy else _COARSE_STEP
        deviations = np.sqrt(np.maximum(variances, 0))
        largest = deviations.max(initial=0.0) or 1.0
        steps = np.diag(step * np.where(deviations > 0, deviations, largest))
        codes = (mean + np.concatenate([steps, -steps])).astype(np.float32)
        above, below = np.split(codes.astype(np.float64), 2)
        # Few rows in a call are decoded in float64, and very few need a further
        # program.
        n_asked = max(len(codes), FEW + 1)
        asked = np.resize(codes, (n_asked, len(mean))).astype(np.float64)
        parts = [self.decode(asked[part]) for part in slices(n_asked, PRECISE_ROWS)]
        rows_above, rows_below = np.split(np.concatenate(parts)[: len(codes)], 2)
        return (rows_above - rows_below) / np.diag(above - below)[:, None]

    def _divergences(self, X: Any) -> np.ndarray:
        found = np.empty((X.shape[0], self.spec.n_components))
        return _blockwise(self._compiled.divergences, X, found, MANY)

    def _inference(self, n_rows: int) -> Any:
        """Return what computes so many rows."""
        if not self.spec.runs_in_numpy:
            return self._compiled
        return self._precise if n_rows <= PRECISE_ROWS else self._fast

    @functools.cached_property
    def _precise(self) -> NumpyInference:
        return NumpyInference(self.parts, precise=True)

    @functools.cached_property
    def _fast(self) -> NumpyInference:
        return NumpyInference(self.parts, precise=False)

    @functools.cached_property
    def _compiled(self) -> CompiledInference:
        return CompiledInference(self.parts)

    def __getstate__(self) -> dict:
        # Cached functions of the arrays are not part of the model.
        return {field.name: getattr(self, field.name) for field in fields(self)}


def squared_errors(
    model: LinearModel | NetworkModel,
    X: Any,
    unit: float = 1.0,
    observed: np.ndarray | None = None,
    target: Any = None,
) -> np.ndarray:
    """Return the squared reconstruction error of each row, in squares of a unit.

    Values that are not ``observed`` do not count. Reconstructions are compared with the
    rows, or with those of ``target``.
    """
    target = X if target is None else target
    parts = []
    for chunk in chunks(X):
        restored = model.decode(model.encode(dense(X[chunk])))
        errors = np.subtract(dense(target[chunk]), restored, dtype=float) / unit
        if observed is not None:
            errors *= observed[chunk]
        parts.append(np.square(errors).sum(axis=1))
    return np.concatenate(parts)


def explained(error: float, total: float) -> float:
    """Return the fraction of a total that an error leaves out. 1 of nothing."""
    return float(1 - error / total) if total > 0 else float(error == 0)


def _merged_sums(one: tuple, other: tuple) -> tuple:
    return (
        one[0].merged(other[0]),
        one[1] + other[1],
        one[2].merged(other[2]),
        one[3].merged(other[3]),
    )


def _blockwise(compute, values, out: np.ndarray, size: int, finish=None) -> np.ndarray:
    """Fill ``out`` with what is computed of blocks of ``values``, and then finished."""
    start = 0
    for block in compute(_blocks(values, size)):
        stop = min(start + size, len(out))
        rows = block[: stop - start]
        out[start:stop] = rows if finish is None else finish(rows)
        start = stop
    return out


def _blocks(values: Any, size: int) -> Iterator[np.ndarray]:
    """Yield blocks of ``size`` rows. The last one is filled up."""
    for part in slices(values.shape[0], size):
        rows = dense(values[part])
        if len(rows) < size:
            block = np.empty((size, rows.shape[1]), rows.dtype)
            block[: len(rows)] = rows
            # The last row is repeated: this puts no further value beyond the range.
            block[len(rows) :] = rows[-1]
            rows = block
        yield rows


def _unit(spec: NetworkSpec, scaling: Scaling) -> float:
    """Return one unit of the network's codes. Variational codes have no unit."""
    return scaling.scale if spec.likelihood is None else 1.0
