"""The displays: what they have in common, and what each of them shows."""

import copy
import inspect
import sys
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import run, small_network
from matplotlib.colors import LogNorm, to_rgba
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

import skae.plot
from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.plot import (
    CounterfactualDisplay,
    EncoderJacobianDisplay,
    ExplainedVarianceDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    ReconstructionDisplay,
    TrainingCurveDisplay,
)

pytestmark = pytest.mark.usefixtures("close_figures")

Y = load_digits().target


def pca(n_components=3):
    """Return an autoencoder that is PCA. Displays show it as they show a network."""
    return AutoencoderTransformer(n_components, hidden_layer_sizes=())


def classifier():
    return LogisticRegression(max_iter=1000)


@pytest.fixture(scope="module")
def few(digits):
    """Return the first 200 digits."""
    return digits[:200]


@pytest.fixture(scope="module")
def pipeline(few):
    """Return a classifier of digits whose autoencoder is PCA."""
    return make_pipeline(MinMaxScaler(), pca(), classifier()).fit(few, Y[:200])


@pytest.fixture(scope="module")
def linear(digits):
    return pca(4).fit(digits)


def texts(labels):
    return [label.get_text() for label in labels]


def tile(image, row, column, side=8):
    """Return one image of a grid with gaps of one pixel."""
    sheet = np.ma.getdata(image.get_array())
    top, left = row * (side + 1), column * (side + 1)
    return sheet[top : top + side, left : left + side]


def drawn(display):
    """Return all numbers that are drawn as lines, points or images."""
    ax = display.ax_
    lines = [line.get_xydata() for line in ax.lines]
    points = [points.get_offsets() for points in ax.collections]
    images = [image.get_array().filled(np.nan) for image in ax.images]
    return np.concatenate([np.ravel(one) for one in (*lines, *points, *images)])


# Each display, as it is made from an estimator and rows.
MAKE = {
    ReconstructionDisplay: ReconstructionDisplay.from_estimator,
    LatentSpaceDisplay: LatentSpaceDisplay.from_estimator,
    LatentTraversalDisplay: LatentTraversalDisplay.from_estimator,
    TrainingCurveDisplay: lambda e, X, **k: TrainingCurveDisplay.from_estimator(e, **k),
    ExplainedVarianceDisplay: (
        lambda e, X, **k: ExplainedVarianceDisplay.from_estimator(e, **k)
    ),
    EncoderJacobianDisplay: partial(EncoderJacobianDisplay.from_estimator, row=0),
    CounterfactualDisplay: partial(CounterfactualDisplay.from_estimator, row=0),
}
every_display = pytest.mark.parametrize("display", MAKE, ids=lambda one: one.__name__)


def test_all_displays_are_tested_here():
    assert sorted(one.__name__ for one in MAKE) == skae.plot.__all__


def test_importing_the_module_imports_no_matplotlib_and_no_keras():
    result = run(
        "import sys, skae.plot; print({'matplotlib', 'keras'} & set(sys.modules))"
    )
    assert result.stdout.strip() == "set()", result.stderr


@every_display
def test_the_constructor_only_stores(display):
    names = list(inspect.signature(display).parameters)
    given = {name: object() for name in names}
    assert vars(display(**given)) == given


@every_display
def test_without_matplotlib_the_error_says_how_to_install_it(
    display, pipeline, few, monkeypatch
):
    made = MAKE[display](pipeline, few)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    message = rf"{display.__name__}\.{{}} needs matplotlib. Install it by `pip install"
    with pytest.raises(ImportError, match=message.format("from_estimator")):
        MAKE[display](pipeline, few)
    with pytest.raises(ImportError, match=message.format("plot")):
        made.plot()


@every_display
def test_axes_are_made_or_taken_and_plot_returns_the_display(display, pipeline, few):
    made = MAKE[display](pipeline, few)
    assert made.ax_.figure is made.figure_
    _, axes = plt.subplots(1, 2)
    before = made.ax_
    assert made.plot(axes[1]) is made
    assert made.ax_ is axes[1] is not before
    assert made.figure_ is axes[1].figure
    assert not axes[0].has_data()
    assert axes[1].has_data()
    given = MAKE[display](pipeline, few, ax=axes[0])
    assert given.ax_ is axes[0]
    np.testing.assert_array_equal(drawn(given), drawn(made))
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes, or None"):
        made.plot(axes)


