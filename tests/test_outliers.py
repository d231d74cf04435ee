"""The detector of outliers, against PCA, SciPy and loops written by hand."""

import numpy as np
import pandas as pd
import pytest
from conftest import images
from scipy import sparse
from scipy.stats import multivariate_normal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae.outliers import AutoencoderOutlierDetector

LINEAR = AutoencoderTransformer(3, hidden_layer_sizes=())


def likelihood(*args, **parameters):
    return AutoencoderOutlierDetector(*args, method="likelihood", **parameters)


SMALL = AutoencoderTransformer(2, hidden_layer_sizes=(16,), max_iter=5)


def normal_rows(n_rows, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((n_features, n_features)) * np.arange(
        1, n_features + 1
    )
    return rng.standard_normal((n_rows, n_features)) @ mixing + 5


def two_groups(n_rows=300):
    rng = np.random.default_rng(0)
    centres = np.repeat([-5.0, 5.0], n_rows // 2)[:, None]
    return centres + rng.standard_normal((n_rows, 4)) * 0.5


@pytest.mark.parametrize("bandwidth", [1, "auto"])
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("n_components", [1, 3, 0.9, 6])
def test_scores_of_a_linear_autoencoder_are_those_of_pca(
    n_components, whiten, bandwidth
):
    X, new = normal_rows(120), 3 * normal_rows(50, seed=1)
    linear = AutoencoderTransformer(n_components, whiten=whiten, hidden_layer_sizes=())
    detector = AutoencoderOutlierDetector(
        linear, bandwidth=bandwidth, method="likelihood", random_state=0
    ).fit(X)
    assert detector.bandwidth_ == 1
    expected = PCA(n_components, svd_solver="full").fit(X)
    for rows in (X, new):
        found = detector.score_samples(rows)
        if whiten:
            # Codes in other units have another density. The difference is one number.
            found = found - found[0] + expected.score_samples(rows)[0]
        np.testing.assert_allclose(found, expected.score_samples(rows), rtol=1e-6)


def test_scores_of_a_linear_autoencoder_are_those_of_pca_on_few_rows():
    X, new = normal_rows(20, n_features=30), normal_rows(5, n_features=30, seed=1)
    detector = likelihood(LINEAR, bandwidth=1).fit(X)
    expected = PCA(3).fit(X).score_samples(new)
    np.testing.assert_allclose(detector.score_samples(new), expected, rtol=1e-6)


def test_scores_of_a_linear_variational_autoencoder_are_those_of_pca():
    X = normal_rows(120)
    linear = VariationalAutoencoderTransformer(3, hidden_layer_sizes=())
    detector = likelihood(linear, bandwidth=1).fit(X)
    # This bound is computed in float32.
    expected = PCA(3).fit(X).score_samples(X)
    np.testing.assert_allclose(detector.score_samples(X), expected, rtol=1e-4)


def test_kernels_are_kept_where_rows_form_groups():
    X = two_groups()
    linear = AutoencoderTransformer(2, hidden_layer_sizes=())
    single = likelihood(linear, bandwidth=1, random_state=0).fit(X)
    kernels = likelihood(linear, random_state=0).fit(X)
    assert kernels.bandwidth_ < 1
    assert kernels.held_out_scores_.mean() > single.held_out_scores_.mean()
    between = np.zeros((1, 4))
    # One normal distribution is most probable between the groups.
    assert single.score_samples(between) > np.median(single.score_samples(X))
    assert kernels.score_samples(between) < np.quantile(kernels.score_samples(X), 0.01)
    assert (single.predict(between), kernels.predict(between)) == (1, -1)


@pytest.mark.parametrize("n_rows", [100, 300])
def test_kernels_are_normal_distributions_around_codes_of_sampled_rows(n_rows):
    X = two_groups(n_rows)
    detector = likelihood(
        AutoencoderTransformer(2, hidden_layer_sizes=()), bandwidth=0.4, random_state=3
    ).fit(X)
    pca = PCA(2).fit(X)
    codes = pca.transform(X)
    seed = np.random.RandomState(3).randint(2**31)
    rng = np.random.RandomState(seed)
    logs = []
    for _ in range(10 if n_rows > 128 else 1):
        sample = codes[rng.permutation(n_rows)[:128]]
        # The mean of the codes is zero. Centres are moved towards it.
        kernels = [
            multivariate_normal(
                np.sqrt(1 - 0.4**2) * centre, 0.4**2 * np.cov(codes.T)
            ).pdf(codes)
            for centre in sample
        ]
        logs.append(np.log(np.mean(kernels, axis=0)))
    residuals = X - pca.inverse_transform(codes)
    noise = pca.noise_variance_
    expected = np.mean(logs, axis=0) - np.log(2 * np.pi * noise)
    expected -= np.square(residuals).sum(axis=1) / (2 * noise)
    np.testing.assert_allclose(detector.score_samples(X), expected, rtol=1e-6)


def test_kernels_keep_the_covariance_of_the_codes():
    X = two_groups(100)
    detector = likelihood(
        AutoencoderTransformer(1, hidden_layer_sizes=()), bandwidth=0.3, random_state=0
    ).fit(X)
    pca = PCA(1).fit(X)
    grid = np.linspace(-60, 60, 6001)[:, None]
    scores = detector.score_samples(pca.inverse_transform(grid))
    density = np.exp(scores - scores.max())
    density /= density.sum()
    variance = density @ np.square(grid[:, 0])
    assert variance == pytest.approx(np.var(pca.transform(X)), rel=0.02)


def test_the_automatic_threshold_is_tukeys_fence_of_held_out_scores():
    X = normal_rows(100)
    detector = likelihood(LINEAR, bandwidth=1, random_state=3).fit(X)
    seed = np.random.RandomState(3).randint(2**31)
    scores = np.empty(len(X))
    for train, test in KFold(3, shuffle=True, random_state=seed).split(X):
        scores[test] = PCA(3).fit(X[train]).score_samples(X[test])
    np.testing.assert_allclose(detector.held_out_scores_, scores, rtol=1e-6)
    low, high = np.quantile(scores, [0.25, 0.75])
    assert detector.offset_ == pytest.approx(low - 1.5 * (high - low), rel=1e-6)


def test_a_fifth_of_many_rows_is_held_out():
    X = normal_rows(1001)
    detector = likelihood(LINEAR, bandwidth=1, random_state=3).fit(X)
    seed = np.random.RandomState(3).randint(2**31)
    splitter = ShuffleSplit(1, test_size=0.2, random_state=seed)
    train, test = next(splitter.split(X))
    expected = PCA(3).fit(X[train]).score_samples(X[np.sort(test)])
    np.testing.assert_allclose(detector.held_out_scores_, expected, rtol=1e-6)


def test_contamination_is_the_fraction_of_the_training_rows_that_are_outliers():
    X = normal_rows(200)
    detector = AutoencoderOutlierDetector(LINEAR, contamination=0.05, random_state=0)
    assert (detector.fit_predict(X) == -1).sum() == 10
    decision = detector.decision_function(X)
    np.testing.assert_array_equal(detector.predict(X) == -1, decision < 0)
    np.testing.assert_array_equal(
        decision, detector.score_samples(X) - detector.offset_
    )


@pytest.mark.slow
def test_outliers_among_the_training_rows_are_not_learnt():
    X, y = load_digits(return_X_y=True)
    zeros = X[y == 0][:171]
    foreign = np.stack([X[y == digit][0] for digit in range(1, 10)])
    detector = AutoencoderOutlierDetector(random_state=0)
    detector.fit(np.vstack([zeros, foreign]))
    normal, others = detector.score_samples(zeros), detector.score_samples(foreign)
    truth = np.repeat([0, 1], [len(zeros), len(foreign)])
    assert roc_auc_score(truth, -np.concatenate([normal, others])) > 0.97
    # The threshold is one for rows that were not seen in training.
    found = detector.held_out_scores_ < detector.offset_
    assert found[truth == 1].mean() > 0.7
    assert found[truth == 0].mean() < 0.1


def test_new_rows_are_flagged_about_as_often_as_the_held_out_rows():
    detector = AutoencoderOutlierDetector(SMALL, random_state=0).fit(normal_rows(300))
    held_out = (detector.held_out_scores_ < detector.offset_).mean()
    new = np.random.default_rng(0).permutation(normal_rows(3300))[:3000]
    assert abs((detector.predict(new) == -1).mean() - held_out) < 0.04


def test_explanations_are_falls_of_the_distance_when_a_feature_is_replaced():
    X, new = normal_rows(200), normal_rows(20, seed=1)
    detector = AutoencoderOutlierDetector(LINEAR, bandwidth=1).fit(X)
    precision = PCA(3).fit(X).get_precision()
    deviations = new - X.mean(axis=0)

    def distances(rows):
        return np.einsum("ni,ij,nj->n", rows, precision, rows)

    falls = np.empty_like(new)
    for feature in range(6):
        others = np.delete(np.arange(6), feature)
        replaced = deviations.copy()
        # The conditional mean of a feature, given the others.
        coefficients = precision[feature, others] / precision[feature, feature]
        replaced[:, feature] = -deviations[:, others] @ coefficients
        falls[:, feature] = distances(deviations) - distances(replaced)
    expected = falls / falls.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(detector.explain(new), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "bandwidth"),
    [
        ("dense", 1),
        ("dense", 0.5),
        pytest.param("variational", 0.5, marks=pytest.mark.slow),
        pytest.param("images", 0.5, marks=pytest.mark.slow),
    ],
)
def test_a_faulty_feature_has_the_largest_share(kind, bandwidth):
    estimator = {
        "dense": SMALL,
        "variational": VariationalAutoencoderTransformer(
            2, hidden_layer_sizes=(16,), max_iter=3
        ),
        "images": images(
            image_shape=(2, 3),
            filters=2,
            hidden_layer_sizes=(8,),
            max_iter=3,
        ),
    }[kind]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2)) @ rng.standard_normal((2, 6))
    X += 0.1 * rng.standard_normal(X.shape)
    faulty = X[:30].copy()
    features = np.arange(30) % 6
    faulty[np.arange(30), features] += 8
    detector = AutoencoderOutlierDetector(
        estimator, bandwidth=bandwidth, random_state=0
    ).fit(X)
    shares = detector.explain(faulty)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares.argmax(axis=1) == features).mean() > 0.9
    assert (detector.predict(faulty) == -1).all()


