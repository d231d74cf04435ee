"""What a fitted estimator is: from rows to codes and back, as plain arrays."""

from ._bounds import TINY, Bounds, Box
from ._code_transform import CodeStatistics, CodeTransform
from ._codec import Codec, explained, scatter, squared_errors
from ._density import Gaussian, draw_from
from ._export import TrainingModel
from ._fitted import FittedModel
from ._linear_codec import LinearCodec
from ._network_codec import NetworkCodec

__all__ = [
    "TINY",
    "Bounds",
    "Box",
    "CodeStatistics",
    "CodeTransform",
    "Codec",
    "FittedModel",
    "Gaussian",
    "LinearCodec",
    "NetworkCodec",
    "TrainingModel",
    "draw_from",
    "explained",
    "scatter",
    "squared_errors",
]