@pytest.fixture(scope="module")
def forms(pipeline, few):
    """Return the same rows in other forms, and pipelines that were fitted to them."""
    names = [f"pixel{i}" for i in range(64)]
    frames = (
        pd.DataFrame(few, columns=names, index=few[:, 3]),
        pl.DataFrame(few, names),
    )
    search = GridSearchCV(pipeline, {"autoencodertransformer__whiten": [False]}, cv=2)
    return [
        *((clone(pipeline).fit(frame, Y[:200]), frame) for frame in frames),
        (search.fit(few, Y[:200]), few),
    ]


@pytest.fixture(scope="module")
def unscaled(few):
    """Return a pipeline that takes sparse rows."""
    return make_pipeline(pca(), classifier()).fit(few / 16, Y[:200])


@every_display
def test_frames_sparse_rows_and_searches_give_the_figure_of_arrays(
    display, pipeline, forms, unscaled, few
):
    expected = drawn(MAKE[display](pipeline, few))
    for fitted, rows in forms:
        np.testing.assert_allclose(drawn(MAKE[display](fitted, rows)), expected)
    dense, coo, csr = (
        drawn(MAKE[display](unscaled, kind(few / 16)))
        for kind in (np.array, sparse.coo_array, sparse.csr_matrix)
    )
    np.testing.assert_allclose(coo, dense, atol=1e-9)
    np.testing.assert_allclose(csr, dense, atol=1e-9)


@every_display
def test_pipelines_in_pipelines_and_frozen_ones_give_the_same_figure(
    display, pipeline, few
):
    scaler, autoencoder, last = (step for _, step in pipeline.steps)
    expected = drawn(MAKE[display](pipeline, few))
    for nested in (
        make_pipeline(make_pipeline(scaler, autoencoder), last),
        make_pipeline(scaler, make_pipeline(autoencoder, last)),
        make_pipeline(FrozenEstimator(make_pipeline(scaler, autoencoder)), last),
        FrozenEstimator(pipeline),
    ):
        found = drawn(MAKE[display](nested, few))
        np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def pipelines_of_wine(wine):
    """Return two pipelines. In the second, steps hand on frames of pandas."""
    y = np.arange(len(wine)) % 2
    steps = StandardScaler(), pca(), LogisticRegression()
    plain, frames = (clone(make_pipeline(*steps)) for _ in range(2))
    frames.set_output(transform="pandas")
    return plain.fit(wine, y), frames.fit(wine, y)


@every_display
def test_frames_of_pandas_from_the_steps_before_are_understood(
    display, pipelines_of_wine, wine
):
    found = [drawn(MAKE[display](one, wine)) for one in pipelines_of_wine]
    np.testing.assert_allclose(found[1], found[0], atol=1e-9)


@pytest.fixture(scope="module")
def classifier_on_network(network, few):
    """Return a pipeline of a network and a classifier on its codes."""
    after = make_pipeline(StandardScaler(), classifier())
    return make_pipeline(network, after.fit(network.transform(few), Y[:200]))


@every_display
def test_a_trained_network_is_shown(display, classifier_on_network, few):
    figure = MAKE[display](classifier_on_network, few).figure_
    figure.canvas.draw()
    assert np.ptp(np.asarray(figure.canvas.buffer_rgba()), axis=(0, 1)).any()


@every_display
def test_what_is_no_fitted_autoencoder_is_refused(display, digits):
    no_codes = make_pipeline(Normalizer(), LogisticRegression())
    for bad in (LogisticRegression(), AutoencoderTransformer, no_codes, pca()):
        with pytest.raises((TypeError, ValueError, AttributeError)) as found:
            MAKE[display](bad, digits)
        words = "must be a fitted", "is not fitted yet", "linear classifier"
        assert any(word in str(found.value) for word in words)


@pytest.mark.parametrize(
    ("display", "keywords", "artist"),
    [
        (ReconstructionDisplay, "line_kwargs", lambda d: d.lines_[0]),
        (LatentTraversalDisplay, "line_kwargs", lambda d: d.lines_[0]),
        (TrainingCurveDisplay, "line_kwargs", lambda d: d.loss_line_),
        (TrainingCurveDisplay, "start_kwargs", lambda d: d.start_line_),
        (ExplainedVarianceDisplay, "line_kwargs", lambda d: d.line_),
        (EncoderJacobianDisplay, "line_kwargs", lambda d: d.lines_[0]),
        (CounterfactualDisplay, "line_kwargs", lambda d: d.lines_[0]),
    ],
)
def test_keywords_of_lines_replace_the_defaults_by_either_name(
    display, keywords, artist, pipeline, few
):
    for name in ("c", "color"):
        given = {keywords: {name: "magenta", "lw": 7}}
        line = artist(MAKE[display](pipeline, few, **given))
        assert to_rgba(line.get_color()) == to_rgba("magenta")
        assert line.get_linewidth() == 7


