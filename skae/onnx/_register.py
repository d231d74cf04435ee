"""Registration of the converters."""

from __future__ import annotations

from skl2onnx import update_registered_converter

from .._autoencoder import AutoencoderTransformer
from .._convolutional import ConvolutionalAutoencoderTransformer
from .._variational import VariationalAutoencoderTransformer
from ..impute import AutoencoderImputer
from ..outliers import AutoencoderOutlierDetector
from ._imputer import convert_imputer, imputer_shapes
from ._outliers import convert_detector, detector_shapes
from ._transformers import METHODS, convert_transformer, transformer_shapes

_TRANSFORMERS = (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)


def register() -> None:
    """Tell ``skl2onnx`` how to convert skae's estimators.

    Then ``skl2onnx.to_onnx`` takes them, alone and in pipelines. They have the option
    ``method``, see the example. A further call changes nothing.

    Read more in ``docs/shipping.md``.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderTransformer
    >>> from skae.onnx import register
    >>> from skl2onnx import to_onnx
    >>> X = np.arange(12, dtype=np.float32).reshape(4, 3) ** 2
    >>> autoencoder = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X)
    >>> register()
    >>> encoder = to_onnx(autoencoder, X[:1])
    >>> options = {id(autoencoder): {"method": "reconstruct"}}
    >>> restorer = to_onnx(autoencoder, X[:1], options=options)
    """
    for estimator in _TRANSFORMERS:
        update_registered_converter(
            estimator,
            f"Skae{estimator.__name__}",
            transformer_shapes,
            convert_transformer,
            options={"method": list(METHODS)},
        )
    update_registered_converter(
        AutoencoderOutlierDetector,
        "SkaeAutoencoderOutlierDetector",
        detector_shapes,
        convert_detector,
    )
    update_registered_converter(
        AutoencoderImputer, "SkaeAutoencoderImputer", imputer_shapes, convert_imputer
    )
