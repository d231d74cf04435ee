"""The encoder's Jacobian, counterfactual rows, and their displays."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import images, small_network
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC

from skae import AutoencoderTransformer
from skae.inspection import (
    counterfactual,
    encoder_jacobian,
    outlier_contributions,
)
from skae.outliers import AutoencoderOutlierDetector
from skae.plot import CounterfactualDisplay, EncoderJacobianDisplay

pytestmark = pytest.mark.usefixtures("close_figures")

Y = load_digits().target


@pytest.fixture(scope="module")
def recogniser(digits, network):
    """Return a pipeline of a network and a classifier on its codes."""
    codes = network.transform(digits[:500])
    return make_pipeline(network, LogisticRegression(max_iter=5000).fit(codes, Y[:500]))


def test_the_jacobian_of_pca_is_its_axes_divided_by_the_units(wine):
    scaler, pca = StandardScaler(), AutoencoderTransformer(3, hidden_layer_sizes=())
    pipeline = make_pipeline(scaler, pca).fit(wine)
    found = encoder_jacobian(pipeline, wine, 5)
    np.testing.assert_allclose(found, pca.components_ / scaler.scale_, atol=1e-9)


SHORT = {"max_iter": 2, "early_stopping": False, "random_state": 0}


@pytest.mark.jax
@pytest.mark.parametrize(
    ("model", "tolerance"),
    [
        (small_network(activation="tanh", **SHORT), 1e-4),
        # Compiled code computes in float32.
        pytest.param(
            images(filters=4, hidden_layer_sizes=(), **SHORT),
            1e-2,
            marks=pytest.mark.slow,
        ),
    ],
    ids=["by NumPy", "compiled"],
)
def test_the_jacobian_of_a_network_is_that_of_automatic_differentiation(
    model, tolerance, digits
):
    import jax

    model = clone(model).fit(digits)
    encoder = model.encoder_
    expected = jax.jacobian(lambda row: encoder(row[None])[0])(
        digits[7].astype(np.float32)
    )
    found = encoder_jacobian(model, digits, 7)
    np.testing.assert_allclose(found, expected, atol=tolerance)
    assert np.abs(found).max() > 0.1


def test_the_jacobian_sees_the_steps_before_the_autoencoder(wine):
    steps = QuantileTransformer(n_quantiles=20), StandardScaler()
    before = make_pipeline(*steps)
    pipeline = make_pipeline(before, AutoencoderTransformer(2, hidden_layer_sizes=()))
    found = encoder_jacobian(pipeline.fit(wine), wine, 3)
    # Monotonous functions of single features, so the chain rule is a product.
    step = 1e-4 * wine.to_numpy().std(axis=0)
    above, below = (
        before.transform(wine.iloc[[3]] + sign * step)[0] for sign in (1, -1)
    )
    slopes = (above - below) / (2 * step)
    np.testing.assert_allclose(found, pipeline[-1].components_ * slopes, atol=1e-6)


@pytest.mark.parametrize(
    ("row", "message"), [(-1, "row == -1"), (178, "row == 178"), (0.5, "row must be")]
)
def test_rows_that_are_not_there_are_refused(row, message, wine):
    model = make_pipeline(
        AutoencoderTransformer(2, hidden_layer_sizes=()), RidgeClassifier()
    ).fit(wine, np.arange(178) % 2)
    for function in (encoder_jacobian, counterfactual):
        with pytest.raises((ValueError, TypeError), match=message):
            function(model, wine, row)
        with pytest.raises(ValueError, match="X must have at least 2 rows"):
            function(model, wine[:1], 0)


@pytest.mark.parametrize("between", [(), (StandardScaler(),)])
def test_a_counterfactual_is_on_the_shortest_path_to_the_boundary(
    between, recogniser, digits
):
    network = recogniser[0]
    after = make_pipeline(*between, LogisticRegression(max_iter=5000))
    after.fit(network.transform(digits[:500]), Y[:500])
    pipeline = make_pipeline(network, after)
    row = 10
    found = counterfactual(pipeline, digits, row, target=9, n_steps=3)
    codes = network.transform(digits)
    # The hyperplane of the two classes, by the coefficients.
    scale = between and after[0].scale_
    unit = np.ones(3) if not between else scale
    classifier = after[-1]
    normal = (classifier.coef_[9] - classifier.coef_[found.predicted]) / unit
    covariance = np.cov(codes, rowvar=False)
    margin = after.decision_function(codes[[row]])[0]
    margin = margin[9] - margin[found.predicted]
    path = -margin * covariance @ normal / (normal @ covariance @ normal)
    np.testing.assert_allclose(found.steps, [0, 1, 2])
    np.testing.assert_allclose(found.codes[0], codes[row], rtol=1e-5)
    np.testing.assert_allclose(
        found.codes[1] - found.codes[0], path, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        found.codes[2] - found.codes[0], 2 * path, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(found.margins, [margin, 0, -margin], atol=1e-4)
    np.testing.assert_array_equal(found.rows, network.inverse_transform(found.codes))
    np.testing.assert_array_equal(found.predictions, after.predict(found.codes))
    # No other code of the boundary is nearer in deviations of the codes.
    rng = np.random.default_rng(0)
    others = path + rng.normal(size=(100, 3))
    others -= np.outer(others @ normal + margin, normal) / (normal @ normal)
    inverse = np.linalg.inv(covariance)
    distances = np.einsum("ij,jk,ik->i", others, inverse, others)
    assert path @ inverse @ path < distances.min()


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(max_iter=1000),
        RidgeClassifier(),
        LinearSVC(),
        SVC(kernel="linear"),
        LinearDiscriminantAnalysis(),
    ],
)
def test_two_classes_of_any_linear_classifier(classifier, wine):
    y = np.where(np.arange(178) < 59, "first", "other")
    pipeline = make_pipeline(
        StandardScaler(), AutoencoderTransformer(2, hidden_layer_sizes=()), classifier
    ).fit(wine, y)
    for row, names in {0: ("first", "other"), 170: ("other", "first")}.items():
        found = counterfactual(pipeline, wine, row)
        assert (found.predicted, found.target) == names
        assert found.predictions[[0, -1]].tolist() == list(names)
        # Decoded rows are in the units of X.
        expected = pipeline[:-1].inverse_transform(found.codes)
        np.testing.assert_array_equal(found.rows, expected)


def test_without_a_target_the_path_goes_to_the_second_best_class(recogniser, digits):
    decisions = recogniser.decision_function(digits[[4]])[0]
    found = counterfactual(recogniser, digits, 4)
    assert [found.target, found.predicted] == np.argsort(decisions)[-2:].tolist()


def test_what_has_no_counterfactual_is_refused(recogniser, digits):
    with pytest.raises(ValueError, match=r"target=11 is none of the classes \[0, 1"):
        counterfactual(recogniser, digits, 0, target=11)
    predicted = int(recogniser.predict(digits[:1])[0])
    with pytest.raises(ValueError, match=f"target={predicted} is the class that is"):
        counterfactual(recogniser, digits, 0, target=predicted)
    for bad in ({"n_steps": 1}, {"n_steps": 2.0}, {"reach": 0}, {"reach": "far"}):
        with pytest.raises((ValueError, TypeError), match=next(iter(bad))):
            counterfactual(recogniser, digits, 0, **bad)
    network = recogniser[0]
    for last in (SVC(), StandardScaler()):
        pipeline = make_pipeline(network, clone(last))
        pipeline[-1].fit(network.transform(digits[:200]), Y[:200])
        with pytest.raises(TypeError, match="a linear classifier on its codes"):
            counterfactual(pipeline, digits, 0)
    with pytest.raises(TypeError, match="a linear classifier on its codes"):
        counterfactual(network, digits, 0)
    # Votes of pairs of classes are no linear function.
    for curved in (
        make_pipeline(PolynomialFeatures(2), RidgeClassifier()),
        SVC(kernel="linear"),
    ):
        curved.fit(network.transform(digits[:400]), Y[:400])
        with pytest.raises(ValueError, match="The decision is not linear in the codes"):
            counterfactual(make_pipeline(network, curved), digits, 0)
    with pytest.raises(ValueError, match="the codes of X do not vary"):
        counterfactual(recogniser, digits[[5, 5, 5]], 0)


def test_the_path_is_shown_with_its_predictions_and_the_change(recogniser, digits):
    display = CounterfactualDisplay.from_estimator(
        recogniser, digits, 3, target=9, n_steps=4, image_shape=(8, 8)
    )
    found = counterfactual(recogniser, digits, 3, target=9, n_steps=4)
    sheet = np.ma.getdata(display.image_.get_array())
    for column, row in enumerate([digits[3], *found.rows]):
        image = sheet[:, 9 * column : 9 * column + 8]
        np.testing.assert_allclose(image.ravel(), row)
    change = display.change_image_.get_array()
    np.testing.assert_allclose(change.ravel(), found.rows[-1] - found.rows[0])
    low, high = display.change_image_.get_clim()
    assert low == -high == -np.abs(change).max()
    # The images stand side by side.
    left, right = display.image_.get_extent(), display.change_image_.get_extent()
    assert right[0] == left[1] + 1
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    steps = ["0", "0.667", "1.33", "2"]
    named = zip(found.predictions, steps, strict=True)
    assert labels == ["row", *[f"{p}\nat {s}" for p, s in named], "change"]
    assert display.ax_.get_title() == f"from {found.predicted} to 9"


def test_the_path_of_a_table_is_shown_as_lines(wine):
    y = pd.Series(np.arange(178) // 60)
    pipeline = make_pipeline(
        StandardScaler(),
        AutoencoderTransformer(2, hidden_layer_sizes=()),
        LogisticRegression(),
    ).fit(wine, y)
    display = CounterfactualDisplay.from_estimator(
        pipeline, wine, 0, n_steps=2, standardize=True
    )
    found = counterfactual(pipeline, wine, 0, n_steps=2)
    values = [line.get_ydata()[:13] for line in display.lines_]
    expected = pipeline[0].transform(wine[:1])[0]
    np.testing.assert_allclose(values[0], expected)
    expected = (found.rows - pipeline[0].mean_) / pipeline[0].scale_
    np.testing.assert_allclose(values[1:], expected)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == list(wine.columns)


def test_the_jacobian_is_shown_beside_the_row(recogniser, digits):
    display = EncoderJacobianDisplay.from_estimator(
        recogniser, digits, 3, components=[2, 0], image_shape=(8, 8)
    )
    expected = encoder_jacobian(recogniser, digits, 3)[[2, 0]]
    np.testing.assert_allclose(display.image_.get_array().ravel(), digits[3])
    sheet = np.ma.getdata(display.jacobian_image_.get_array())
    for column, row in enumerate(expected):
        found = sheet[:, 9 * column : 9 * column + 8]
        np.testing.assert_allclose(found.ravel(), row)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == ["row", "code 2", "code 0"]


def test_the_jacobian_for_standardized_features(wine):
    pipeline = make_pipeline(
        StandardScaler(), AutoencoderTransformer(2, hidden_layer_sizes=())
    ).fit(wine)
    display = EncoderJacobianDisplay.from_estimator(pipeline, wine, 3, standardize=True)
    for line, axis in zip(display.lines_, pipeline[-1].components_, strict=True):
        np.testing.assert_allclose(line.get_ydata()[:13], axis, atol=1e-9)
    assert display.ax_.get_ylabel() == "Jacobian per deviation"


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame, np.asarray])
def test_contributions_to_an_outlier_have_the_names_of_the_features(container, wine):
    X = container(wine)
    detector = AutoencoderOutlierDetector(
        AutoencoderTransformer(2, hidden_layer_sizes=()), random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), detector).fit(X)
    found = outlier_contributions(pipeline, X[:5])
    expected = detector.explain(pipeline[0].transform(X[:5]))
    np.testing.assert_array_equal(found, expected)
    alone = clone(detector).fit(X).explain(X[:5])
    if container is not np.asarray:
        assert list(found.columns) == list(alone.columns) == list(wine.columns)
        assert type(found) is type(alone) is container
    with pytest.raises(TypeError, match="ends with one"):
        outlier_contributions(make_pipeline(StandardScaler()).fit(X), X)


def test_contributions_keep_the_index_of_the_rows(wine):
    detector = AutoencoderOutlierDetector(
        AutoencoderTransformer(2, hidden_layer_sizes=()), random_state=0
    ).fit(wine)
    assert outlier_contributions(detector, wine[7:9]).index.tolist() == [7, 8]


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame, np.asarray])
def test_contributions_of_groups_have_their_names(container, wine):
    X = container(wine)
    detector = AutoencoderOutlierDetector(
        AutoencoderTransformer(2, hidden_layer_sizes=()), random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), detector).fit(X)
    groups = ["odd", "even"] * 6 + ["odd"]
    found = outlier_contributions(pipeline, X[:5], feature_groups=groups)
    rows = pipeline[0].transform(X[:5])
    np.testing.assert_array_equal(found, detector.explain(rows, feature_groups=groups))
    if container is not np.asarray:
        assert list(found.columns) == ["odd", "even"]