@pytest.mark.parametrize(
    ("display", "keywords", "image"),
    [
        (ReconstructionDisplay, "image_kwargs", "image_"),
        (LatentTraversalDisplay, "image_kwargs", "image_"),
        (EncoderJacobianDisplay, "image_kwargs", "image_"),
        (EncoderJacobianDisplay, "jacobian_kwargs", "jacobian_image_"),
        (CounterfactualDisplay, "image_kwargs", "image_"),
        (CounterfactualDisplay, "change_kwargs", "change_image_"),
    ],
)
def test_keywords_of_images_replace_the_defaults(
    display, keywords, image, pipeline, few
):
    given = {keywords: {"cmap": "magma", "vmax": 40.0}, "image_shape": (8, 8)}
    made = MAKE[display](pipeline, few, **given)
    assert getattr(made, image).get_cmap().name == "magma"
    assert getattr(made, image).get_clim()[1] == 40
    assert made.lines_ is None
    norm = LogNorm(1, 20)
    given[keywords] = {"norm": norm}
    assert getattr(MAKE[display](pipeline, few, **given), image).norm is norm


with_images = pytest.mark.parametrize(
    "display",
    [
        ReconstructionDisplay,
        LatentTraversalDisplay,
        EncoderJacobianDisplay,
        CounterfactualDisplay,
    ],
)


@with_images
def test_wrong_image_shapes_are_refused(display, pipeline, few):
    for bad, message in {
        (8, 9): "image_shape=.* holds 72 values, but X has 64 features",
        (4, 8, 2): "has 2 channels. Images that can be shown have 1, 3 or 4",
        "square": "'auto' or None. Got 'square' instead",
    }.items():
        with pytest.raises(ValueError, match=message):
            MAKE[display](pipeline, few, image_shape=bad)


@pytest.fixture(scope="module")
def colours(few):
    """Return rows of 16 coloured pixels, and a pipeline that was fitted to them."""
    X = few[:, :48] / 16
    return X, make_pipeline(pca(), classifier()).fit(X, Y[:200])


@with_images
def test_images_with_colours_are_shown(display, colours):
    X, model = colours
    made = MAKE[display](model, X, image_shape=(4, 4, 3))
    sheet = made.image_.get_array()
    assert sheet.shape[2] == 4
    gaps = {0.0} - ({0.0} if display is EncoderJacobianDisplay else set())
    assert {1.0} | gaps == set(np.unique(sheet[:, :, 3]))
    if display in (ReconstructionDisplay, EncoderJacobianDisplay):
        shown = X[:8] if display is ReconstructionDisplay else X[:1]
        expected = X[0].reshape(4, 4, 3) - shown.min()
        expected = expected / (shown.max() - shown.min())
        np.testing.assert_allclose(sheet[:4, :4, :3], expected)


@pytest.mark.parametrize("display", [ReconstructionDisplay, LatentSpaceDisplay])
def test_the_errors_of_estimators_reach_the_user(display, pipeline, digits):
    with pytest.raises(ValueError, match="X has 63 features, but MinMaxScaler is exp"):
        MAKE[display](pipeline, digits[:, 1:])
    with pytest.raises(
        ValueError, match=r"Flatten images by X.reshape\(len\(X\), -1\)"
    ):
        MAKE[display](pipeline[1], digits.reshape(-1, 8, 8))


def test_steps_that_cannot_be_inverted_are_refused(digits):
    one_way = make_pipeline(OneWay(), pca()).fit(digits)
    for display in (ReconstructionDisplay, LatentTraversalDisplay):
        with pytest.raises(TypeError, match="before the autoencoder has no inverse_t"):
            MAKE[display](one_way, digits)
    LatentSpaceDisplay.from_estimator(one_way, digits)


class OneWay(StandardScaler):
    """A step without an inverse."""

    inverse_transform = property()


