"""``partial_fit`` trains on rows that come in batches."""

import pickle

import numpy as np
import pytest
from conftest import small_network
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, make_friedman1
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from skae import AutoencoderTransformer, ConvolutionalAutoencoderTransformer
from skae import _keras as keras
from skae._engines import networks
from skae._incremental._label_stream import LabelStream
from skae._model import NetworkCodec
from skae._networks import with_linear_path
from skae._objective import LabelStatistics
from skae._objective.target import Target


def fit_in_batches(estimator, X, y=None, classes=None, size=200, passes=1):
    """Call ``partial_fit`` on the rows of X, and on their labels, in batches."""
    for _ in range(passes):
        for rows in gen_batches(len(X), size):
            labels = () if y is None else (y[rows], classes)
            estimator.partial_fit(X[rows], *labels)
    return estimator


@pytest.mark.parametrize("whiten", [False, True])
def test_after_the_first_batch_the_model_is_pca_of_this_batch(whiten, digits):
    fitted = small_network(whiten=whiten).partial_fit(digits[:300])
    pca = PCA(3, whiten=whiten).fit(digits[:300])
    np.testing.assert_allclose(
        fitted.transform(digits), pca.transform(digits), atol=1e-8
    )
    np.testing.assert_allclose(fitted.explained_variance_, pca.explained_variance_)
    np.testing.assert_allclose(fitted.mean_, pca.mean_)
    assert fitted.n_iter_ == 1


def test_a_linear_autoencoder_in_batches_is_incremental_pca(digits):
    linear = fit_in_batches(AutoencoderTransformer(5, hidden_layer_sizes=()), digits)
    pca = IncrementalPCA(5, batch_size=200).fit(digits)
    np.testing.assert_allclose(
        linear.transform(digits), pca.transform(digits), atol=1e-6
    )
    assert linear.n_iter_ == 9


def test_a_network_that_is_better_replaces_pca(digits):
    X, unseen = digits[:1500], digits[1500:]
    fitted = fit_in_batches(small_network(), X, passes=5)
    pca = fit_in_batches(IncrementalPCA(3), X)
    error = np.square(unseen - fitted.reconstruct(unseen)).sum()
    restored = pca.inverse_transform(pca.transform(unseen))
    assert error < 0.9 * np.square(unseen - restored).sum()
    assert fitted.n_iter_ == 40
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    codes = fitted.transform(X[-100:])
    correlations = np.corrcoef(codes.T) - np.eye(3)
    assert np.abs(correlations).max() < 1e-3  # uncorrelated on the newest batch
    assert fitted.explained_variance_ratio_.sum() == pytest.approx(
        fitted.score(X[-100:]), abs=1e-6
    )


def test_incremental_pca_is_kept_for_noise():
    X = np.random.default_rng(0).normal(size=(2000, 10)) * np.arange(1, 11)
    fitted = fit_in_batches(small_network(), X)
    pca = fit_in_batches(IncrementalPCA(3), X)
    np.testing.assert_allclose(fitted.transform(X), pca.transform(X), atol=1e-5)


def test_partial_fit_continues_after_unpickling(digits):
    whole = fit_in_batches(small_network(), digits[:1000])
    half = fit_in_batches(small_network(), digits[:600])
    half = pickle.loads(pickle.dumps(half))
    half = fit_in_batches(half, digits[600:1000])
    np.testing.assert_array_equal(half.transform(digits), whole.transform(digits))


def test_sparse_batches_give_the_score_of_dense_batches(digits):
    dense = fit_in_batches(small_network(), digits[:800])
    some = small_network()
    for rows in gen_batches(800, 200):
        some.partial_fit(sparse.csr_matrix(digits[rows]))
    assert some.score(digits) == pytest.approx(dense.score(digits), abs=1e-3)


def test_fit_and_partial_fit_each_start_anew(digits):
    fitted = fit_in_batches(small_network(max_iter=2), digits[:600])
    fitted.fit(digits)
    fresh = small_network(max_iter=2).fit(digits)
    np.testing.assert_array_equal(fitted.transform(digits), fresh.transform(digits))
    fitted.partial_fit(digits[:300])
    assert fitted.n_iter_ == 1


