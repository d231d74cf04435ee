"""What to train on and by which numbers, gathered once for training and selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._objective import Strengths
from ._split import Split


@dataclass(frozen=True)
class Task:
    """Data and hyper-parameters of one fit.

    Parameters
    ----------
    rows : array of shape (at least n_samples, n_features), float32
        All rows, in the network's units, where the program wants them.

    split : Split
        Which of them train and which judge.

    strengths : Strengths
        Hyper-parameters of the objective.

    batch_size : int
        Rows in a batch.
    """

    rows: Any
    split: Split
    strengths: Strengths
    batch_size: int