def test_reconstructions_and_their_errors_are_shown_below_the_rows(linear, digits):
    other = PCA(2).fit(digits)
    display = ReconstructionDisplay.from_estimator(
        linear, digits[5:], n_samples=3, pca=other, image_shape=(8, 8)
    )
    restored = linear.reconstruct(digits[5:8])
    of_pca = other.inverse_transform(other.transform(digits[5:8]))
    for row, expected in enumerate([digits[5:8], restored, of_pca]):
        for column in range(3):
            found = tile(display.image_, row, column)
            np.testing.assert_allclose(found.ravel(), expected[column])
    # What is between the images is empty.
    sheet = display.image_.get_array()
    assert sheet.shape == (26, 26)
    assert np.ma.getmaskarray(sheet)[8].all()
    assert np.ma.getmaskarray(sheet)[:, 17].all()
    assert display.image_.get_clim() == (digits[5:8].min(), digits[5:8].max())
    ax = display.ax_
    assert texts(ax.get_yticklabels()) == ["original", "reconstruction", "PCA"]
    errors = [np.square(digits[5:8] - one).mean(axis=1) for one in (restored, of_pca)]
    np.testing.assert_allclose(display.errors_["reconstruction"], errors[0])
    labels = [f"{a:.3g}\n{b:.3g}" for a, b in zip(*errors, strict=True)]
    assert texts(ax.get_xticklabels()) == labels
    assert ax.get_xlabel() == "mean squared error of reconstruction, then PCA"


def test_rows_that_are_no_images_are_shown_as_lines(wine):
    model = make_pipeline(StandardScaler(), pca(2))
    display = ReconstructionDisplay.from_estimator(model.fit(wine), wine, n_samples=2)
    restored = model.inverse_transform(model.transform(wine[:2]))
    for line, rows in zip(display.lines_, [wine.to_numpy(), restored], strict=True):
        y = line.get_ydata()
        np.testing.assert_allclose(y[:13], rows[0])
        np.testing.assert_allclose(y[14:27], rows[1])
        assert np.isnan(y[[13, 27]]).all()
    legend = display.ax_.get_legend()
    assert texts(legend.get_texts()) == ["original", "reconstruction"]
    assert display.ax_.get_ylabel() == "feature value"
    # One row has room for the names of features.
    display = ReconstructionDisplay.from_estimator(
        model, wine, n_samples=1, standardize=True
    )
    assert texts(display.ax_.get_xticklabels()) == list(wine.columns)
    assert display.ax_.get_ylabel() == "standardized feature value"
    expected = (wine.iloc[0] - wine.mean()) / wine.std(ddof=0)
    np.testing.assert_allclose(display.lines_[0].get_ydata()[:13], expected)


def test_given_reconstructions_are_shown(digits):
    frame = pd.DataFrame(digits[:2], columns=[f"pixel{i}" for i in range(64)])
    made = {"dark": np.zeros((2, 64)), "half": digits[:2] / 2}
    display = ReconstructionDisplay.from_reconstructions(
        frame, made, image_shape="auto"
    )
    np.testing.assert_allclose(
        display.errors_["dark"], np.square(digits[:2]).mean(axis=1)
    )
    np.testing.assert_allclose(tile(display.image_, 2, 1).ravel(), digits[1] / 2)
    one = ReconstructionDisplay.from_reconstructions(digits[:2], digits[:2] + 1)
    np.testing.assert_allclose(one.errors_["reconstruction"], [1, 1])
    with pytest.raises(ValueError, match=r"'dark' have shape \(1, 64\), but X has"):
        ReconstructionDisplay.from_reconstructions(digits[:2], {"dark": digits[:1]})
    with pytest.raises(ValueError, match="reconstructions is an empty dict"):
        ReconstructionDisplay.from_reconstructions(digits[:2], {})


def with_parameters(fitted, **parameters):
    """Return a fitted estimator with other parameters than it was fitted with."""
    return copy.copy(fitted).set_params(**parameters)


def test_rows_of_an_autoencoder_for_images_are_shown_as_images(linear, digits):
    model = with_parameters(linear, image_shape="auto")
    for display in (ReconstructionDisplay, LatentTraversalDisplay):
        assert display.from_estimator(model, digits).image_ is not None
        assert display.from_estimator(linear, digits).image_ is None
    # Rows of 63 features are lines of pixels.
    model = with_parameters(pca().fit(digits[:, :63]), image_shape="auto")
    assert ReconstructionDisplay.from_estimator(model, digits[:, :63]).image_ is None


