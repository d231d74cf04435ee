"""The phases of a training, and whether training is worth its time."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .._data import BLOCK_BYTES, Resident, Scaling
from .._linear import PrincipalAxes
from .._networks import WeightScales
from ._config import TrainingConfig
from ._data import TrainingData
from ._schedule import Schedule

_NEGLIGIBLE = 1e-7
"""Where PCA leaves a smaller share of the variance, it is kept. Float32 does not tell
such a share from none."""

_FEW_VALUES = 100_000
"""Up to so many values, rows times features, there is a second phase."""

_FEW_PER_FEATURE = 10
"""Up to so many rows for each feature there is one too, if the rows fit in a block."""


class Phase(NamedTuple):
    """Epochs with one aim.

    Parameters
    ----------
    data : TrainingData
        What to train on.

    schedule : Schedule
        How long and how fast.
    """

    data: TrainingData
    schedule: Schedule


def phases(
    config: TrainingConfig, data: TrainingData, scales: WeightScales
) -> list[Phase]:
    """Return the phases of a training.

    First the whole network trains. On small or wide data a second phase freezes the
    decoder and trains the encoder on augmented rows. Few rows teach a decoder more than
    an encoder. But once the decoder is given, every row has a best code, and so the
    encoder can learn from rows that were never observed.

    There is no second phase for a network that restores damaged rows or is variational,
    or that keeps statistics of batches: these would be those of augmented rows.
    """
    schedule = _schedule(config, data, scales)
    encodes = not config.restores and not config.objective.is_likelihood
    few = data.split.holds_out and _are_few(data.split.n_rows, config.spec.n_features)
    few = few and isinstance(data.feed, Resident)
    if not few or not encodes or config.engine.mixes_rows:
        return [Phase(data, schedule)]
    first, last = schedule.in_two_phases()
    return [Phase(data, first), Phase(data.for_encoder(), last)]


def weight_scales(
    config: TrainingConfig, axes: PrincipalAxes | None, scaling: Scaling
) -> WeightScales:
    """Return what the weights of a network are rescaled by.

    They are not rescaled if there is more to do than reconstruct: then PCA's error does
    not say how much there is to gain.
    """
    if axes is None:
        return WeightScales(1.0)
    if not (config.spec.has_weight_scales and config.only_reconstructs):
        return WeightScales(axes.unexplained)
    variances = axes.explained_variance / scaling.scale**2
    return WeightScales.of(axes.components, variances, axes.unexplained)


def _schedule(
    config: TrainingConfig, data: TrainingData, scales: WeightScales
) -> Schedule:
    """Return how long to train: not at all where PCA cannot be improved on.

    Nor is there training on so few rows that progress cannot be told from luck, or
    where PCA leaves not much more than rounding errors.
    """
    rescaled = scales.rows is not None
    schedule = Schedule.of(config.parameters, config.optimizer, rescaled)
    undecidable = (
        config.spec.linear_path
        and config.parameters["early_stopping"]
        and not data.split.holds_out
    )
    exact = config.only_reconstructs and scales.unexplained < _NEGLIGIBLE
    if undecidable or exact or config.has_closed_form:
        return replace(schedule, max_iter=0)
    return schedule


def _are_few(n_rows: int, n_features: int) -> bool:
    """Say whether an encoder that trained on these rows can learn more from others."""
    n_values = n_rows * n_features
    fit = n_values * np.float32().itemsize <= BLOCK_BYTES
    return n_values <= _FEW_VALUES or (fit and n_rows <= _FEW_PER_FEATURE * n_features)
