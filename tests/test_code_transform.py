"""The code transform makes codes uncorrelated, sorted and signed."""

import numpy as np
import pytest
from conftest import small_network

from skae._model import CodeStatistics, CodeTransform

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(500, 6)) * [5, 4, 3, 2, 1, 0.5]
CODES = ROWS[:, :3] @ rng.normal(size=(3, 3)) + 7


def statistics_of(codes):
    """Return the statistics of codes of ROWS, computed in two parts."""
    parts = CodeStatistics.zero(codes.shape[1], 6).with_rows(codes[:200], ROWS[:200])
    return parts.with_rows(codes[200:], ROWS[200:])


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


@pytest.mark.parametrize("whiten", [False, True])
def test_codes_of_a_fitted_network_are_uncorrelated_and_sorted(whiten, digits):
    fitted = small_network(whiten=whiten).fit(digits)
    codes = fitted.transform(digits)
    covariance = np.cov(codes.T)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-4 * codes.std())
    expected = np.eye(3) if whiten else np.diag(fitted.explained_variance_)
    np.testing.assert_allclose(covariance, expected, atol=1e-4 * expected.max())
    assert (np.diff(fitted.explained_variance_ratio_) <= 0).all()
    assert fitted.explained_variance_ratio_.sum() == pytest.approx(fitted.score(digits))


def test_whitening_does_not_change_the_reconstruction(digits):
    plain, white = (small_network(whiten=w).fit(digits) for w in (False, True))
    np.testing.assert_allclose(
        white.reconstruct(digits), plain.reconstruct(digits), atol=1e-3
    )