@pytest.mark.parametrize("bad", [0, -1, 2.5])
def test_bad_numbers_of_rows_and_steps_are_refused(bad, linear, digits):
    with pytest.raises((ValueError, TypeError), match="n_samples"):
        ReconstructionDisplay.from_estimator(linear, digits, n_samples=bad)
    with pytest.raises((ValueError, TypeError), match="n_steps"):
        LatentTraversalDisplay.from_estimator(linear, digits, n_steps=bad)


def test_two_codes_are_points_in_a_plane_with_the_colour_of_their_class(linear, digits):
    names = np.array(["even", "odd"])[Y % 2]
    y = pd.Series(names, name="parity")
    display = LatentSpaceDisplay.from_estimator(linear, digits, y, components=[2, 0])
    codes = linear.transform(digits)
    scatter = display.scatters_[0, 0]
    np.testing.assert_allclose(scatter.get_offsets(), codes[:, [2, 0]])
    np.testing.assert_array_equal(scatter.get_array(), Y % 2)
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("code 2", "code 0")
    legend = ax.get_legend()
    assert texts(legend.get_texts()) == ["even", "odd"]
    assert legend.get_title().get_text() == "parity"
    # The legend has the colours of the points.
    display.figure_.canvas.draw()
    colours = scatter.get_facecolors()
    for handle, row in zip(legend.legend_handles, [0, 1], strict=True):
        found = to_rgba(handle.get_markerfacecolor())
        assert found[:3] == pytest.approx(tuple(colours[row][:3]))


def test_more_codes_are_shown_in_all_pairs(linear, digits):
    codes = linear.transform(digits)
    display = LatentSpaceDisplay.from_codes(codes, Y, components=[0, 1, 3])
    assert display.axes_.shape == (2, 2)
    assert display.axes_[0, 1] is None
    pairs = {(0, 0): [0, 1], (1, 0): [0, 3], (1, 1): [1, 3]}
    for place, pair in pairs.items():
        points = display.scatters_[place].get_offsets()
        np.testing.assert_allclose(points, codes[:, pair])
    assert display.axes_[1, 1].get_xlabel() == "code 1"
    assert display.axes_[1, 0].get_ylabel() == "code 3"
    assert texts(display.axes_[0, 0].get_legend().get_texts()) == list("0123456789")
    assert not display.ax_.axison
    figure = plt.figure()
    with pytest.raises(ValueError, match="ax must be a part of a grid"):
        display.plot(figure.add_axes([0, 0, 1, 1]), components=[0, 1, 2])


def test_one_code_is_shown_against_its_label(digits):
    model = pca(1).fit(digits)
    display = LatentSpaceDisplay.from_estimator(model, digits, Y)
    points = display.scatters_[0, 0].get_offsets()
    np.testing.assert_allclose(points[:, 0], model.transform(digits)[:, 0])
    np.testing.assert_array_equal(points[:, 1], Y)
    assert display.ax_.get_ylabel() == "label"
    display = LatentSpaceDisplay.from_estimator(model, digits)
    points = display.scatters_[0, 0].get_offsets()
    np.testing.assert_array_equal(points[:, 1], np.arange(len(digits)))
    assert display.ax_.get_ylabel() == "row"


def test_floats_get_a_colour_bar(linear, digits):
    y = digits.mean(axis=1)
    display = LatentSpaceDisplay.from_estimator(linear, digits, y)
    np.testing.assert_allclose(display.scatters_[0, 0].get_array(), y)
    assert [ax.get_ylabel() for ax in display.figure_.axes] == ["code 1", "label"]
    assert display.ax_.get_legend() is None


@pytest.mark.parametrize("kind", [int, float])
def test_rows_without_a_label_are_grey(kind, linear, digits):
    y = np.where(Y < 5, Y, -1 if kind is int else np.nan).astype(kind)
    display = LatentSpaceDisplay.from_estimator(linear, digits, y)
    grey, coloured = display.ax_.collections
    codes = linear.transform(digits)[:, :2]
    np.testing.assert_allclose(grey.get_offsets(), codes[Y >= 5])
    np.testing.assert_allclose(coloured.get_offsets(), codes[Y < 5])
    assert coloured is display.scatters_[0, 0]
    if kind is int:
        legend = texts(display.ax_.get_legend().get_texts())
        assert legend == ["0", "1", "2", "3", "4", "no label"]


