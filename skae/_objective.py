"""What training minimises, as pure functions over ``keras.ops``."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ._backend import keras
from ._likelihood import divergences, draw_codes, negative_log_likelihood

ops = keras.ops

NUDGE = 0.01
"""Of the root of the mean variance: small beside the data, large beside rounding."""

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

    scale : float
        One unit of the network in the data's units.

    low, high : float
        The smallest and the largest training value, in the network's units.

    beta : float
        Weight of the divergence of a variational autoencoder's codes.

    contraction : float
        Weight of the penalty on how far reconstructions move with their rows.

    decoder : float
        Share of its gradient that the decoder follows: 0 where the encoder trains
        alone.

    left : float
        What the root of the loss is measured by.

    units : list of ndarray or None
        What each weight is measured by, to be broadcast; None for one.
    """

    alpha: Any
    sparsity: Any
    corruption_level: Any
    zero: Any
    scale: Any
    low: Any
    high: Any
    beta: Any = 1.0
    contraction: Any = 0.0
    decoder: Any = 1.0
    left: Any = 1.0
    units: Any = None


def _gaussian(rows, noise, strengths, image_shape):
    return rows + strengths.corruption_level * noise


def _masking(rows, noise, strengths, image_shape):
    return ops.where(noise < strengths.corruption_level, strengths.zero, rows)


def _salt_and_pepper(rows, noise, strengths, image_shape):
    level = strengths.corruption_level
    salted = ops.where(noise < level, strengths.high, rows)
    return ops.where(noise < level / 2, strengths.low, salted)


def _blocks(rows, noise, strengths, image_shape):
    share = ops.sqrt(strengths.corruption_level)
    hit = [_stretch(noise[:, axis, None], share, image_shape[axis]) for axis in (0, 1)]
    block = hit[0][:, :, None, None] & hit[1][:, None, :, None]
    images = ops.reshape(rows, (-1, *image_shape))
    zero = ops.reshape(strengths.zero, image_shape)
    return ops.reshape(ops.where(block, zero, images), (-1, rows.shape[1]))


def _stretch(noise, share, size: int):
    """Say which pixels along a side lie in a block at a random place."""
    length = ops.round(share * size)
    start = ops.floor(noise * (size - length + 1))
    places = ops.arange(size, dtype="float32")
    return (places >= start) & (places < start + length)


