"""The linear model of each task: where training starts, and what it must beat."""

from ._component_search import searched
from ._covariates import PrincipalCovariates
from ._discriminant import discriminant
from ._linear_path import LinearPath
from ._patterns import Patterns
from ._principal_axes import PrincipalAxes
from ._probabilistic_pca import ProbabilisticPCA, fitted
from ._running_sums import RunningSums

__all__ = [
    "LinearPath",
    "Patterns",
    "PrincipalAxes",
    "PrincipalCovariates",
    "ProbabilisticPCA",
    "RunningSums",
    "discriminant",
    "fitted",
    "searched",
]
