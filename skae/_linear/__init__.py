"""The linear model of each task: where training starts, and what it must beat."""

from ._covariates import PrincipalCovariates
from ._model import LinearModel, LinearWeights
from ._pca import fit_incomplete_pca, fit_pca, of_fitted_pca
from ._probabilistic_pca import (
    Patterns,
    ProbabilisticPCA,
    fit_ppca,
    hide_values,
    select_ppca,
)
