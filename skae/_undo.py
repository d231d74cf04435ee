"""A fit that fails leaves no trace."""

from __future__ import annotations

import functools


def undone_on_failure(fit):
    """Leave the estimator as it was if ``fit`` fails or is interrupted."""

    @functools.wraps(fit)
    def fit_or_undo(self, *args, **kwargs):
        before = vars(self).copy()
        try:
            return fit(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return fit_or_undo
