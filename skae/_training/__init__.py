"""The training engine: the only floor that knows which backend runs."""

from ._inference import CompiledInference
from ._programs import inference_program, training_program
from ._recipe import Recipe
from ._selection import improves_on, is_gain
from ._train import EpochReport, TrainingResult, train, train_once

__all__ = [
    "CompiledInference",
    "EpochReport",
    "Recipe",
    "TrainingResult",
    "improves_on",
    "inference_program",
    "is_gain",
    "train",
    "train_once",
    "training_program",
]
