"""Codes as users see them: uncorrelated, sorted and signed."""

import numpy as np
import pytest
from sklearn.base import clone

from skae._inference import CodeStatistics, CodeTransform

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(500, 6)) * [5, 4, 3, 2, 1, 0.5]
CODES = ROWS[:, :3] @ rng.normal(size=(3, 3)) + 7


def statistics_of(codes):
    """Return the statistics of codes of ROWS, computed in two parts."""
    first = CodeStatistics.of(codes[:200], ROWS[:200])
    return first.merged(CodeStatistics.of(codes[200:], ROWS[200:]))


@pytest.mark.parametrize("scale", [1.0, 250.0])
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("rotate", [False, True])
def test_transformed_codes_are_uncorrelated_sorted_and_signed(rotate, whiten, scale):
    transform, variances = CodeTransform.canonical(
        statistics_of(CODES), scale, rotate=rotate, whiten=whiten
    )
    codes = (CODES - transform.offset) @ transform.matrix
    covariance = np.cov(codes.T)
    assert (np.diff(variances) <= 0).all()
    np.testing.assert_allclose(
        np.diag(covariance), np.ones(3) if whiten else variances, rtol=1e-4
    )
    np.testing.assert_allclose(
        codes @ transform.inverse + transform.offset, CODES, rtol=1e-4
    )
    if rotate:
        off_diagonal = covariance - np.diag(np.diag(covariance))
        assert np.abs(off_diagonal).max() < 1e-4 * np.abs(covariance).max()
        strongest = codes.T @ (ROWS - ROWS.mean(axis=0))
        rows = np.arange(3), np.abs(strongest).argmax(axis=1)
        assert (strongest[rows] > 0).all()
        np.testing.assert_allclose(
            variances.sum(), CODES.var(axis=0, ddof=1).sum() * scale**2
        )


def test_statistics_equal_those_of_numpy():
    statistics = statistics_of(CODES)
    assert statistics.row_scatter == pytest.approx(ROWS.var(axis=0).sum() * len(ROWS))
    np.testing.assert_allclose(statistics.covariance, np.cov(CODES.T))


def test_constant_codes_stay_finite():
    codes = np.column_stack([CODES[:, 0], np.full(500, 3.0)])
    transform, variances = CodeTransform.canonical(
        statistics_of(codes), 1.0, rotate=True, whiten=True
    )
    assert variances[1] == pytest.approx(0, abs=1e-9)
    assert np.isfinite(transform.matrix).all()
    np.testing.assert_allclose(
        (codes - transform.offset) @ transform.matrix @ transform.inverse
        + transform.offset,
        codes,
        rtol=1e-4,
    )


def test_codes_of_a_fitted_network_are_uncorrelated_and_sorted(network, digits):
    white = clone(network).set_params(whiten=True).fit(digits)
    for fitted, expected in (
        (network, np.diag(network.explained_variance_)),
        (white, np.eye(3)),
    ):
        assert fitted.selected_model_ == "network"
        codes = fitted.transform(digits)
        np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-4 * codes.std())
        covariance = np.cov(codes.T)
        np.testing.assert_allclose(covariance, expected, atol=1e-4 * expected.max())
        ratio = fitted.explained_variance_ratio_
        assert (np.diff(ratio) <= 0).all()
        assert ratio.sum() == pytest.approx(fitted.score(digits))
    # Whitening does not change reconstructions.
    np.testing.assert_allclose(
        white.reconstruct(digits), network.reconstruct(digits), atol=1e-3
    )
