"""The variational autoencoder: probabilistic PCA, the bound, and samples."""

from functools import partial

import numpy as np
import pytest
from conftest import in_numpy
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import VariationalAutoencoderTransformer
from skae._losses.likelihood import divergences, draw_codes, negative_log_likelihood


def small(**parameters):
    defaults = dict(n_components=3, hidden_layer_sizes=(64,), random_state=0)
    return VariationalAutoencoderTransformer(
        **{**defaults, "max_iter": 25, **parameters}
    )


@pytest.fixture(scope="module")
def halves(digits):
    return train_test_split(digits, random_state=0)


@pytest.fixture(scope="module")
def fitted(halves):
    return small(n_components=8).fit(halves[0])


@pytest.fixture(scope="module")
def binary(halves):
    """Return images of black and white pixels."""
    return [np.where(rows > 7, 1.0, 0.0) for rows in halves]


@pytest.fixture(scope="module")
def bernoulli(binary):
    return small(likelihood="bernoulli", n_components=8, max_iter=40).fit(binary[0])


@pytest.mark.parametrize(("n_components", "unit"), [(5, 1e-3), (5, 1e4), (30, 1.0)])
def test_without_hidden_layers_it_is_probabilistic_pca(n_components, unit, halves):
    train, test = (unit * rows + 3 * unit for rows in halves)
    linear = small(n_components=n_components, hidden_layer_sizes=()).fit(train)
    pca = PCA(n_components).fit(train)
    # Without hidden layers the bound is exact. PCA has the same log-likelihood of rows.
    np.testing.assert_allclose(
        linear.score_samples(test), pca.score_samples(test), rtol=2e-4, atol=0.02
    )
    assert linear.score(test) == pytest.approx(pca.score(test), rel=1e-4)
    assert linear.n_iter_ == 1


def test_better_than_probabilistic_pca(fitted, halves):
    pca = PCA(8).fit(halves[0])
    for rows in halves:
        assert fitted.score(rows) > pca.score(rows) + 5


@pytest.mark.slow
@pytest.mark.parametrize("n_samples", [5, 40])
def test_never_worse_than_probabilistic_pca_on_noise(n_samples):
    rng = np.random.default_rng(n_samples)
    train, test = rng.normal(size=(n_samples, 6)), rng.normal(size=(500, 6))
    likely = small(n_components=2, hidden_layer_sizes=()).fit(train).score(test)
    assert small(n_components=2).fit(train).score(test) >= likely - 0.05


@pytest.mark.slow
def test_the_bound_is_at_most_the_likelihood():
    # The points are near a curve. Their density is a sum over a fine grid on the curve.
    rng = np.random.default_rng(0)

    def curve(position):
        return np.column_stack([position, np.sin(2 * position), position**2 / 2])

    train, test = (
        curve(rng.normal(size=n)) + 0.2 * rng.normal(size=(n, 3)) for n in (3000, 1000)
    )
    grid = np.linspace(-5, 5, 2001)
    log_p = stats.norm.logpdf(test[:, None], curve(grid), 0.2).sum(axis=2)
    density = np.exp(log_p) @ stats.norm.pdf(grid) * (grid[1] - grid[0])
    truth = np.log(density).mean()
    model = small(n_components=1, max_iter=40).fit(train)
    assert model.score(test) < truth + 0.02
    assert model.score(test) > PCA(1).fit(train).score(test) + 0.3


def test_the_divergence_of_normal_posteriors_equals_its_integral():
    mean, deviation = np.array([[0.3, -1.0]]), np.array([[0.5, 2.0]])
    posterior = np.hstack([mean, 2 * np.log(deviation)]).astype("f4")
    grid = np.linspace(-30, 30, 200001)
    for one in range(2):
        q = stats.norm(mean[0, one], deviation[0, one])
        integrand = q.pdf(grid) * (q.logpdf(grid) - stats.norm.logpdf(grid))
        expected = integrand.sum() * (grid[1] - grid[0])
        found = in_numpy(divergences, posterior)[0, one]
        assert found == pytest.approx(expected, rel=1e-4)
    noise = np.random.default_rng(0).normal(size=(50000, 2)).astype("f4")
    codes = in_numpy(draw_codes, np.tile(posterior, (50000, 1)), noise)
    np.testing.assert_allclose(codes.mean(axis=0), mean[0], atol=0.03)
    np.testing.assert_allclose(codes.std(axis=0), deviation[0], rtol=0.02)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_likelihoods_equal_those_of_scipy(likelihood):
    rng = np.random.default_rng(0)
    if likelihood == "bernoulli":
        rows, decoded = rng.integers(0, 2, size=(5, 7)), rng.normal(size=(5, 7))
        expected = stats.bernoulli.logpmf(rows, 1 / (1 + np.exp(-decoded)))
    else:
        rows, decoded = rng.normal(size=(5, 7)), rng.normal(size=(5, 8))
        deviation = np.exp(decoded[:, 7:] / 2)
        expected = stats.norm.logpdf(rows, decoded[:, :7], deviation)
    loss = partial(negative_log_likelihood, likelihood)
    found = in_numpy(loss, rows.astype("f4"), decoded.astype("f4"))
    np.testing.assert_allclose(-found, expected.mean(axis=1), rtol=1e-5)


