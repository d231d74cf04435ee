"""Displays of fitted autoencoders, in the conventions of scikit-learn."""

from ._counterfactual import CounterfactualDisplay
from ._encoder_jacobian import EncoderJacobianDisplay
from ._fitted_curves import ExplainedVarianceDisplay, TrainingCurveDisplay
from ._latent_space import LatentSpaceDisplay
from ._latent_traversal import LatentTraversalDisplay
from ._reconstruction import ReconstructionDisplay

__all__ = [
    "CounterfactualDisplay",
    "EncoderJacobianDisplay",
    "ExplainedVarianceDisplay",
    "LatentSpaceDisplay",
    "LatentTraversalDisplay",
    "ReconstructionDisplay",
    "TrainingCurveDisplay",
]