def test_an_invalid_batch_changes_nothing(digits):
    fitted = fit_in_batches(small_network(), digits[:600])
    before = vars(fitted).copy()
    with pytest.raises(ValueError, match="X has 4 features"):
        fitted.partial_fit(digits[:, :4])
    with pytest.raises(ValueError, match="NaN"):
        fitted.partial_fit(np.full((3, 64), np.nan))
    assert all(vars(fitted)[name] is before[name] for name in before)
    with pytest.raises(ValueError, match="n_components=3 must be between"):
        small_network().partial_fit(digits[:2])
    fitted.partial_fit(digits[:1])  # later batches may be small


def test_partial_fit_with_a_changed_network_raises(digits):
    fitted = fit_in_batches(small_network(), digits[:600])
    for parameters, message in (
        (dict(n_components=2), "n_components=2 differs from the 3 components"),
        (dict(n_components=3, activation="tanh"), "The network differs from that of"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.set_params(**parameters).partial_fit(digits[:100])
    fitted.set_params(activation="relu", alpha=0.1).partial_fit(digits[:100])
    share = small_network(n_components=0.4)
    fit_in_batches(share, digits[:600])  # the first batch sets the number of components


def test_partial_fit_with_a_changed_optimizer_raises(digits):
    fitted = fit_in_batches(small_network(optimizer="adam"), digits[:600])
    before = vars(fitted).copy()
    # AdamW remembers as many numbers as Adam does, and would go on with them.
    others = "sgd", "adamw", "lion", keras.optimizers.Adam(beta_1=0.5)
    for optimizer in others:
        fitted.set_params(optimizer=optimizer)
        with pytest.raises(ValueError, match="optimizer=.* differs from that of the"):
            fitted.partial_fit(digits[:100])
    fitted.set_params(optimizer="adam")
    assert vars(fitted) == before
    fitted = pickle.loads(pickle.dumps(fitted)).partial_fit(digits[600:800])
    whole = fit_in_batches(small_network(), digits[:800])
    np.testing.assert_array_equal(fitted.transform(digits), whole.transform(digits))
    # Its rate is a number of each batch.
    fitted.set_params(learning_rate=1e-4).partial_fit(digits[:100])


def test_a_linear_autoencoder_has_no_optimizer_to_change(digits):
    linear = AutoencoderTransformer(5, hidden_layer_sizes=()).partial_fit(digits[:300])
    linear.set_params(optimizer="sgd").partial_fit(digits[300:])
    pca = IncrementalPCA(5).partial_fit(digits[:300]).partial_fit(digits[300:])
    np.testing.assert_allclose(
        linear.transform(digits), pca.transform(digits), atol=1e-6
    )


@pytest.mark.parametrize("shift", [100, 1000])
@pytest.mark.parametrize("learning_rate", [None, 1e-2])
def test_a_shift_of_level_does_not_spoil_the_model(learning_rate, shift, curve):
    X = np.resize(curve, (1200, 4))
    model = AutoencoderTransformer(
        1, hidden_layer_sizes=(32,), learning_rate=learning_rate, random_state=0
    )
    pca = IncrementalPCA(1)

    def ratio(rows):
        errors = [
            np.square(rows - restored).sum()
            for restored in (
                model.reconstruct(rows),
                pca.inverse_transform(pca.transform(rows)),
            )
        ]
        return errors[0] / errors[1]

    for _ in range(3):
        fit_in_batches(model, X)
        fit_in_batches(pca, X)
    assert model.selected_model_ == "network"
    assert ratio(X) < 0.95
    # A new level of all features, as after a repair of a sensor.
    shifted = X + shift * X.std()
    ratios = []
    for rows in gen_batches(600, 200):
        ratios.append(ratio(shifted[rows]))
        fit_in_batches(model, shifted[rows])
        fit_in_batches(pca, shifted[rows])
        ratios.append(ratio(shifted[rows]))
    # A network that was trained on one such batch may be thousands of times worse.
    assert max(ratios) < 3


def test_divergence_leaves_finite_weights(digits):
    fitted = small_network(optimizer="sgd", learning_rate=1e12)
    with pytest.warns(ConvergenceWarning, match="stopped being finite"):
        fit_in_batches(fitted, digits[:600])
    pca = fit_in_batches(IncrementalPCA(3), digits[:600])
    np.testing.assert_allclose(
        fitted.transform(digits), pca.transform(digits), atol=1e-5
    )
    weights, _ = fitted._incremental.state.weights["encoder"]
    assert all(np.isfinite(weight).all() for weight in weights)


def test_singular_values_count_all_rows(digits):
    linear = fit_in_batches(AutoencoderTransformer(5, hidden_layer_sizes=()), digits)
    pca = IncrementalPCA(5, batch_size=200).fit(digits)
    np.testing.assert_allclose(linear.singular_values_, pca.singular_values_)
    np.testing.assert_allclose(linear.noise_variance_, pca.noise_variance_)
    assert linear.n_samples_seen_ == pca.n_samples_seen_


def test_partial_fit_works_without_a_linear_path(digits):
    fitted = fit_in_batches(small_network(skip_connections=None), digits, passes=10)
    assert fitted.score(digits) > 0.4


def labelled_linear(weight=0.5, k=3, **parameters):
    """Return an autoencoder that is principal covariates regression."""
    return AutoencoderTransformer(
        k, hidden_layer_sizes=(), target_weight=weight, random_state=0, **parameters
    )


def labelled_network(**parameters):
    """Return a network that learns labels of digits in a few passes."""
    return small_network(**{"target_weight": 0.5, "n_components": 2, **parameters})


@pytest.fixture(scope="module")
def which():
    """Return which digit each image shows."""
    return load_digits().target


@pytest.fixture(scope="module")
def diabetes():
    """Return 442 rows of ten features in several units, and a number for each."""
    return load_diabetes(return_X_y=True, scaled=False)


def some_hidden(y, without_label, share=0.6):
    """Return labels of which a share is missing, and all of every third hundred."""
    hidden = np.random.default_rng(0).uniform(size=len(y)) < share
    hidden |= np.arange(len(y)) // 100 % 3 == 1
    return np.where(hidden, without_label, y)


@pytest.mark.parametrize("weight", [0.1, 0.9])
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("has_all_labels", [True, False])
@pytest.mark.parametrize("n_rows", [1797, 90])
def test_a_linear_autoencoder_in_batches_is_covariates_regression_of_all_rows(
    n_rows, has_all_labels, whiten, weight, digits, which
):
    X, y = digits[:n_rows], which[:n_rows]
    if not has_all_labels:
        y = some_hidden(y, -1)
    linear = labelled_linear(weight, whiten=whiten)
    classes = np.unique(y[y >= 0])
    batches = fit_in_batches(clone(linear), X, y, classes, size=n_rows // 9)
    whole = linear.fit(X, y)
    scale = np.ptp(whole.transform(X))
    np.testing.assert_allclose(
        batches.transform(X), whole.transform(X), atol=1e-6 * scale
    )
    np.testing.assert_allclose(batches.reconstruct(X), whole.reconstruct(X), atol=1e-6)
    for name in (
        "mean_",
        "explained_variance_",
        "explained_variance_ratio_",
        "singular_values_",
        "noise_variance_",
        "classes_",
    ):
        np.testing.assert_allclose(getattr(batches, name), getattr(whole, name))
    assert batches.coef_.shape == whole.coef_.shape
    assert batches.n_samples_seen_ == n_rows


@pytest.mark.parametrize("weight", [0.1, 0.9])
@pytest.mark.parametrize("has_all_labels", [True, False])
@pytest.mark.parametrize("n_targets", [None, 2])
@pytest.mark.parametrize("n_rows", [442, 30])
def test_numbers_in_batches_are_predicted_as_by_one_fit(
    n_rows, n_targets, has_all_labels, weight, diabetes
):
    X, y = (part[:n_rows] for part in diabetes)
    if n_targets:
        y = np.stack([y, 1e3 + X[:, 2] ** 2], axis=1)
    if not has_all_labels:
        hidden = np.random.default_rng(0).uniform(size=n_rows) < 0.5
        hidden[:10] = True  # the first batch has no labels
        y = y.copy()
        y[hidden] = np.nan
    linear = labelled_linear(weight)
    batches = fit_in_batches(clone(linear), X, y, size=10)
    whole = linear.fit(X, y)
    codes = whole.transform(X)
    np.testing.assert_allclose(batches.transform(X), codes, atol=1e-6 * np.ptp(codes))
    np.testing.assert_allclose(
        batches.transform(X) @ batches.coef_.T + batches.intercept_,
        codes @ whole.coef_.T + whole.intercept_,
        rtol=1e-6,
    )
    assert np.shape(batches.intercept_) == np.shape(whole.intercept_)


def test_rows_far_from_the_origin_keep_their_digits(diabetes):
    X, y = diabetes
    far = fit_in_batches(labelled_linear(), X + 1e7, y + 1e7, size=50)
    near = fit_in_batches(labelled_linear(), X, y, size=50)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-6)
    np.testing.assert_allclose(far.intercept_ - 1e7, near.intercept_, rtol=1e-6)


def test_classes_are_predicted_by_linear_discriminant_analysis(digits, which):
    fitted = fit_in_batches(labelled_linear(k=4), digits, which, np.arange(10))
    codes = fitted.transform(digits)
    logits = codes @ fitted.coef_.T + fitted.intercept_
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(codes, which)
    expected = lda.decision_function(codes)
    # Equal up to a number that all classes of a row share, and to the one row more.
    logits, expected = (a - a.mean(axis=1, keepdims=True) for a in (logits, expected))
    np.testing.assert_allclose(logits, expected, atol=0.01 * np.abs(expected).max())


def test_a_class_without_rows_yet_is_improbable(digits, which):
    seen = which < 5
    fitted = fit_in_batches(labelled_linear(), digits[seen], which[seen], np.arange(10))
    logits = fitted.transform(digits) @ fitted.coef_.T + fitted.intercept_
    assert np.isfinite(logits).all()
    assert (logits.argmax(axis=1) < 5).all()
    fitted.partial_fit(digits[~seen], which[~seen])
    logits = fitted.transform(digits) @ fitted.coef_.T + fitted.intercept_
    assert (logits.argmax(axis=1) == which).mean() > 0.6


@pytest.mark.parametrize("sizes", [(), (32,)])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_batches_without_labels_or_variety_are_no_obstacle(sizes, kind, digits, which):
    # First no label, then a single one, then one class at a time.
    order = np.argsort(which, kind="stable")
    y = which[order] if kind == "classes" else 0.1 + which[order]
    y[:120] = -1 if kind == "classes" else np.nan
    y[110] = 0
    classes = np.arange(10) if kind == "classes" else None
    fitted = labelled_network(hidden_layer_sizes=sizes)
    fit_in_batches(fitted, digits[order], y, classes, size=100)
    assert np.isfinite(fitted.loss_curve_).all()
    assert np.isfinite(fitted.coef_).all()
    assert fitted.score(digits) > PCA(2).fit(digits).explained_variance_ratio_.sum() / 2
    if not sizes:
        whole = labelled_linear(k=2).fit(digits[order], y)
        np.testing.assert_allclose(
            fitted.transform(digits), whole.transform(digits), atol=1e-6
        )


def test_before_the_first_label_the_model_is_pca(digits):
    for y, classes in ((np.full(300, np.nan), None), (np.full(300, -1), ["a", "b"])):
        fitted = labelled_network().partial_fit(digits[:300], y, classes)
        pca = PCA(2).fit(digits[:300])
        np.testing.assert_allclose(
            fitted.transform(digits), pca.transform(digits), atol=1e-8
        )
        np.testing.assert_array_equal(fitted.coef_, 0)


def test_a_network_that_predicts_better_replaces_the_linear_model(digits, which):
    X, y = digits[:1400], which[:1400]
    unseen, expected = digits[1400:], which[1400:]
    network = fit_in_batches(
        labelled_network(hidden_layer_sizes=(128,)), X, y, np.arange(10), passes=12
    )
    linear = fit_in_batches(labelled_linear(k=2), X, y, np.arange(10))
    assert network.selected_model_ == "network"

    def accuracy(fitted):
        logits = fitted.transform(unseen) @ fitted.coef_.T + fitted.intercept_
        return (fitted.classes_[logits.argmax(axis=1)] == expected).mean()

    assert accuracy(network) > accuracy(linear) + 0.1
    assert network.score(unseen) > linear.score(unseen)


def test_a_network_that_only_predicts_better_is_kept_too():
    # Independent features: no network reconstructs them better than PCA.
    X, y = make_friedman1(5000, 6, random_state=0)
    network = labelled_network(target_weight=0.9, hidden_layer_sizes=(64,))
    fit_in_batches(network, X[:4000], y[:4000], size=400, passes=4)
    linear = fit_in_batches(labelled_linear(0.9, k=2), X[:4000], y[:4000])
    assert network.selected_model_ == "network"
    errors = [
        np.square(
            y[4000:] - fitted.transform(X[4000:]) @ fitted.coef_ - fitted.intercept_
        ).mean()
        for fitted in (network, linear)
    ]
    assert errors[0] < 0.5 * errors[1]


def test_the_linear_model_is_kept_where_nothing_is_to_be_learnt():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 10)) * np.arange(1, 11)
    y = X[:, 0] + rng.normal(size=2000)
    network = fit_in_batches(labelled_network(), X, y)
    # The network's weight of the labels belongs to errors relative to PCA's.
    left = 1 - PCA(2).fit(X).explained_variance_ratio_.sum()
    linear = labelled_linear(left / (left + 1), k=2).fit(X, y)
    assert network.selected_model_ == "linear"
    np.testing.assert_allclose(network.transform(X), linear.transform(X), atol=1e-6)
    np.testing.assert_allclose(network.coef_, linear.coef_, atol=1e-6)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_network_is_compared_with_the_linear_model_of_all_rows(kind, digits, which):
    """The weights that are evaluated compute what the fitted estimator computes."""
    y = which if kind == "classes" else 3.0 * which + 5
    classes = np.arange(10) if kind == "classes" else None
    X = digits + np.linspace(0, 5, len(digits))[:, None]  # the mean moves
    state = fit_in_batches(labelled_network(), X, y, classes)._incremental
    ahead = (state.linear.mean - state.scaling.mean) / state.scaling.scale
    path = state.linear.path.centred_at(ahead)
    weights = with_linear_path(networks(state.spec), state.state.weights, path)
    codec = NetworkCodec.plain(state.spec, state.scaling, weights)
    fitted = state.linear.fitted(state.scaling.scale, False, np.float64)
    codes = fitted.codec.encode(X)
    np.testing.assert_allclose(codec.encode(X), codes, atol=1e-4 * np.ptp(codes))
    np.testing.assert_allclose(
        codec.decode(codec.encode(X)), fitted.codec.decode(codes), atol=1e-3
    )
    expected = codes @ fitted.head[0] + fitted.head[1]
    np.testing.assert_allclose(
        codec.encode(X) @ codec.head[0] + codec.head[1],
        expected,
        atol=1e-4 * np.ptp(expected),
    )