def test_rows_of_one_value_have_even_shares():
    X = np.ones((10, 3))
    detector = AutoencoderOutlierDetector(
        AutoencoderTransformer(1, hidden_layer_sizes=())
    ).fit(X)
    assert (detector.predict(X) == 1).all()
    np.testing.assert_allclose(detector.explain(X), 1 / 3)
    assert detector.predict(X + 1).tolist() == [-1] * 10


def test_sparse_rows_and_frames_give_what_arrays_give():
    X = np.where(normal_rows(90) > 5, normal_rows(90), 0)
    detector = AutoencoderOutlierDetector(LINEAR, random_state=0)
    expected = detector.fit(X).score_samples(X)
    found = detector.fit(sparse.csr_matrix(X)).score_samples(sparse.csr_matrix(X))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    found = detector.fit(frame).score_samples(frame)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert detector.feature_names_in_.tolist() == list("abcdef")


@pytest.mark.slow
def test_a_network_of_many_rows_is_not_trained_twice():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 1200)
    X = np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles)], axis=1)
    network = AutoencoderTransformer(1, hidden_layer_sizes=(32,), max_iter=20)
    detector = AutoencoderOutlierDetector(network, random_state=3).fit(X)
    assert detector.estimator_.selected_model_ == "network"
    seed = np.random.RandomState(3).randint(2**31)
    splitter = ShuffleSplit(1, test_size=0.2, random_state=seed)
    train, test = next(splitter.split(X))
    network.set_params(random_state=seed).fit(X[train], X_val=X[test])
    expected = network.transform(X)
    np.testing.assert_array_equal(detector.estimator_.transform(X), expected)


