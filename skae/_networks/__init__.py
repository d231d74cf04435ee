"""Networks: what they are, how Keras builds them, and where their weights start."""

from ._images import (
    IMAGE_CONSTRAINTS,
    checked_image_shape,
    convolutional_layers,
    convolutions,
)
from ._initialization import WeightScales, initial_weights, scales_of_weights
from ._keras_layers import (
    LIKELIHOOD,
    POSTERIOR,
    WITH_TARGETS,
    Networks,
    Variables,
    build_networks,
    share_variables,
)
from ._spec import (
    NUMPY_ACTIVATIONS,
    Convolution,
    ConvolutionalLayers,
    CustomLayers,
    DenseLayers,
    Layers,
    NetworkSpec,
    checked_sizes,
)
