"""How long and how fast to train: plain numbers, no state."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

_ENCODER_RATE = 2.0
"""Peak rate of an encoder that trains alone, in those of the whole network."""


@dataclass(frozen=True)
class Schedule:
    """When training steps, how far, and when it stops.

    Parameters
    ----------
    max_iter : int
        Most epochs.

    learning_rate : float
        Rate of the first step.

    decays : bool
        Whether the rate falls along half a cosine (Loshchilov & Hutter 2017), to zero
        at the last step of epoch ``max_iter``.

    tol : float
        Smallest relative improvement of the monitored loss that counts as one.

    n_iter_no_change : int
        Epochs without an improvement after which training stops.
    """

    max_iter: int
    learning_rate: float
    decays: bool
    tol: float
    n_iter_no_change: int

    def for_encoder(self) -> Schedule:
        """Return half as many epochs for the encoder alone: faster, if rates decay."""
        faster = _ENCODER_RATE if self.decays else 1.0
        return replace(
            self,
            max_iter=-(-self.max_iter // 2),
            learning_rate=faster * self.learning_rate,
        )

    def rates(self, epoch: int, n_batches: int) -> np.ndarray:
        """Return the learning rate of each batch of an epoch, as float32."""
        if not self.decays:
            return np.full(n_batches, self.learning_rate, np.float32)
        done = (epoch + np.arange(n_batches) / n_batches) / self.max_iter
        return (self.learning_rate * 0.5 * (1 + np.cos(np.pi * done))).astype(
            np.float32
        )
