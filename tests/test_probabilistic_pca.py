"""Probabilistic PCA with missing values agrees with PCA and with a hand-written EM."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skae._linear import (
    Patterns,
    ProbabilisticPCA,
    fit_ppca,
    select_ppca,
)
from skae._linear._probabilistic_pca import held_out, sizes


def low_rank_rows(n_rows=80, d=6, k=2, noise=0.4, seed=0):
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(k, d)) * np.linspace(3, 1, k)[:, None]
    rows = rng.normal(size=(n_rows, k)) @ loadings + noise * rng.normal(
        size=(n_rows, d)
    )
    return rows + np.arange(d)


def observed_values(X, fraction=0.2, seed=1):
    """Return which values are observed. A fraction of them is missing."""
    observed = np.random.default_rng(seed).uniform(size=X.shape) > fraction
    observed[~observed.any(axis=1), 0] = True
    return observed


def step_by_hand(X, observed, W, mean, noise):
    """Return what a step of Tipping & Bishop's EM makes of W, mean and noise.

    The codes are what is not known. Only observed values are summed.
    """
    d, k = W.shape
    codes, covariances = [], []
    for row, seen in zip(X, observed, strict=True):
        M = W[seen].T @ W[seen] + noise * np.identity(k)
        codes.append(np.linalg.solve(M, W[seen].T @ (row[seen] - mean[seen])))
        covariances.append(noise * np.linalg.inv(M))
    new_W, new_mean, error = np.empty_like(W), np.empty(d), 0.0
    for j in range(d):
        rows = np.flatnonzero(observed[:, j])
        moments, products = np.zeros((k + 1, k + 1)), np.zeros(k + 1)
        for i in rows:
            extended = np.append(codes[i], 1.0)
            moments += np.outer(extended, extended)
            moments[:k, :k] += covariances[i]
            products += X[i, j] * extended
        solution = np.linalg.solve(moments, products)
        new_W[j], new_mean[j] = solution[:k], solution[k]
        for i in rows:
            residual = X[i, j] - new_W[j] @ codes[i] - new_mean[j]
            error += residual**2 + new_W[j] @ covariances[i] @ new_W[j]
    return new_W, new_mean, error / observed.sum()


def conditional_mean(X, observed, mean, covariance):
    """Return rows with the conditional means of a normal distribution."""
    filled = X.copy()
    for i, seen in enumerate(observed):
        across = covariance[np.ix_(~seen, seen)]
        within = covariance[np.ix_(seen, seen)]
        ahead = np.linalg.solve(within, X[i, seen] - mean[seen])
        filled[i, ~seen] = mean[~seen] + across @ ahead
    return filled


def covariance_of(model):
    return model.loadings @ model.loadings.T + model.noise * np.identity(
        len(model.mean)
    )


@pytest.mark.parametrize("k", [1, 3, 5, 6])
def test_complete_rows_give_pca(k):
    X = low_rank_rows()
    model = fit_ppca(X, np.ones(X.shape, bool), k)
    pca = PCA(k, svd_solver="full").fit(X)
    scale = len(X) / (len(X) - 1)
    np.testing.assert_allclose(model.mean, pca.mean_, rtol=1e-12)
    signs = np.sign(np.sum(model.components * pca.components_, axis=1))
    np.testing.assert_allclose(
        model.components * signs[:, None], pca.components_, atol=1e-10
    )
    np.testing.assert_allclose(
        model.variances * scale, pca.explained_variance_, rtol=1e-10
    )
    np.testing.assert_allclose(model.noise * scale, pca.noise_variance_, atol=1e-12)


def test_one_step_with_complete_rows_gives_pca_whatever_the_start():
    X = low_rank_rows()
    seen = np.ones(X.shape, bool)
    other = ProbabilisticPCA.start(low_rank_rows(seed=5), seen, 2)
    _, stepped = other.stepped(X, seen, Patterns.of(seen))
    pca = ProbabilisticPCA.start(X, seen, 2)
    np.testing.assert_allclose(covariance_of(stepped), covariance_of(pca), atol=1e-10)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_fit_is_a_fixed_point_of_a_hand_written_em(k):
    X = low_rank_rows()
    observed = observed_values(X)
    model = fit_ppca(X, observed, k, tol=1e-13, max_iter=20_000)
    W, mean, noise = step_by_hand(X, observed, model.loadings, model.mean, model.noise)
    covariance = W @ W.T + noise * np.identity(len(W))
    np.testing.assert_allclose(covariance, covariance_of(model), atol=1e-6)
    np.testing.assert_allclose(mean, model.mean, atol=1e-6)


def test_a_hand_written_em_from_another_start_imputes_the_same():
    """Rows are completed one by one, with the conditional covariance of each."""
    X, k = low_rank_rows(n_rows=40), 2
    observed = observed_values(X)
    mean, covariance = X[:10].mean(axis=0), np.diag(np.arange(1.0, 7.0))
    for _ in range(200):
        filled = conditional_mean(X, observed, mean, covariance)
        spread = np.zeros_like(covariance)
        for seen in observed:
            across = covariance[np.ix_(~seen, seen)]
            explained = across @ np.linalg.solve(
                covariance[np.ix_(seen, seen)], across.T
            )
            spread[np.ix_(~seen, ~seen)] += covariance[np.ix_(~seen, ~seen)] - explained
        mean = filled.mean(axis=0)
        expected = np.cov(filled.T, bias=True) + spread / len(X)
        U, spectrum, _ = np.linalg.svd(expected)
        noise = spectrum[k:].mean()
        covariance = (U[:, :k] * (spectrum[:k] - noise)) @ U[:, :k].T
        covariance += noise * np.identity(len(mean))
    expected = conditional_mean(X, observed, mean, covariance)
    found = fit_ppca(X, observed, k).imputed(X, observed)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_imputed_values_are_conditional_means():
    X = low_rank_rows()
    observed = observed_values(X, 0.4)
    model = fit_ppca(X, observed, 3, max_iter=5)
    expected = conditional_mean(X, observed, model.mean, covariance_of(model))
    np.testing.assert_allclose(model.imputed(X, observed), expected, atol=1e-9)


@pytest.mark.parametrize("k", [2, 9])
def test_a_step_is_that_of_the_conditional_covariances(k):
    """Nine codes are more than most rows have missing values, two are fewer."""
    X = low_rank_rows(n_rows=60, d=12, k=9)
    X[:, 0] = X[:, 1] + 0.1 * X[:, 2]
    observed = observed_values(X, 0.3)
    observed[:5] = observed[5]  # some rows share a pattern
    observed[6] = True
    observed[7, 1:] = False
    model = fit_ppca(X, observed, k, max_iter=2)
    mean, covariance = model.mean, covariance_of(model)
    filled = conditional_mean(X, observed, mean, covariance)
    expected = np.cov(filled.T, bias=True)
    for seen in observed:
        across = covariance[np.ix_(~seen, seen)]
        explained = across @ np.linalg.solve(covariance[np.ix_(seen, seen)], across.T)
        own = covariance[np.ix_(~seen, ~seen)] - explained
        expected[np.ix_(~seen, ~seen)] += own / len(X)
    found, stepped = model.stepped(X, observed, Patterns.of(observed))
    np.testing.assert_allclose(found, filled, atol=1e-10)
    spectrum, axes = np.linalg.eigh(expected)
    noise = spectrum[:-k].mean()
    expected = (axes[:, -k:] * (spectrum[-k:] - noise)) @ axes[:, -k:].T
    expected += noise * np.identity(12)
    np.testing.assert_allclose(covariance_of(stepped), expected, atol=1e-10)
    np.testing.assert_allclose(stepped.total, expected.trace())


def test_many_features_give_pca_too():
    X = low_rank_rows(n_rows=60, d=140, k=3)
    model = fit_ppca(X, np.ones(X.shape, bool), 3)
    pca = PCA(3, svd_solver="full").fit(X)
    axes = pca.components_ * np.sqrt(pca.explained_variance_ * 59 / 60)[:, None]
    found = model.components * np.sqrt(model.variances)[:, None]
    np.testing.assert_allclose(found.T @ found, axes.T @ axes, atol=1e-9)
    left = X.var(axis=0).sum() - np.square(axes).sum()
    np.testing.assert_allclose(model.noise, left / 137)


def test_steps_never_lower_the_likelihood():
    X = low_rank_rows()
    observed = observed_values(X, 0.4)
    patterns = Patterns.of(observed)

    def likelihood(model):
        total, covariance = 0.0, covariance_of(model)
        for row, seen in zip(X, observed, strict=True):
            own = covariance[np.ix_(seen, seen)]
            ahead = row[seen] - model.mean[seen]
            total -= np.linalg.slogdet(own)[1] + ahead @ np.linalg.solve(own, ahead)
        return total

    model = ProbabilisticPCA.start(X, observed, 2)
    values = [likelihood(model)]
    for _ in range(20):
        _, model = model.stepped(X, observed, patterns)
        values.append(likelihood(model))
    assert np.diff(values).min() > -1e-9
    assert values[-1] > values[0] + 1


def test_values_that_are_not_observed_are_not_read():
    X = low_rank_rows()
    observed = observed_values(X)
    expected = fit_ppca(X, observed, 2).imputed(X, observed)
    found = fit_ppca(np.where(observed, X, np.nan), observed, 2).imputed(X, observed)
    np.testing.assert_array_equal(found, expected)


def test_rows_of_equal_patterns_are_grouped():
    observed = np.array([[1, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    patterns = Patterns.of(observed)
    assert sorted(patterns.counts) == [1, 1, 2]
    np.testing.assert_array_equal(patterns.observed[patterns.of_row], observed)


def test_rows_without_values_get_the_mean():
    X = low_rank_rows()
    observed = observed_values(X)
    model = fit_ppca(X, observed, 2)
    none = np.zeros((1, X.shape[1]), bool)
    np.testing.assert_allclose(model.imputed(X[:1], none)[0], model.mean)


def test_exactly_low_rank_rows_are_completed():
    X = low_rank_rows(noise=0.0)
    observed = observed_values(X)
    observed[:, :3] = True  # enough to determine two codes
    model = fit_ppca(X, observed, 2)
    np.testing.assert_allclose(model.imputed(X, observed), X, atol=1e-3)


def test_held_out_values_choose_the_number_of_components():
    X = low_rank_rows(n_rows=400, d=12, k=3)
    observed = observed_values(X)
    model = select_ppca(X, observed, None, np.random.RandomState(0))
    assert model.n_components == 3
    few = select_ppca(X, observed, 1, np.random.RandomState(0))
    assert few.n_components == 1

    def error(model):
        return np.mean((model.imputed(X, observed) - X)[~observed] ** 2)

    assert error(model) < 0.5 * error(few)


def test_many_features_have_as_many_components_as_the_rows():
    X = low_rank_rows(n_rows=200, d=40, k=6)
    model = select_ppca(X, observed_values(X), None, np.random.RandomState(0))
    assert model.n_components == 6


def test_noise_stays_noise():
    X = np.random.default_rng(0).normal(size=(60, 15))
    observed = observed_values(X, 0.3)
    model = select_ppca(X, observed, None, np.random.RandomState(0))
    error = np.mean((model.imputed(X, observed) - X)[~observed] ** 2)
    assert error < 1.2 * np.mean(X[~observed] ** 2)


def test_held_out_values_leave_some_in_every_row_and_column():
    observed = np.zeros((200, 30), bool)
    observed[np.arange(200), np.arange(200) % 29] = True
    observed[0, 29] = True
    observed[:, 3] = True
    chosen = held_out(observed, np.random.RandomState(0))
    assert chosen.any()
    assert not (chosen & ~observed).any()
    rest = observed & ~chosen
    assert rest.any(axis=0).all()
    assert rest.any(axis=1).all()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((100, 1), [1]),
        ((100, 2), [1]),
        ((100, 7), [1, 2, 3, 4, 5, 6]),
        ((3, 9), [1, 2]),
    ],
)
def test_sizes_that_are_tried(shape, expected):
    assert sizes(*shape) == expected
