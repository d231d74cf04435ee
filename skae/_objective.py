"""What training minimises, as pure functions over ``keras.ops``."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ._backend import keras

ops = keras.ops

_TINY = 1e-12
"""Keeps the gradient at a code of zeros finite."""


class Strengths(NamedTuple):
    """Hyper-parameters that change the objective but not the program.

    Parameters
    ----------
    alpha : float
        Weight of the L2 penalty on the kernels off the linear path.

    sparsity : float
        Weight of the penalty on codes that are spread over many components.

    corruption_level : float
        Strength of the corruption.

    zero : ndarray of shape (n_features,)
        The data's zero, in the network's units.

    low, high : float
        The smallest and the largest training value, in the network's units.
    """

    alpha: Any
    sparsity: Any
    corruption_level: Any
    zero: Any
    low: Any
    high: Any


def _gaussian(rows, noise, strengths):
    return rows + strengths.corruption_level * noise


def _masking(rows, noise, strengths):
    return ops.where(noise < strengths.corruption_level, strengths.zero, rows)


def _salt_and_pepper(rows, noise, strengths):
    level = strengths.corruption_level
    salted = ops.where(noise < level, strengths.high, rows)
    return ops.where(noise < level / 2, strengths.low, salted)


CORRUPTIONS: dict[str, tuple[str, Callable]] = {
    "gaussian": ("normal", _gaussian),
    "masking": ("uniform", _masking),
    "salt_and_pepper": ("uniform", _salt_and_pepper),
}
"""For each kind: the noise that it wants from the backend, and what it does with it."""


@dataclass(frozen=True)
class Objective:
    """A reconstruction loss and a kind of corruption.

    Parameters
    ----------
    loss : str, callable or keras.losses.Loss
        Keras identifier or instance.

    key : hashable
        What tells losses apart: equal copies of one instance share a program.

    corruption : str or None
        A key of ``CORRUPTIONS``.
    """

    loss: Any = field(compare=False)
    key: Any
    corruption: str | None

    @classmethod
    def of(cls, loss: Any, corruption: str | None) -> Objective:
        """Return the objective of a Keras identifier or instance."""
        if isinstance(loss, dict):
            loss = keras.losses.get(loss)
        return cls(loss, _key(loss), corruption)

    @property
    def is_squared_error(self) -> bool:
        """Whether PCA already minimises it among the linear autoencoders."""
        loss = keras.losses.get(self.loss)
        return self.corruption is None and (
            loss is keras.losses.mean_squared_error
            or type(loss) is keras.losses.MeanSquaredError
        )

    @property
    def noise(self) -> str | None:
        """Kind of noise that ``corrupt`` wants: "normal", "uniform" or None."""
        return CORRUPTIONS[self.corruption][0] if self.corruption else None

    def corrupt(self, rows, noise, strengths: Strengths):
        """Return damaged rows; the network has to return the whole ones."""
        if self.corruption is None:
            return rows
        return CORRUPTIONS[self.corruption][1](rows, noise, strengths)

    def row_losses(self, rows, codes, reconstructions, strengths: Strengths):
        r"""Return each row's loss.

        .. math::
            \ell(x, \hat x) + \mathrm{sparsity} \cdot
            \frac{\lVert z \rVert_1}{\sqrt{k} \, \lVert z \rVert_2}

        The second term is Hoyer's (2004) measure of how evenly a code is spread. Unlike
        the L1 norm alone, it cannot be lowered by making the codes small and the
        decoder large.
        """
        loss = keras.losses.get(self.loss)
        # An instance reduces over rows when called; `call` is what it does to each.
        each = loss.call if isinstance(loss, keras.losses.Loss) else loss
        squares = ops.mean(ops.square(codes), axis=-1)
        spread = ops.mean(ops.abs(codes), axis=-1) * ops.rsqrt(squares + _TINY)
        return each(rows, reconstructions) + strengths.sparsity * spread


def _key(loss: Any) -> Any:
    if not isinstance(loss, keras.losses.Loss):
        return loss
    # Not `get_config`: that of some Keras losses leaves their arguments out.
    state = {name: value for name, value in vars(loss).items() if name != "name"}
    try:
        return type(loss), pickle.dumps(state)
    except (AttributeError, TypeError, pickle.PicklingError):
        return loss


def weight_penalty(trainable: list, penalised: list[bool], alpha):
    r"""Return :math:`\frac{\alpha}{2} \sum_l \lVert W_l \rVert^2` over the kernels."""
    squares = [
        ops.sum(ops.square(value))
        for value, counts in zip(trainable, penalised, strict=True)
        if counts
    ]
    return 0.5 * alpha * sum(squares)
