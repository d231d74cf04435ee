"""From a spec to Keras models: one file per family."""

from ._build import Networks, build_networks
from ._dense import LINEAR
from ._export import (
    affine_decoder,
    affine_encoder,
    export_decoder,
    export_encoder,
)
from ._identifiers import check_identifiers
from ._units import Units

__all__ = [
    "LINEAR",
    "Networks",
    "Units",
    "affine_decoder",
    "affine_encoder",
    "build_networks",
    "check_identifiers",
    "export_decoder",
    "export_encoder",
]