def test_the_given_autoencoder_is_cloned_and_seeded():
    X = normal_rows(300)
    given = clone(SMALL)
    scores = [
        AutoencoderOutlierDetector(given, random_state=seed).fit(X).held_out_scores_
        for seed in (0, 0, 1)
    ]
    assert given.random_state is None
    assert not hasattr(given, "n_components_")
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"contamination": 0.6}, "'contamination' parameter"),
        ({"contamination": 0.0}, "'contamination' parameter"),
        ({"bandwidth": 0.0}, "'bandwidth' parameter"),
        ({"bandwidth": 1.5}, "'bandwidth' parameter"),
        ({"random_state": "1"}, "'random_state' parameter"),
        ({"estimator": PCA()}, "'estimator' parameter"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderOutlierDetector(**parameters).fit(normal_rows(60))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (
            AutoencoderTransformer(2, target_weight=0.5),
            "target_weight=0, because it has no labels. Got target_weight=0.5",
        ),
        (
            AutoencoderTransformer(41),
            "n_components=41 of the estimator must be at most 40,.*n_samples=60",
        ),
        (AutoencoderTransformer(7), "n_components=7 must be between 1 and"),
    ],
)
def test_estimators_that_cannot_be_used_are_refused(estimator, message):
    n_features = 50 if estimator.n_components > 10 else 6
    with pytest.raises(ValueError, match=message):
        AutoencoderOutlierDetector(estimator).fit(normal_rows(60, n_features))