CORRUPTIONS: dict[str, tuple[str, Callable]] = {
    "gaussian": ("normal", _gaussian),
    "masking": ("uniform", _masking),
    "salt_and_pepper": ("uniform", _salt_and_pepper),
    "blocks": ("uniform", _blocks),
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

    corruption : str, callable or None
        A key of ``CORRUPTIONS``, or a function of rows in the data's units and uniform
        noise of their shape.

    paired : bool
        Whether every row holds what the network sees and then what it should return.

    image_shape : tuple of int or None
        Height, width and channels, where corruption asks for them.

    likelihood : {"gaussian", "bernoulli"} or None
        In place of the loss, of a variational autoencoder.

    sparsifies, contracts : bool
        Whether there is a penalty on spread codes, and a contractive one, which asks
        for a second forward pass.
    """

    loss: Any = field(compare=False)
    key: Any
    corruption: str | Callable | None
    paired: bool = False
    image_shape: tuple[int, int, int] | None = None
    likelihood: str | None = None
    sparsifies: bool = False
    contracts: bool = False

    @classmethod
    def of(
        cls,
        loss: Any,
        corruption: Any,
        paired: bool = False,
        sparsifies: bool = False,
        contracts: bool = False,
    ) -> Objective:
        """Return the objective of a Keras identifier or instance."""
        if isinstance(loss, dict):
            loss = keras.losses.get(loss)
        return cls(
            loss,
            _key(loss),
            corruption,
            paired,
            sparsifies=sparsifies,
            contracts=contracts,
        )

    def on(self, image_shape: tuple[int, int, int] | None) -> Objective:
        """Return the objective for rows that are images of a shape."""
        if self.corruption != "blocks":
            return self
        return replace(self, image_shape=image_shape)

    @classmethod
    def variational(cls, likelihood: str, paired: bool = False) -> Objective:
        """Return the evidence lower bound as an objective."""
        return cls(None, None, None, paired, likelihood=likelihood)

    @property
    def restores(self) -> bool:
        """Whether the network sees something else than it should return."""
        return self.paired or self.corruption is not None

    @property
    def only_reconstructs(self) -> bool:
        """Whether all that counts is how near a row its own reconstruction is."""
        penalised = self.sparsifies or self.contracts
        return not self.restores and not penalised and self.likelihood is None

    @property
    def is_squared_error(self) -> bool:
        """Whether PCA already minimises it among the linear autoencoders."""
        if self.likelihood is not None:
            return False
        loss = keras.losses.get(self.loss)
        return not self.restores and (
            loss is keras.losses.mean_squared_error
            or type(loss) is keras.losses.MeanSquaredError
        )

    @property
    def noise(self) -> str | None:
        """Kind of noise that ``corrupt`` wants: "normal", "uniform" or None."""
        if callable(self.corruption):
            return "uniform"
        return CORRUPTIONS[self.corruption][0] if self.corruption else None

    def seen_and_wanted(self, rows):
        """Return what the network is shown of rows, and what it should return."""
        return ops.split(rows, 2, axis=1) if self.paired else (rows, rows)

    def corrupt(self, rows, noise, strengths: Strengths):
        """Return damaged rows; the network has to return the whole ones."""
        if self.corruption is None:
            return rows
        if callable(self.corruption):
            zero, scale = strengths.zero, strengths.scale
            return self.corruption((rows - zero) * scale, noise) / scale + zero
        damage = CORRUPTIONS[self.corruption][1]
        return damage(rows, noise, strengths, self.image_shape)

    def codes(self, encoded, noise):
        """Return the codes to decode: drawn, where the encoder returns a posterior."""
        return encoded if self.likelihood is None else draw_codes(encoded, noise)

    def row_losses(self, rows, encoded, decoded, strengths: Strengths):
        r"""Return each row's loss.

        Of a variational autoencoder it is minus the evidence lower bound, with the
        divergence weighted, for each feature. Else it is

        .. math::
            \ell(x, \hat x) + \mathrm{sparsity} \cdot
            \frac{\lVert z \rVert_1}{\sqrt{k} \, \lVert z \rVert_2}

        The second term is Hoyer's (2004) measure of how evenly a code is spread. Unlike
        the L1 norm alone, it cannot be lowered by making the codes small and the
        decoder large.
        """
        if self.likelihood is not None:
            surprise = negative_log_likelihood(self.likelihood, rows, decoded)
            divergence = ops.sum(divergences(encoded), axis=-1)
            return surprise + strengths.beta * divergence / rows.shape[-1]
        loss = keras.losses.get(self.loss)
        # An instance reduces over rows when called; `call` is what it does to each.
        each = loss.call if isinstance(loss, keras.losses.Loss) else loss
        losses = each(rows, decoded)
        if self.sparsifies:
            squares = ops.mean(ops.square(encoded), axis=-1)
            spread = ops.mean(ops.abs(encoded), axis=-1) * ops.rsqrt(squares + _TINY)
            losses = losses + strengths.sparsity * spread
        return losses


def stretch(before, after):
    r"""Return how far each reconstruction moved with its row, squared.

    Of a row moved by ``NUDGE`` times standard normal noise it is an estimate of
    :math:`\lVert J \rVert_F^2 / d`, where :math:`J` is the Jacobian of the
    reconstruction (Alain & Bengio 2014): PCA's is :math:`k / d`. Unlike the encoder's
    Jacobian alone (Rifai et al. 2011), it cannot be lowered by making the codes small
    and the decoder large.
    """
    return ops.mean(ops.square((after - before) / NUDGE), axis=-1)


def _key(loss: Any) -> Any:
    if not isinstance(loss, keras.losses.Loss):
        return loss
    # Not `get_config`: that of some Keras losses leaves their arguments out.
    state = {name: value for name, value in vars(loss).items() if name != "name"}
    try:
        return type(loss), pickle.dumps(state)
    except (AttributeError, TypeError, pickle.PicklingError):
        return loss