def test_statistics_of_batches_are_those_of_all_labels():
    label = np.random.default_rng(0).normal(1e3, size=(100, 3))
    label[40:60] = label[90] = np.nan
    whole, merged = LabelStatistics.of(label), LabelStatistics.of(label[:20])
    for rows in gen_batches(80, 20):
        merged = merged.merged(LabelStatistics.of(label[20:][rows]))
    for one, other in zip(merged, whole, strict=True):
        np.testing.assert_allclose(one, other)
    known = label[~np.isnan(label[:, 0])]
    np.testing.assert_allclose(whole.share, 0.79)
    np.testing.assert_allclose(whole.variance, known.var(axis=0).sum())


@pytest.mark.parametrize("kind", ["classes", "numbers"])
@pytest.mark.parametrize("n_labelled", [0, 1, 30])
def test_the_loss_of_constant_labels_counts_for_nothing(kind, n_labelled):
    label = np.full((30, 2), np.nan)
    label[:n_labelled] = [1.0, 0.0]
    statistics = LabelStatistics.of(label)
    parameters = {"target_weight": 0.5}
    assert Target(kind).numbers(parameters, None, None, 0.3, statistics) == 0


@pytest.mark.parametrize("sizes", [(), (32,)])
def test_a_stream_with_labels_continues_after_unpickling(sizes, digits, which):
    y = some_hidden(which, -1)
    start = labelled_network(hidden_layer_sizes=sizes, n_components=3)
    fit_in_batches(start, digits[:600], y[:600], np.arange(10))
    later = (digits[600:1000], y[600:1000])
    copies = [pickle.loads(pickle.dumps(start)), start]
    for fitted in copies:
        fit_in_batches(fitted, *later)
    restored, whole = copies
    np.testing.assert_array_equal(restored.transform(digits), whole.transform(digits))
    np.testing.assert_array_equal(restored.coef_, whole.coef_)