@pytest.mark.parametrize("method", ["predict", "score_samples", "explain"])
def test_bad_rows_are_refused(method):
    X = normal_rows(60)
    detector = AutoencoderOutlierDetector(LINEAR)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(detector, method)(X)
    detector.fit(X)
    with pytest.raises(ValueError, match="X has 3 features, but"):
        getattr(detector, method)(X[:, :3])
    with pytest.raises(ValueError, match="contains infinity"):
        getattr(detector, method)(np.where(X > 9, np.inf, X))


@pytest.mark.slow
def test_an_autoencoder_without_early_stopping_is_trained_to_the_end():
    estimator = clone(SMALL).set_params(early_stopping=False)
    detector = AutoencoderOutlierDetector(estimator, random_state=0)
    detector.fit(normal_rows(300))
    assert detector.estimator_.n_iter_ == 5
    assert np.isfinite(detector.held_out_scores_).all()


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match=r"at least 6 rows.*n_samples=5"):
        AutoencoderOutlierDetector().fit(normal_rows(5))


def test_scores_do_not_depend_on_the_containers_that_estimators_return():
    X = normal_rows(60)
    expected = AutoencoderOutlierDetector(LINEAR, random_state=0).fit(X)
    for container in ("pandas", "polars"):
        with config_context(transform_output=container):
            found = AutoencoderOutlierDetector(LINEAR, random_state=0).fit(X)
            np.testing.assert_array_equal(
                found.score_samples(X), expected.score_samples(X)
            )


def test_whitened_codes_give_the_same_density():
    X = normal_rows(200)
    scores = []
    for whiten in (False, True):
        pca = AutoencoderTransformer(2, hidden_layer_sizes=(), whiten=whiten)
        detector = likelihood(pca, bandwidth=1, random_state=0)
        scores.append(detector.fit(X).score_samples(X))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-6)


@pytest.mark.parametrize("whiten", [False, True])
def test_a_row_has_the_same_score_alone_where_features_depend_on_each_other(whiten):
    X = normal_rows(120)
    X = np.hstack([X, X @ np.random.RandomState(0).standard_normal((X.shape[1], 3))])
    pca = AutoencoderTransformer(X.shape[1], hidden_layer_sizes=(), whiten=whiten)
    detector = AutoencoderOutlierDetector(pca, bandwidth=1, random_state=0).fit(X)
    alone = [detector.score_samples(row[None])[0] for row in X[:20]]
    np.testing.assert_allclose(alone, detector.score_samples(X)[:20], rtol=1e-9)


def test_numbers_that_underflow_are_no_error():
    X = normal_rows(60)
    expected = AutoencoderOutlierDetector(LINEAR, random_state=0).fit(X)
    with np.errstate(all="raise"):
        found = AutoencoderOutlierDetector(LINEAR, random_state=0).fit(X)
        scores = found.score_samples(1e3 * X)
        found.explain(1e3 * X)
    np.testing.assert_array_equal(scores, expected.score_samples(1e3 * X))


def windows(n_windows=600, width=10, seed=0):
    """Return overlapping windows of two sensors, and the part of time of each."""
    rng = np.random.default_rng(seed)
    load = np.cumsum(rng.standard_normal(n_windows + width - 1)) / 10
    sensors = load[:, None] * [1, -0.5] + 0.1 * rng.standard_normal((len(load), 2))
    views = np.lib.stride_tricks.sliding_window_view(sensors, width, axis=0)
    return views.reshape(n_windows, -1), np.arange(n_windows) // 50