def test_a_larger_beta_lowers_the_divergence_and_raises_the_error(fitted, halves):
    train, _ = halves
    models = [
        fitted if beta == 1 else clone(fitted).set_params(beta=beta).fit(train)
        for beta in (0.1, 1, 5, 2000)
    ]
    rates = [model.divergence_.sum() for model in models]
    distortions = [
        np.square(train - model.reconstruct(train)).mean() for model in models
    ]
    assert rates[0] > rates[1] > rates[2] > rates[3]
    assert distortions[0] < distortions[1] < distortions[2] < distortions[3]
    # If beta is very large, all components collapse and none is active.
    assert [model.n_active_components_ for model in models] == [8, 8, 8, 0]
    assert rates[3] < 0.1


@pytest.mark.slow
def test_components_that_the_data_do_not_need_are_not_active():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2)) @ rng.normal(size=(2, 8))
    X += 0.1 * rng.normal(size=X.shape)
    # With beta=1, chance correlations in the noise would keep components active.
    model = small(n_components=5, beta=2, max_iter=40).fit(X)
    assert model.n_active_components_ == 2
    assert (model.divergence_[:2] > 1).all()
    assert (model.divergence_[2:] < 0.05).all()


def test_bernoulli_is_better_than_independent_pixels(bernoulli, binary):
    train, test = binary
    # The baseline is a model of independent pixels, without codes.
    p = (train.sum(axis=0) + 1) / (len(train) + 2)
    independent = stats.bernoulli.logpmf(test.astype(int), p).sum(axis=1).mean()
    assert bernoulli.score(test) > independent + 5
    for rows in (bernoulli.sample(50), bernoulli.reconstruct(test)):
        assert rows.min() >= 0
        assert rows.max() <= 1


@pytest.mark.parametrize("values", [-0.1, 1.1, 255])
def test_bernoulli_needs_values_from_0_to_1(values):
    X = np.full((30, 4), 0.5)
    X[3, 2] = values
    with pytest.raises(ValueError, match="needs values from 0 to 1"):
        small(likelihood="bernoulli").fit(X)


def test_samples_have_about_the_mean_and_covariance_of_the_data(fitted, halves):
    train, _ = halves
    rows = fitted.sample(4000, random_state=0)
    np.testing.assert_array_equal(rows, fitted.sample(4000, random_state=0))
    assert np.abs(rows - fitted.sample(4000, random_state=1)).max() > 1
    scale = train.std(axis=0).mean()
    assert np.abs(rows.mean(axis=0) - train.mean(axis=0)).max() < 0.5 * scale
    covariances = [np.cov(part.T).ravel() for part in (rows, train)]
    assert np.corrcoef(covariances)[0, 1] > 0.9


@pytest.mark.parametrize(
    "kind", ["gaussian", "bernoulli", pytest.param("images", marks=pytest.mark.slow)]
)
def test_keras_models_and_sparse_rows_agree(kind, fitted, bernoulli, halves, binary):
    X = halves[0] if kind == "gaussian" else binary[0]
    model = {"gaussian": fitted, "bernoulli": bernoulli}.get(kind)
    if kind == "images":
        model = small(
            image_shape=(8, 8),
            likelihood="bernoulli",
            filters=4,
            max_iter=2,
            early_stopping=False,
        ).fit(X)
    codes = model.transform(X)
    rows = model.inverse_transform(codes)
    scale = np.abs(rows).max()
    np.testing.assert_allclose(model.encoder_.predict(X, verbose=0), codes, atol=1e-4)
    np.testing.assert_allclose(
        model.decoder_.predict(codes, verbose=0), rows, atol=1e-4 * scale
    )
    found = model.score_samples(sparse.csr_matrix(X))
    np.testing.assert_allclose(found, model.score_samples(X), rtol=1e-6)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_sparse_rows_train_as_dense_rows_do(likelihood, fitted, halves, binary):
    X = (binary if likelihood == "bernoulli" else halves)[0]
    short = clone(fitted).set_params(likelihood=likelihood, max_iter=3)
    rows = sparse.csr_matrix(X)
    of_sparse = clone(short).fit(rows).score_samples(rows)
    np.testing.assert_allclose(of_sparse, short.fit(X).score_samples(X), rtol=1e-3)


def test_scores_of_rows_do_not_depend_on_each_other(fitted, halves):
    rows = halves[1][:40]
    scores = fitted.score_samples(rows)
    np.testing.assert_array_equal(fitted.score_samples(rows[::-1]), scores[::-1])
    np.testing.assert_allclose(fitted.score_samples(rows[:1]), scores[:1], rtol=1e-5)
    assert fitted.score(rows) == pytest.approx(scores.mean())


@pytest.mark.slow
def test_training_on_pairs_restores_damaged_rows(fitted, halves):
    train, test = halves
    rng = np.random.default_rng(0)
    damaged = [rows * (rng.random(rows.shape) > 0.4) for rows in halves]
    restoring = clone(fitted).fit(damaged[0], X_clean=train)
    errors = [
        np.square(test - model.reconstruct(damaged[1])).mean()
        for model in (restoring, fitted)
    ]
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("value", [1e20, 3e38])
def test_rows_whose_density_exceeds_float32_are_refused(value, fitted):
    X = np.random.default_rng(0).choice([-value, value], size=(5, 64))
    message = r"Input X contains values too large for dtype\('float32'\)"
    for method in (fitted.score, fitted.score_samples):
        with pytest.raises(ValueError, match=message):
            method(X)