def test_classes_of_any_type_give_the_same_codes(digits, which):
    names = np.array([f"digit {digit}" for digit in range(10)])
    expected = fit_in_batches(labelled_linear(), digits, which, np.arange(10))
    for y, classes in (
        (names[which], list(names)),
        (names[which].astype(object), names[::-1]),
        (which.astype(np.int8), np.arange(10.0)),
    ):
        fitted = fit_in_batches(labelled_linear(), digits, y, classes)
        np.testing.assert_array_equal(
            fitted.transform(digits), expected.transform(digits)
        )
        np.testing.assert_array_equal(fitted.coef_, expected.coef_)
        np.testing.assert_array_equal(fitted.classes_, np.sort(classes))


def refused(fitted, message, *arguments):
    """Check that a call raises and leaves everything as it was."""
    before = vars(fitted).copy()
    with pytest.raises(ValueError, match=message):
        fitted.partial_fit(*arguments)
    assert vars(fitted).keys() == before.keys()
    assert all(vars(fitted)[name] is before[name] for name in before)


def test_impossible_first_labels_are_refused(digits, which):
    X, y = digits[:100], which[:100]
    for message, *arguments in (
        ("requires y to be passed", X),
        ("inconsistent numbers of samples", X, y[:50], np.arange(10)),
        ("`y` has classes not in `classes`", X, y, [0, 1]),
        ("must not hold -1", X, y, np.arange(-1, 10)),
        ("were passed, but y has the dtype float64", X, y.astype(float), [0.0, 1.0]),
        ("infinity", X, np.full(100, np.inf)),
        ("needs at least two", X, np.full(100, -1)),
    ):
        refused(labelled_linear(), message, *arguments)