def test_groups_are_held_out_together():
    X, groups = windows()
    detector = likelihood(LINEAR, bandwidth=1, random_state=3).fit(X, groups=groups)
    seed = np.random.RandomState(3).randint(2**31)
    expected = np.empty(len(X))
    for train, test in KFold(3, shuffle=True, random_state=seed).split(np.arange(12)):
        training, held_out = np.isin(groups, train), np.isin(groups, test)
        expected[held_out] = PCA(3).fit(X[training]).score_samples(X[held_out])
    np.testing.assert_allclose(detector.held_out_scores_, expected, rtol=1e-6)


def test_equal_rows_are_held_out_together():
    X = np.repeat(normal_rows(50), 3, axis=0)
    detector = likelihood(LINEAR, bandwidth=1, random_state=3).fit(X)
    seed = np.random.RandomState(3).randint(2**31)
    expected = np.empty(50)
    for train, test in KFold(3, shuffle=True, random_state=seed).split(X[::3]):
        fitted = PCA(3).fit(np.repeat(X[::3][train], 3, axis=0))
        expected[test] = fitted.score_samples(X[::3][test])
    np.testing.assert_allclose(
        detector.held_out_scores_, np.repeat(expected, 3), rtol=1e-6
    )


def test_few_groups_of_many_rows_are_all_held_out_in_turn():
    X = normal_rows(1200)
    detector = AutoencoderOutlierDetector(LINEAR, random_state=0)
    assert len(detector.fit(X).held_out_scores_) == 240
    detector.fit(X, groups=np.arange(1200) % 40)
    assert len(detector.held_out_scores_) == 1200


@pytest.mark.parametrize("method", ["combined", "likelihood"])
def test_given_rows_are_held_out(method):
    X, X_val = normal_rows(200), normal_rows(90, seed=1)
    detector = AutoencoderOutlierDetector(
        LINEAR, method=method, bandwidth=1, random_state=0
    ).fit(X, X_val=X_val)
    np.testing.assert_allclose(
        detector.held_out_scores_, detector.score_samples(X_val), rtol=1e-9
    )
    if method == "likelihood":
        expected = PCA(3).fit(X).score_samples(X_val)
        np.testing.assert_allclose(detector.held_out_scores_, expected, rtol=1e-6)


@pytest.mark.slow
def test_given_rows_choose_the_epoch_of_a_network():
    X, X_val = surface(300), surface(100, seed=1)
    detector = AutoencoderOutlierDetector(SMALL, random_state=3).fit(X, X_val=X_val)
    seed = np.random.RandomState(3).randint(2**31)
    expected = clone(SMALL).set_params(random_state=seed).fit(X, X_val=X_val)
    np.testing.assert_array_equal(
        detector.estimator_.transform(X), expected.transform(X)
    )


def surface(n_rows, seed=0):
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, n_rows)
    return np.stack([np.cos(angles), np.sin(angles), np.cos(2 * angles)], axis=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"groups": np.arange(60), "X_val": normal_rows(9)},
            "X_val cannot be combined with groups",
        ),
        ({"groups": np.arange(60) % 2}, "groups must divide the rows into at least 3"),
        ({"groups": np.arange(59)}, "inconsistent numbers of samples"),
        ({"X_val": normal_rows(9)[:, :3]}, r"X_val has shape \(9, 3\)"),
    ],
)
def test_held_out_rows_that_cannot_be_used_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderOutlierDetector(LINEAR).fit(normal_rows(60), **given)


def with_holes(X, fraction=0.2, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(X.shape) < fraction, np.nan, X)


@pytest.mark.parametrize("whiten", [False, True])
def test_the_likelihood_of_incomplete_rows_is_that_of_their_observed_values(whiten):
    X, new = with_holes(normal_rows(300)), with_holes(normal_rows(40, seed=1), 0.4)
    linear = AutoencoderTransformer(2, hidden_layer_sizes=(), whiten=whiten)
    detector = likelihood(linear, bandwidth=1, random_state=0).fit(X)
    mean, covariance = detector.estimator_.mean_, None
    plain = clone(linear).set_params(whiten=False).fit(X)
    covariance = plain.get_covariance()
    expected = []
    for row in new:
        seen = ~np.isnan(row)
        part = covariance[np.ix_(seen, seen)]
        found = multivariate_normal(mean[seen], part) if seen.any() else None
        expected.append(0 if found is None else found.logpdf(row[seen]))
    np.testing.assert_allclose(detector.score_samples(new), expected, rtol=1e-6)


