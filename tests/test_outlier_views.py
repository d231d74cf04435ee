"""Three views of outliers, against scikit-learn, SciPy and counts."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae._outlier_views import IsolationTrees, Tail, Views, combined
from skae.outliers import AutoencoderOutlierDetector


@pytest.fixture(scope="module")
def X():
    return StandardScaler().fit_transform(load_wine().data)


@pytest.mark.parametrize("n_rows", [3, 100, 178])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trees_give_the_scores_of_an_isolation_forest(X, n_rows, dtype):
    rows = X[:n_rows].astype(dtype)
    centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    forest = IsolationForest(random_state=0).fit(rows - centre.astype(float))
    expected = -forest.score_samples(X - centre.astype(float))
    trees = IsolationTrees.fit(rows, 0)
    np.testing.assert_allclose(trees(X), expected, rtol=1e-12)
    np.testing.assert_allclose(trees(sparse.csr_matrix(X)), expected, rtol=1e-12)


def test_a_tail_is_minus_the_logarithm_of_the_fraction_of_larger_scores():
    scores = np.random.default_rng(0).gamma(3, size=2000)
    tail = Tail.fit(scores)
    some = np.quantile(scores, [0.1, 0.5, 0.9, 0.99])
    larger = [(scores > one).mean() for one in some]
    np.testing.assert_allclose(tail(some), -np.log(larger), atol=0.03)
    assert tail(scores.min() - 1) == 0
    # Beyond the largest score it goes on with the mean of the largest tenth.
    start = np.quantile(scores, 0.9)
    mean = (scores[scores >= start] - start).mean()
    beyond = scores.max() + np.array([0, 1, 5])
    np.testing.assert_allclose(np.diff(tail(beyond)), np.array([1, 4]) / mean)
    assert tail(scores.max()) == pytest.approx(np.log(4000))


def test_a_tail_of_equal_scores_separates_larger_ones():
    tail = Tail.fit(np.ones(20))
    assert tail(np.array([0.5])) < tail(np.array([1.5]))


def test_two_of_three_views_have_to_agree():
    tail = Tail(np.array([0.0, 10.0]), np.array([0.0, 10.0]), 1.0)
    views = np.array([[9.0, 0.0, 0.0], [6.0, 0.0, 5.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(combined([tail] * 3, views), [-9, -11, -2])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_views_are_those_of_usual_rows(X, kind):
    """Rows below the whisker of a box plot of likelihoods are no references."""
    linear = AutoencoderTransformer(3, hidden_layer_sizes=())
    detector = AutoencoderOutlierDetector(linear, bandwidth=1, random_state=5)
    detector.fit(kind(X))
    seed = np.random.RandomState(5).randint(2**31)
    expected = []
    for train, test in KFold(3, shuffle=True, random_state=seed).split(X):
        pca = PCA(3, svd_solver="full").fit(X[train])
        densities = pca.score_samples(X[train])
        low, high = np.percentile(densities, [25, 75])
        usual = X[train][densities >= low - 1.5 * (high - low)]
        assert len(usual) < len(train)
        centre = usual.mean(axis=0).astype(np.float32).astype(float)
        forest = IsolationForest(random_state=seed).fit(usual - centre)
        views = (
            -pca.score_samples(X[test]),
            -forest.score_samples(X[test] - centre),
            cdist(X[test], usual).min(axis=1),
        )
        expected.append((test, np.stack(views, axis=1)))
    order = np.argsort(np.concatenate([test for test, _ in expected]))
    held_out = np.concatenate([views for _, views in expected])[order]
    tails = [Tail.fit(view) for view in held_out.T]
    scores = combined(tails, held_out)
    np.testing.assert_allclose(detector.held_out_scores_, scores, rtol=1e-6, atol=1e-9)


def test_a_reference_is_not_its_own_neighbour(X):
    linear = AutoencoderTransformer(3, hidden_layer_sizes=())
    detector = AutoencoderOutlierDetector(linear, bandwidth=1, random_state=0).fit(X)
    references = detector._views.references
    distances = cdist(references, references)
    np.fill_diagonal(distances, np.inf)
    rows = references + detector._views.trees.centre
    found = detector._views._distances(rows)
    np.testing.assert_allclose(found, distances.min(axis=1), rtol=1e-6)


def test_rows_far_from_the_origin_keep_their_scores(X):
    linear = AutoencoderTransformer(3, hidden_layer_sizes=())
    detector = AutoencoderOutlierDetector(linear, bandwidth=1, random_state=0)
    expected = detector.fit(X).score_samples(X)
    found = detector.fit(X + 1e6).score_samples(X + 1e6)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=0.05)


@pytest.mark.parametrize(
    ("limits", "n_references"),
    [
        ({"_MOST_REFERENCES": 50}, 50),
        ({"_MOST_VALUES": 13 * 60, "_FEWEST_REFERENCES": 20}, 60),
        ({"_MOST_VALUES": 13 * 60, "_FEWEST_REFERENCES": 80}, 80),
    ],
)
def test_many_references_are_a_sample(X, monkeypatch, limits, n_references):
    for name, limit in limits.items():
        monkeypatch.setattr(f"skae._outlier_views.{name}", limit)
    linear = AutoencoderTransformer(3, hidden_layer_sizes=())
    views = AutoencoderOutlierDetector(linear, random_state=0).fit(X)._views
    assert isinstance(views, Views)
    assert views.references.shape == (n_references, 13)
    assert len(np.unique(views.references, axis=0)) == n_references