def test_later_labels_have_to_fit_to_the_first(digits, which):
    X, y = digits[:100], which[:100]
    fitted = labelled_linear().partial_fit(X, y, np.arange(10))
    refused(fitted, "is not the same as on last call", X, y, np.arange(11))
    refused(fitted, "`y` has classes not in `classes`", X, y + 1)
    refused(fitted, "stands for numbers, but the earlier .* classes", X, y / 2)
    refused(fitted, "requires y to be passed", X)
    fitted.partial_fit(X, y).partial_fit(X, y, np.arange(10)[::-1])
    fitted.set_params(target_weight=0)
    refused(fitted, "were learnt with labels", X, y)

    fitted = labelled_linear().partial_fit(X, y / 2)
    refused(fitted, "stands for classes, but the earlier .* numbers", X, y)
    refused(fitted, "labels of the earlier batches are numbers", X, y / 2, [0, 1])
    refused(fitted, "y has 2 columns", X, np.stack([y, y], axis=1) / 2)

    fitted = small_network().partial_fit(X, y)
    refused(fitted.set_params(target_weight=0.5), "were learnt with no labels", X, y)


def test_classes_have_to_be_passed_on_the_first_call(digits, which):
    # scikit-learn's checks of transformers fit a single batch without them.
    X, y = digits[:100], which[:100]
    fitted = labelled_linear().partial_fit(X, y)
    whole = labelled_linear().partial_fit(X, y, np.arange(10))
    np.testing.assert_array_equal(fitted.transform(X), whole.transform(X))
    refused(fitted, "classes must be passed on the first call to partial_fit", X, y)
    fitted.partial_fit(X, y, np.arange(10)).partial_fit(X, y)


