"""What a fitted network is: from rows to codes and back, as plain arrays."""

from ._codes import CodeStatistics, CodeTransform, Gaussian, draw_from
from ._forward import (
    PRECISE_ROWS,
    Box,
    DenseForward,
    InferenceParts,
    NumpyInference,
    blend,
)
from ._keras_export import keras_decoder, keras_encoder
from ._model import NetworkModel, explained, squared_errors
