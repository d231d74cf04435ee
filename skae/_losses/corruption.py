"""Damage done to rows in training, which the network learns to repair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .. import _keras as keras
from .._data import Batch, Scaling, chunks, dense
from .._networks import NetworkSpec
from ._objective import DataSummary, Draw, Term


class CorruptionCoefficients(NamedTuple):
    """Coefficients of a corruption.

    Parameters
    ----------
    level : float
        How much is damaged.

    zero : ndarray of shape (n_features,)
        The data's zero, in the network's units.

    scale : float
        One unit of the network in the data's units.

    low, high : float
        The smallest and the largest training value, in the network's units.
    """

    level: Any
    zero: Any
    scale: Any
    low: Any = np.float32(0)
    high: Any = np.float32(0)


def _gaussian(rows, noise, coefficients, image_shape):
    return rows + coefficients.level * noise


def _masking(rows, noise, coefficients, image_shape):
    return keras.ops.where(noise < coefficients.level, coefficients.zero, rows)


def _salt_and_pepper(rows, noise, coefficients, image_shape):
    salted = keras.ops.where(noise < coefficients.level, coefficients.high, rows)
    return keras.ops.where(noise < coefficients.level / 2, coefficients.low, salted)


def _blocks(rows, noise, coefficients, image_shape):
    ops = keras.ops
    fraction = ops.sqrt(coefficients.level)
    hit = [_interval(noise[:, i, None], fraction, image_shape[i]) for i in (0, 1)]
    block = hit[0][:, :, None, None] & hit[1][:, None, :, None]
    images = ops.reshape(rows, (-1, *image_shape))
    zero = ops.reshape(coefficients.zero, image_shape)
    return ops.reshape(ops.where(block, zero, images), (-1, rows.shape[1]))


def _interval(noise, fraction, size: int):
    """Say which pixels along a side lie in a block at a random place."""
    ops = keras.ops
    length = ops.round(fraction * size)
    start = ops.floor(noise * (size - length + 1))
    places = ops.arange(size, dtype="float32")
    return (places >= start) & (places < start + length)


KINDS: dict[str, tuple[str, Callable]] = {
    "gaussian": ("normal", _gaussian),
    "masking": ("uniform", _masking),
    "salt_and_pepper": ("uniform", _salt_and_pepper),
    "blocks": ("uniform", _blocks),
}
"""For each kind of corruption the kind of noise, and what it does with the noise."""


@dataclass(frozen=True)
class Corruption(Term):
    """A kind of damage.

    Parameters
    ----------
    kind : str or callable
        A key of ``KINDS``, or a function of rows in the data's units and uniform noise
        of their shape.

    image_shape : tuple of int or None
        Height, width and channels, where the corruption needs them.
    """

    kind: str | Callable
    image_shape: tuple[int, int, int] | None = None

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "corruption": [
            StrOptions({"gaussian", "masking", "salt_and_pepper", "blocks"}),
            callable,
            None,
        ],
        "corruption_level": [Interval(Real, 0, None, closed="left")],
    }

    role = "corruption"

    @classmethod
    def of(cls, parameters: dict[str, Any], spec: NetworkSpec) -> Corruption | None:
        """Return the corruption of the parameters, if there is one."""
        kind = parameters["corruption"]
        if kind is None:
            return None
        return cls(kind, spec.image_shape if kind == "blocks" else None)

    @classmethod
    def check(cls, parameters: dict[str, Any]) -> None:
        """Raise ``ValueError`` where the kind and other parameters do not fit."""
        kind, level = parameters["corruption"], parameters["corruption_level"]
        if kind in ("masking", "salt_and_pepper", "blocks") and level > 1:
            raise ValueError(
                f"corruption_level={level} must be at most 1 with corruption={kind!r}: "
                "it is a fraction of the features."
            )
        if kind == "blocks" and parameters["image_shape"] is None:
            raise ValueError(
                "corruption='blocks' sets a rectangle of an image to 0 and needs "
                "image_shape. Got image_shape=None."
            )

    @classmethod
    def check_rows(cls, parameters: dict[str, Any], X: Any, name: str) -> None:
        """Raise ``ValueError`` if a function of the user does not return rows."""
        damage = parameters["corruption"]
        if not callable(damage):
            return
        called = getattr(damage, "__name__", repr(damage))
        shape = 3 if X.shape[1] != 3 else 2, X.shape[1]
        rows, noise = keras.ops.zeros(shape), keras.ops.full(shape, 0.5)
        try:
            found = damage(rows, noise)
        # The user's code may raise anything.
        except Exception as error:
            raise ValueError(
                f"corruption={called} cannot be called with rows and noise of shape "
                f"{shape}: {error}"
            ) from error
        found_shape = tuple(getattr(found, "shape", ()))
        if not keras.ops.is_tensor(found) or found_shape != shape:
            raise ValueError(
                f"corruption={called} must return damaged rows as a tensor, computed "
                f"with keras.ops. For rows of shape {shape} it returned "
                f"{type(found).__name__} of shape {found_shape}."
            )

    def coefficients(self, parameters: dict[str, Any], data: DataSummary) -> Any:
        """Return the level and what the data say."""
        scaling = data.scaling
        found = CorruptionCoefficients(
            np.float32(parameters["corruption_level"]),
            scaling.apply(np.zeros_like(scaling.mean)),
            np.float32(scaling.scale),
        )
        if self.kind != "salt_and_pepper":
            return found
        low, high = _extremes(data.rows, scaling)
        return found._replace(low=low, high=high)

    def corrupt(
        self, rows: Any, draw: Draw, coefficients: CorruptionCoefficients
    ) -> Any:
        """Return damaged rows."""
        if callable(self.kind):
            zero, scale = coefficients.zero, coefficients.scale
            noise = draw("uniform", rows.shape)
            return self.kind((rows - zero) * scale, noise) / scale + zero
        noise_kind, damage = KINDS[self.kind]
        noise = draw(noise_kind, rows.shape)
        return damage(rows, noise, coefficients, self.image_shape)


def _extremes(X: Batch, scaling: Scaling) -> tuple[np.float32, np.float32]:
    """Return the smallest and the largest value of inputs and targets."""
    extremes = []
    for part in (X.input, X.output):
        if part is None:
            continue
        # Rows of Dask know theirs.
        values = getattr(part, "extremes", part)
        for some in chunks(values):
            rows = scaling.apply_for_training(dense(values[some]))
            extremes.append((rows.min(), rows.max()))
    lows, highs = np.transpose(extremes)
    return lows.min(), highs.max()