def test_without_a_weight_labels_change_nothing(digits, which):
    with_labels = fit_in_batches(small_network(), digits, which, np.arange(3))
    without = fit_in_batches(small_network(), digits)
    np.testing.assert_array_equal(
        with_labels.transform(digits), without.transform(digits)
    )
    assert not hasattr(with_labels, "coef_")


def test_too_many_features_for_their_products_are_refused():
    X, y = np.zeros((3, 4001)), np.arange(3.0)
    refused(labelled_linear(k=1), "at most 4000 features", X, y)
    plain = labelled_network(skip_connections=None)
    assert plain.partial_fit(X, y).coef_.shape == (2,)


def test_fit_and_partial_fit_with_labels_each_start_anew(digits, which):
    fitted = labelled_linear().fit(digits, which)
    fitted.partial_fit(digits[:200], which[:200] / 2)
    assert not hasattr(fitted, "classes_")
    assert fitted.n_samples_seen_ == 200
    fitted.fit(digits, which)
    fitted.partial_fit(digits[:200], which[:200], np.arange(10))
    assert fitted.coef_.shape == (10, 3)


def test_labels_are_not_stored(digits, which):
    fitted = labelled_linear().partial_fit(digits, which, np.arange(10))
    labels = fitted._incremental.labels
    assert isinstance(labels, LabelStream)
    assert labels.newest.values.shape == (0, 10)


