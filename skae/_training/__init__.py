"""Training: phases, epochs, early stopping and selection. No backend is known here."""

from ._problem import History, Problem
from ._projection import RowSpace
from ._schedule import Progress, Schedule, first_rate
from ._selection import (
    Comparison,
    compare_with_baseline,
    is_gain,
    is_mean_gain,
    select,
)
from ._trainer import (
    EpochReport,
    Phase,
    Start,
    Trainer,
    TrainingData,
    TrainingResult,
    phases,
    thread_map,
    train,
    train_once,
)