def test_incomplete_rows_are_outliers_as_often_as_complete_ones():
    X, new = with_holes(normal_rows(600), 0.1), normal_rows(3600)[600:]
    detector = AutoencoderOutlierDetector(LINEAR, random_state=0).fit(X)
    complete = (detector.predict(new) == -1).mean()
    incomplete = (detector.predict(with_holes(new)) == -1).mean()
    assert complete < 0.1
    assert abs(complete - incomplete) < 0.04
    # A wrong value is found beside missing ones.
    wrong = new[:50].copy()
    wrong[:, 0] = np.nan
    wrong[:, 1] += 60
    assert (detector.predict(wrong) == -1).all()


def distance_without(row, precision, features):
    """Return the squared distance of a row at the best values of some features."""
    others = np.setdiff1d(np.arange(len(row)), features)
    covariance = np.linalg.inv(precision)[np.ix_(others, others)]
    return row[others] @ np.linalg.solve(covariance, row[others])


@pytest.mark.parametrize("fault", ["single", "double", "drift"])
def test_explanations_of_groups_are_reconstruction_based_contributions(fault):
    rng = np.random.default_rng(0)
    # Windows of ten values of three sensors, which follow one load.
    load = np.cumsum(rng.standard_normal((400, 10)), axis=1) / 3
    noise = 0.1 * rng.standard_normal((400, 10, 3))
    X = (load[:, :, None] * [1.0, 0.7, -0.8] + noise).reshape(400, 30)
    sensors = np.tile(["a", "b", "c"], 10)
    linear = AutoencoderTransformer(10, hidden_layer_sizes=())
    detector = AutoencoderOutlierDetector(linear, bandwidth=1, random_state=0).fit(X)
    wrong = X[:20].copy().reshape(20, 10, 3)
    wrong[:, :, 1] += {"drift": np.linspace(0, 4, 10)}.get(fault, 2.0)
    if fault == "double":
        wrong[:, :, 2] += 2
    wrong = wrong.reshape(20, 30)
    found = detector.explain(wrong, feature_groups=sensors)
    precision = PCA(10).fit(X).get_precision()
    falls = np.empty((20, 3))
    for number, row in enumerate(wrong - X.mean(axis=0)):
        total = row @ precision @ row
        for group in range(3):
            features = np.flatnonzero(sensors == "abc"[group])
            falls[number, group] = total - distance_without(row, precision, features)
    expected = falls / falls.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
    largest = found.argmax(axis=1)
    assert np.isin(largest, [1, 2] if fault == "double" else [1]).all()


def test_explanations_of_groups_are_named():
    X = pd.DataFrame(normal_rows(60), columns=list("uvwxyz"))
    detector = AutoencoderOutlierDetector(LINEAR, random_state=0).fit(X)
    found = detector.explain(X, feature_groups=["b", "b", "a", "a", "c", "b"])
    assert found.columns.tolist() == ["b", "a", "c"]
    alone = detector.explain(X, feature_groups=list("uvwxyz"))
    pd.testing.assert_frame_equal(alone, detector.explain(X))
    with pytest.raises(ValueError, match="a name for each of 6 features. Got 2"):
        detector.explain(X, feature_groups=["a", "b"])


@pytest.mark.parametrize("seed", range(3))
def test_windows_in_groups_are_flagged_as_often_as_estimated(seed):
    """Shuffled windows overlap with those that train. Groups do not."""
    X, groups = windows(3000, seed=seed)
    share = {}
    for given in (None, groups):
        detector = AutoencoderOutlierDetector(LINEAR, random_state=0)
        detector.fit(X[:1500], groups=None if given is None else given[:1500])
        estimated = (detector.held_out_scores_ < detector.offset_).mean()
        share[given is None] = (detector.predict(X[1510:]) == -1).mean() - estimated
    assert share[False] < share[True]


def test_a_pipeline_passes_groups():
    X, groups = windows()
    with config_context(enable_metadata_routing=True):
        detector = likelihood(LINEAR, bandwidth=1, random_state=3)
        detector.set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), detector).fit(X, groups=groups)
    rows = StandardScaler().fit_transform(X)
    expected = likelihood(LINEAR, bandwidth=1, random_state=3).fit(rows, groups=groups)
    np.testing.assert_array_equal(
        pipeline[-1].held_out_scores_, expected.held_out_scores_
    )
