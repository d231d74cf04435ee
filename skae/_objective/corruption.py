"""Damage done to rows in training, which the network learns to repair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .. import _keras as keras
from .._data import Batch, Parted, Scaling, chunks, dense
from .._networks import NetworkSpec
from ._label_statistics import LabelStatistics
from ._term import Draw, Term


class CorruptionNumbers(NamedTuple):
    """Numbers of a corruption.

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


def _gaussian(rows, noise, numbers, image_shape):
    return rows + numbers.level * noise


def _masking(rows, noise, numbers, image_shape):
    return keras.ops.where(noise < numbers.level, numbers.zero, rows)


def _salt_and_pepper(rows, noise, numbers, image_shape):
    salted = keras.ops.where(noise < numbers.level, numbers.high, rows)
    return keras.ops.where(noise < numbers.level / 2, numbers.low, salted)


def _blocks(rows, noise, numbers, image_shape):
    ops = keras.ops
    share = ops.sqrt(numbers.level)
    hit = [_interval(noise[:, axis, None], share, image_shape[axis]) for axis in (0, 1)]
    block = hit[0][:, :, None, None] & hit[1][:, None, :, None]
    images = ops.reshape(rows, (-1, *image_shape))
    zero = ops.reshape(numbers.zero, image_shape)
    return ops.reshape(ops.where(block, zero, images), (-1, rows.shape[1]))


def _interval(noise, share, size: int):
    """Say which pixels along a side lie in a block at a random place."""
    ops = keras.ops
    length = ops.round(share * size)
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
            StrOptions({"gaussian", "masking", "salt_and_pepper"}),
            callable,
            None,
        ],
        "corruption_level": [Interval(Real, 0, None, closed="left")],
    }

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Corruption | None:
        """Return the corruption of the parameters, if there is one."""
        kind = parameters["corruption"]
        return None if kind is None else cls(kind)

    def on(self, spec: NetworkSpec) -> Corruption:
        """Return the corruption for a network, whose rows may be images."""
        if self.kind != "blocks":
            return self
        return replace(self, image_shape=spec.image_shape)

    @classmethod
    def check(cls, parameters: dict[str, Any]) -> None:
        """Raise ``ValueError`` where the level is no share but has to be one."""
        kind, level = parameters["corruption"], parameters["corruption_level"]
        if kind in ("masking", "salt_and_pepper", "blocks") and level > 1:
            raise ValueError(
                f"corruption_level={level} must be at most 1 with corruption={kind!r}: "
                "it is a share of the features."
            )

    @property
    def changes_rows(self) -> bool:
        """Whether the network sees something else than it should return."""
        return True

    def numbers(
        self,
        parameters: dict[str, Any],
        X: Batch,
        scaling: Scaling,
        unexplained: float,
        labels: LabelStatistics | None = None,
    ) -> Any:
        """Return the level and what the data say."""
        numbers = CorruptionNumbers(
            np.float32(parameters["corruption_level"]),
            scaling.apply(np.zeros_like(scaling.mean)),
            np.float32(scaling.scale),
        )
        if self.kind != "salt_and_pepper":
            return numbers
        low, high = _extremes(X, scaling)
        return numbers._replace(low=low, high=high)

    def shown(self, rows: Any, draw: Draw, numbers: CorruptionNumbers) -> Any:
        """Return damaged rows."""
        if callable(self.kind):
            zero, scale = numbers.zero, numbers.scale
            noise = draw("uniform", rows.shape)
            return self.kind((rows - zero) * scale, noise) / scale + zero
        noise_kind, damage = KINDS[self.kind]
        return damage(rows, draw(noise_kind, rows.shape), numbers, self.image_shape)


def _extremes(X: Batch, scaling: Scaling) -> tuple[np.float32, np.float32]:
    """Return the smallest and the largest value of inputs and targets."""
    scaled = (
        scaling.apply_for_training(dense(part[rows]))
        for part in (
            X.input.collection.extremes if isinstance(X.input, Parted) else X.input,
            X.target,
        )
        if part is not None
        for rows in chunks(part)
    )
    extremes = np.array([(rows.min(), rows.max()) for rows in scaled])
    return extremes[:, 0].min(), extremes[:, 1].max()
