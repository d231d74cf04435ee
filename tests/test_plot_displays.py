"""What each display shows."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import small_network
from matplotlib.colors import to_rgba
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae.plot import (
    ExplainedVarianceDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    ReconstructionDisplay,
    TrainingCurveDisplay,
)

Y = load_digits().target


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def linear(digits):
    return AutoencoderTransformer(4, hidden_layer_sizes=()).fit(digits)


def texts(labels):
    return [label.get_text() for label in labels]


def tile(image, row, column, side=8):
    """Return one image of a grid with gaps of one pixel."""
    sheet = np.ma.getdata(image.get_array())
    top, left = row * (side + 1), column * (side + 1)
    return sheet[top : top + side, left : left + side]


def test_reconstructions_and_their_errors_are_shown_below_the_rows(linear, digits):
    pca = PCA(2).fit(digits)
    display = ReconstructionDisplay.from_estimator(
        linear, digits[5:], n_samples=3, pca=pca, image_shape=(8, 8)
    )
    restored = linear.reconstruct(digits[5:8])
    of_pca = pca.inverse_transform(pca.transform(digits[5:8]))
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
    model = make_pipeline(StandardScaler(), AutoencoderTransformer(2, max_iter=1))
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


def test_images_of_convolutional_autoencoders_need_no_shape(digits):
    model = ConvolutionalAutoencoderTransformer(
        2, filters=2, hidden_layer_sizes=(), max_iter=1
    ).fit(digits[:50])
    assert ReconstructionDisplay.from_estimator(model, digits).image_ is not None
    assert LatentTraversalDisplay.from_estimator(model, digits).image_ is not None
    # Rows of 63 features are lines of pixels.
    model.fit(digits[:50, :63])
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
    model = AutoencoderTransformer(1, hidden_layer_sizes=()).fit(digits)
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
    model = make_pipeline(
        StandardScaler(), AutoencoderTransformer(2, hidden_layer_sizes=())
    ).fit(wine)
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


def test_losses_phases_and_the_best_epoch_are_shown(digits):
    model = small_network(n_components=4, max_iter=60).fit(digits[:200])
    display = TrainingCurveDisplay.from_estimator(make_pipeline(model))
    x, y = display.loss_line_.get_data()
    assert (list(x), list(y)) == (list(range(1, 61)), model.loss_curve_)
    expected = [model.start_loss_, *model.validation_loss_curve_]
    assert list(display.validation_line_.get_ydata()) == expected
    assert list(display.validation_line_.get_xdata()) == list(range(61))
    assert set(display.start_line_.get_ydata()) == {model.start_loss_}
    assert [line.get_xdata()[0] for line in display.phase_lines_] == [40]
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


def test_where_nothing_is_held_out_the_training_loss_decides(digits):
    model = small_network(max_iter=3, early_stopping=False).fit(digits[:100])
    display = TrainingCurveDisplay.from_estimator(model)
    assert (display.validation_line_, display.phase_lines_) == (None, [])
    assert display.best_point_.get_ydata()[0] == model.best_loss_
    pca = AutoencoderTransformer(hidden_layer_sizes=()).fit(digits)
    display = TrainingCurveDisplay.from_estimator(pca)
    assert display.best_point_.get_label() == "best, start"
    assert display.ax_.get_legend().get_title().get_text() == "kept: linear model"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (VariationalAutoencoderTransformer(2, max_iter=1), "probabilistic PCA"),
        (small_network(max_iter=1, skip_connections=None), "random weights"),
        (small_network(max_iter=1, warm_start=True), "start"),
        (
            small_network(max_iter=1, target_weight=0.5),
            "principal covariates regression",
        ),
    ],
)
def test_the_start_has_the_name_of_its_model(model, name, digits):
    display = TrainingCurveDisplay.from_estimator(model.fit(digits[:60], Y[:60]))
    assert display.start_line_.get_label() == name


def test_after_partial_fit_there_is_no_loss_of_the_start(digits):
    model = small_network()
    for part in np.split(digits[:600], 3):
        model.partial_fit(part)
    display = TrainingCurveDisplay.from_estimator(model)
    assert display.start_line_ is None
    assert list(display.loss_line_.get_ydata()) == model.loss_curve_
    assert display.best_epoch_ == 1 + np.argmin(model.loss_curve_)


def test_what_was_not_trained_has_no_curve(digits):
    with pytest.raises(TypeError, match=r"must have been trained. Got PCA\("):
        TrainingCurveDisplay.from_estimator(PCA(2).fit(digits))


def test_cumulative_shares_are_shown_beside_those_of_pca(network, digits):
    pca = PCA(5).fit(digits)
    display = ExplainedVarianceDisplay.from_estimator(network, pca=pca)
    y = display.line_.get_ydata()
    assert y[0] == 0
    assert y[-1] == pytest.approx(network.score(digits), rel=1e-4)
    np.testing.assert_allclose(np.diff(y), network.explained_variance_ratio_)
    found = display.pca_line_.get_ydata()
    np.testing.assert_allclose(found[1:], np.cumsum(pca.explained_variance_ratio_))
    assert texts(display.ax_.get_legend().get_texts()) == ["PCA", "autoencoder"]
    assert display.ax_.get_xlabel() == "number of codes"
    alone = ExplainedVarianceDisplay.from_estimator(network)
    assert alone.pca_line_ is None
    scaler = StandardScaler().fit(digits)
    with pytest.raises(TypeError, match="pca must have explained_variance_ratio_"):
        ExplainedVarianceDisplay.from_estimator(network, pca=scaler)
