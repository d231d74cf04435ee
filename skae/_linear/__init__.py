"""The linear model of each task: where training starts, and what it must beat."""

from ._covariates import PrincipalCovariates
from ._discriminant import discriminant
from ._linear_path import LinearPath
from ._principal_axes import PrincipalAxes
from ._running_sums import RunningSums

__all__ = [
    "LinearPath",
    "PrincipalAxes",
    "PrincipalCovariates",
    "RunningSums",
    "discriminant",
]
