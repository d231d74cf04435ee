"""How a training went, as users are told."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from ._training import EpochReport, TrainingResult


def course_attributes(course: TrainingResult | EpochReport) -> dict[str, Any]:
    """Return the fitted attributes that say how training went, by name."""
    return {
        "n_iter_": len(course.loss_curve),
        "n_iter_per_phase_": course.n_iter_per_phase,
        "loss_curve_": course.loss_curve,
        "validation_loss_curve_": course.validation_loss_curve,
        "start_loss_": course.start_loss,
        "best_loss_": course.best_loss,
    }


def warn_of_divergence(owner: str, result: TrainingResult) -> None:
    """Warn if training ended because the loss stopped being finite."""
    if result.stopped_by != "divergence":
        return
    warnings.warn(
        f"The loss of {owner} stopped being finite in iteration "
        f"{len(result.loss_curve)}; the best weights before that are kept. Try a "
        "smaller learning_rate.",
        ConvergenceWarning,
        stacklevel=6,
    )