def test_all_rows_may_be_without_a_label(linear, digits):
    display = LatentSpaceDisplay.from_estimator(linear, digits, np.full(1797, -1))
    assert len(display.ax_.collections[0].get_offsets()) == 1797
    assert texts(display.ax_.get_legend().get_texts()) == ["no label"]
    display.figure_.canvas.draw()


def test_many_classes_have_different_colours(linear, digits):
    display = LatentSpaceDisplay.from_estimator(linear, digits, np.arange(1797) % 30)
    display.figure_.canvas.draw()
    colours = display.scatters_[0, 0].get_facecolors()
    assert len(np.unique(colours, axis=0)) == 30
    assert len(display.ax_.get_legend().get_texts()) == 30
    # So many names would leave no room for the points.
    display = LatentSpaceDisplay.from_estimator(linear, digits, np.arange(1797) % 300)
    assert display.ax_.get_legend() is None


@pytest.mark.parametrize("bad", [[0, 4], [0, 0], [-1], [], [0.5, 1], [[0, 1]]])
def test_bad_components_are_refused(bad, linear, digits):
    for display in (LatentSpaceDisplay, LatentTraversalDisplay):
        with pytest.raises(ValueError, match="different integers from 0 to 3. Got"):
            display.from_estimator(linear, digits, components=bad)


def test_keywords_of_points(linear, digits):
    given = {"s": 50, "color": "magenta", "linewidth": 2}
    display = LatentSpaceDisplay.from_estimator(linear, digits, scatter_kwargs=given)
    scatter = display.scatters_[0, 0]
    assert to_rgba("magenta", 0.8) == pytest.approx(tuple(scatter.get_facecolors()[0]))
    assert (scatter.get_sizes(), scatter.get_linewidths()) == ([50], [2])
    given = {"cmap": "magma", "alpha": 1}
    display = LatentSpaceDisplay.from_estimator(linear, digits, Y, scatter_kwargs=given)
    assert display.scatters_[0, 0].get_cmap().name == "magma"
    with pytest.raises(ValueError, match="and y both set the colours"):
        LatentSpaceDisplay.from_estimator(
            linear, digits, Y, scatter_kwargs={"color": "magenta"}
        )


def test_labels_of_another_length_are_refused(linear, digits):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LatentSpaceDisplay.from_estimator(linear, digits, Y[:9])


@pytest.mark.parametrize("row", [None, 7])
def test_one_code_at_a_time_changes_by_its_deviations(row, linear, digits):
    display = LatentTraversalDisplay.from_estimator(
        linear, digits, row=row, components=[1, 3], reach=3, image_shape=(8, 8)
    )
    codes = linear.transform(digits)
    start = codes.mean(axis=0) if row is None else codes[row]
    for line, component in enumerate([1, 3]):
        for column, step in enumerate([-3, -1.5, 0, 1.5, 3]):
            code = start.copy()
            code[component] += step * codes[:, component].std()
            expected = linear.inverse_transform(code[None])[0].reshape(8, 8)
            found = tile(display.image_, line, column)
            np.testing.assert_allclose(found, expected, atol=1e-9)
    assert texts(display.ax_.get_yticklabels()) == ["code 1", "code 3"]
    assert texts(display.ax_.get_xticklabels()) == ["-3", "-1.5", "0", "+1.5", "+3"]


def test_a_traversal_of_a_table_is_a_line_for_each_step(wine):
    model = make_pipeline(StandardScaler(), pca(2)).fit(wine)
    display = LatentTraversalDisplay.from_estimator(
        model, wine, n_steps=3, standardize=True
    )
    assert texts(display.ax_.get_legend().get_texts()) == ["-2", "0", "+2"]
    assert texts(display.ax_.get_xticklabels()) == ["code 0", "code 1"]
    codes = model.transform(wine)
    # The scaler of the pipeline has the same units.
    expected = 2 * codes[:, 1].std() * model[-1].components_[1]
    np.testing.assert_allclose(display.lines_[2].get_ydata()[14:27], expected)
    for bad in (-1, 178, 1.0):
        with pytest.raises((ValueError, TypeError), match="row"):
            LatentTraversalDisplay.from_estimator(model, wine, row=bad)


