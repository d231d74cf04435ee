"""Networks: what they are, how Keras builds them, and where their weights start."""

from ._convolutional import ConvolutionalLayers
from ._custom import CustomLayers
from ._dense import DenseLayers
from ._dense_numpy import ACTIVATIONS
from ._identifiers import check_identifiers
from ._images import Convolution, checked_image_shape, convolutions
from ._initialization import initial_weights, with_linear_path
from ._networks import Networks, build_networks
from ._sizes import checked_sizes
from ._spec import Family, NetworkSpec, Path
from ._standard import StandardNetworks, standard_decoder, standard_encoder
from ._weight_scales import WeightScales

__all__ = [
    "ACTIVATIONS",
    "Convolution",
    "ConvolutionalLayers",
    "CustomLayers",
    "DenseLayers",
    "Family",
    "NetworkSpec",
    "Networks",
    "Path",
    "StandardNetworks",
    "WeightScales",
    "build_networks",
    "check_identifiers",
    "checked_image_shape",
    "checked_sizes",
    "convolutions",
    "initial_weights",
    "standard_decoder",
    "standard_encoder",
    "with_linear_path",
]