@pytest.mark.parametrize(
    "parameters", [{"skip_connections": None}, {"sparsity": 0.1}, {"loss": "mae"}]
)
def test_labels_in_batches_go_with_other_parameters(parameters, digits, which):
    fitted = labelled_network(**parameters)
    fit_in_batches(fitted, digits, which, np.arange(10), passes=3)
    codes = fitted.transform(digits)
    logits = codes @ fitted.coef_.T + fitted.intercept_
    assert (logits.argmax(axis=1) == which).mean() > 0.4
    assert np.isfinite(fitted.loss_curve_).all()


def test_images_have_labels_in_batches(digits, which):
    fitted = ConvolutionalAutoencoderTransformer(
        filters=(4,), hidden_layer_sizes=(16,), target_weight=0.5, random_state=0
    )
    X, y = sparse.csr_matrix(digits[:400]), which[:400]
    fit_in_batches(fitted, digits[:400], y, np.arange(10))
    logits = fitted.transform(X) @ fitted.coef_.T + fitted.intercept_
    assert (logits.argmax(axis=1) == y).mean() > 0.4


def test_sparse_batches_with_labels_are_dense_batches(digits, which):
    expected = fit_in_batches(labelled_linear(), digits, which, np.arange(10))
    found = labelled_linear()
    for rows in gen_batches(len(digits), 200):
        found.partial_fit(sparse.csr_matrix(digits[rows]), which[rows], np.arange(10))
    np.testing.assert_allclose(
        found.transform(digits), expected.transform(digits), atol=1e-9
    )
