"""The training engine: the only floor that knows which backend runs."""

from ._programs import inference_program, training_program
from ._recipe import Recipe
from ._selection import improves_on
from ._train import EpochReport, TrainingResult, train

__all__ = [
    "EpochReport",
    "Recipe",
    "TrainingResult",
    "improves_on",
    "inference_program",
    "train",
    "training_program",
]
