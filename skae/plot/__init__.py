"""Displays of fitted autoencoders, in the conventions of scikit-learn."""

from ._decision_walk import DecisionWalkDisplay
from ._encoder_derivative import EncoderDerivativeDisplay
from ._explained_variance import ExplainedVarianceDisplay
from ._latent_space import LatentSpaceDisplay
from ._latent_traversal import LatentTraversalDisplay
from ._reconstruction import ReconstructionDisplay
from ._training_curve import TrainingCurveDisplay

__all__ = [
    "DecisionWalkDisplay",
    "EncoderDerivativeDisplay",
    "ExplainedVarianceDisplay",
    "LatentSpaceDisplay",
    "LatentTraversalDisplay",
    "ReconstructionDisplay",
    "TrainingCurveDisplay",
]