def test_losses_phases_and_the_best_epoch_are_shown(few):
    model = small_network(max_iter=6).fit(few)
    display = TrainingCurveDisplay.from_estimator(make_pipeline(model))
    x, y = display.loss_line_.get_data()
    assert (list(x), list(y)) == (list(range(1, 7)), model.loss_curve_)
    expected = [model.start_loss_, *model.validation_loss_curve_]
    assert list(display.validation_line_.get_ydata()) == expected
    assert list(display.validation_line_.get_xdata()) == list(range(7))
    assert set(display.start_line_.get_ydata()) == {model.start_loss_}
    assert [line.get_xdata()[0] for line in display.phase_lines_] == [4]
    assert display.best_epoch_ > 0
    assert display.best_epoch_ == np.argmin(expected)
    assert display.best_point_.get_ydata()[0] == model.best_loss_
    legend = display.ax_.get_legend()
    assert texts(legend.get_texts()) == [
        "training",
        "held-out rows",
        "PCA",
        "then the encoder alone",
        f"best, epoch {display.best_epoch_}",
    ]
    kept = "network" if model.selected_model_ == "network" else "linear model"
    assert legend.get_title().get_text() == f"kept: {kept}"
    assert display.ax_.get_xlabel() == "epoch"


def test_where_nothing_is_held_out_the_training_loss_decides(linear):
    display = TrainingCurveDisplay(loss_curve=[0.5, 0.2, 0.3], start_loss=0.4).plot()
    assert (display.validation_line_, display.phase_lines_) == (None, [])
    assert display.best_epoch_ == 2
    assert display.best_point_.get_xydata().tolist() == [[2, 0.2]]
    assert display.best_point_.get_label() == "best, epoch 2"
    display = TrainingCurveDisplay.from_estimator(linear)
    assert display.best_point_.get_ydata()[0] == linear.best_loss_
    assert display.best_point_.get_label() == "best, start"
    assert display.ax_.get_legend().get_title().get_text() == "kept: linear model"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (AutoencoderTransformer(), "PCA"),
        (VariationalAutoencoderTransformer(), "probabilistic PCA"),
        (AutoencoderTransformer(skip_connections=None), "random weights"),
        (AutoencoderTransformer(warm_start=True), "start"),
        (
            AutoencoderTransformer(target_weight=0.5),
            "principal covariates regression",
        ),
    ],
)
def test_the_start_has_the_name_of_its_model(model, name, linear):
    # What another estimator has stored. The name does not depend on it.
    fitted = clone(model)
    parameters = fitted.get_params()
    fitted.__dict__.update({**vars(linear), **parameters})
    display = TrainingCurveDisplay.from_estimator(fitted)
    assert display.start_line_.get_label() == name


def test_after_partial_fit_there_is_no_loss_of_the_start(digits):
    model = pca()
    for part in np.split(digits[:600], 3):
        model.partial_fit(part)
    display = TrainingCurveDisplay.from_estimator(model)
    assert display.start_line_ is None
    assert list(display.loss_line_.get_ydata()) == model.loss_curve_
    assert display.best_epoch_ == 1 + np.argmin(model.loss_curve_)


def test_what_was_not_trained_has_no_curve(digits):
    with pytest.raises(TypeError, match=r"must have been trained. Got PCA\("):
        TrainingCurveDisplay.from_estimator(PCA(2).fit(digits))


def test_cumulative_fractions_are_shown_beside_those_of_pca(network, digits):
    other = PCA(5).fit(digits)
    display = ExplainedVarianceDisplay.from_estimator(network, pca=other)
    y = display.line_.get_ydata()
    assert y[0] == 0
    assert y[-1] == pytest.approx(network.score(digits), rel=1e-4)
    np.testing.assert_allclose(np.diff(y), network.explained_variance_ratio_)
    found = display.pca_line_.get_ydata()
    np.testing.assert_allclose(found[1:], np.cumsum(other.explained_variance_ratio_))
    assert texts(display.ax_.get_legend().get_texts()) == ["PCA", "autoencoder"]
    assert display.ax_.get_xlabel() == "number of codes"
    alone = ExplainedVarianceDisplay.from_estimator(network)
    assert alone.pca_line_ is None
    scaler = StandardScaler().fit(digits)
    with pytest.raises(TypeError, match="pca must have explained_variance_ratio_"):
        ExplainedVarianceDisplay.from_estimator(network, pca=scaler)
