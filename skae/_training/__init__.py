"""Training: phases, epochs, early stopping and selection. No backend is known here."""

from ._config import TrainingConfig
from ._data import TrainingData
from ._loop import EpochReport, TrainingResult, train, train_once
from ._phases import Phase, phases, weight_scales
from ._progress_line import ProgressLine, ending, name_of_start
from ._run import TrainingRun
from ._schedule import Schedule
from ._selection import Comparison, compared, is_gain, is_mean_gain
from ._space import TrainingSpace
from ._threads import thread_map

__all__ = [
    "Comparison",
    "EpochReport",
    "Phase",
    "ProgressLine",
    "Schedule",
    "TrainingConfig",
    "TrainingData",
    "TrainingResult",
    "TrainingRun",
    "TrainingSpace",
    "compared",
    "ending",
    "is_gain",
    "is_mean_gain",
    "name_of_start",
    "phases",
    "thread_map",
    "train",
    "train_once",
    "weight_scales",
]
