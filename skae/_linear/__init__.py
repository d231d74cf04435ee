"""The linear model of each task: where training starts, and what it must beat."""

from ._covariates import PrincipalCovariates
from ._linear_path import LinearPath
from ._principal_axes import PrincipalAxes

__all__ = ["LinearPath", "PrincipalAxes", "PrincipalCovariates"]
