"""The data and the hyper-parameters of one fit, ready for an engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._data import (
    Batch,
    Block,
    FeatureSwaps,
    Feed,
    Parted,
    Resident,
    Scaling,
    Split,
    Windows,
    feed,
    shared_capacity,
)
from .._engines import Engine, HyperParameters
from .._networks import WeightScales
from .._objective import LabelStatistics
from .._objective.weight_penalty import WeightPenalty
from ._config import TrainingConfig

_NEW_ROWS = 4
"""New rows made of each known row, for an encoder that trains alone. They cost nothing,
and larger batches of them give more exact gradients."""


@dataclass(frozen=True)
class TrainingData:
    """What an engine gets in one fit.

    Parameters
    ----------
    feed : Feed
        All rows, on their way to the device.

    split : Split
        Which of them train and which are held out.

    hyper : HyperParameters
        Numbers of the objective.

    batch_size : int
        Rows in a batch.

    n_rows : int
        Rows in an epoch.
    """

    feed: Feed
    split: Split
    hyper: HyperParameters
    batch_size: int
    n_rows: int

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")]
    }

    @classmethod
    def of(
        cls,
        config: TrainingConfig,
        X: Batch,
        split: Split,
        scaling: Scaling,
        scales: WeightScales,
        labels: LabelStatistics | None = None,
    ) -> TrainingData:
        """Make rows ready for the device, and gather the numbers of the objective.

        If rows come in batches, ``labels`` are the statistics of all labels so far.
        """
        parameters, engine = config.parameters, config.engine
        unexplained = scales.unexplained
        batch_size = _batch_size(parameters["batch_size"], X.n_rows // split.n_copies)
        hyper = HyperParameters(
            config.objective.numbers(parameters, X, scaling, unexplained, labels),
            alpha=WeightPenalty.strength(parameters, scales),
            residual=np.float32(scales.residual),
            weight_scales=config.networks.weight_scales(scales),
        )
        if isinstance(X.input, Parted):
            rows: Feed = Windows.of(X.input, scaling, batch_size, engine.place)
        else:
            rows = feed(X, scaling, batch_size, split.n_models, engine.place)
        n_rows = len(split.train[-1]) // split.n_copies
        return cls(rows, split, hyper, batch_size, n_rows)

    def for_encoder(self) -> TrainingData:
        """Return the data of an encoder that trains alone, on augmented rows."""
        assert isinstance(self.feed, Resident)
        return replace(
            self,
            feed=FeatureSwaps(self.feed, _NEW_ROWS),
            hyper=self.hyper._replace(alpha=np.float32(0), decoder_rate=np.float32(0)),
            batch_size=_NEW_ROWS * self.batch_size,
            n_rows=_NEW_ROWS * self.n_rows,
        )

    @property
    def n_batches(self) -> int:
        """Number of steps in an epoch."""
        return -(-self.n_rows // self.batch_size)

    def shuffled_epoch(
        self, rows: Any, rng: np.random.RandomState
    ) -> tuple[np.uint32, Iterator[Block]]:
        """Return the seed of the noise and the blocks of a pass over some rows."""
        seed = rng.randint(2**32, dtype=np.uint32)
        return seed, self.feed.shuffled(rows, self.n_rows, rng)

    def row_losses(self, engine: Engine, weights: Any, rows: Any) -> np.ndarray:
        """Return the loss of each of the rows, given by their numbers."""
        if len(rows) == 0:
            return np.zeros(0)
        blocks = self.feed.in_order(rows)
        return np.concatenate(
            [self._block_losses(engine, weights, block) for block in blocks]
        )

    def mean_losses(self, engine: Engine, models: list) -> list[float]:
        """Return the mean loss of all rows for each of several weights, in one pass."""
        totals = np.zeros(len(models))
        for block in self.feed.in_order(self.split.all_rows):
            totals += [
                self._block_losses(engine, weights, block).sum() for weights in models
            ]
        return list(totals / self.split.n_rows)

    def _block_losses(self, engine: Engine, weights: Any, block: Block) -> np.ndarray:
        losses = np.asarray(engine.row_losses(weights, block, self.hyper))
        return losses.ravel()[: block.n_rows].astype(np.float64)


def _batch_size(wanted: int | str, n_samples: int) -> int:
    if not isinstance(wanted, str):
        # A larger batch would be filled up with rows that do not count.
        return min(wanted, shared_capacity(n_samples))
    # About 35 steps in an epoch. Powers of two let the folds share a program.
    return int(np.clip(2 ** np.round(np.log2(n_samples / 35)), 32, 512))
