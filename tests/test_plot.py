"""What all displays have in common."""

import inspect
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.colors import LogNorm, to_rgba
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

import skae.plot
from skae import AutoencoderTransformer
from skae.plot import (
    DecisionWalkDisplay,
    EncoderDerivativeDisplay,
    ExplainedVarianceDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    ReconstructionDisplay,
    TrainingCurveDisplay,
)

Y = load_digits().target


def linear():
    return AutoencoderTransformer(3, hidden_layer_sizes=())


# Each display, as it is made from an estimator and rows.
MAKE = {
    ReconstructionDisplay: lambda e, X, **k: ReconstructionDisplay.from_estimator(
        e, X, **k
    ),
    LatentSpaceDisplay: lambda e, X, **k: LatentSpaceDisplay.from_estimator(e, X, **k),
    LatentTraversalDisplay: lambda e, X, **k: LatentTraversalDisplay.from_estimator(
        e, X, **k
    ),
    TrainingCurveDisplay: lambda e, X, **k: TrainingCurveDisplay.from_estimator(e, **k),
    ExplainedVarianceDisplay: (
        lambda e, X, **k: ExplainedVarianceDisplay.from_estimator(e, **k)
    ),
    EncoderDerivativeDisplay: (
        lambda e, X, **k: EncoderDerivativeDisplay.from_estimator(e, X, 0, **k)
    ),
    DecisionWalkDisplay: (
        lambda e, X, **k: DecisionWalkDisplay.from_estimator(e, X, 0, **k)
    ),
}
every_display = pytest.mark.parametrize("display", MAKE, ids=lambda one: one.__name__)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def pipeline(digits):
    """Return a classifier of digits whose autoencoder is PCA."""
    steps = MinMaxScaler(), linear(), LogisticRegression(max_iter=1000)
    return make_pipeline(*steps).fit(digits[:300], Y[:300])


def drawn(display):
    """Return all numbers that are drawn as lines, points or images."""
    ax = display.ax_
    lines = [line.get_xydata() for line in ax.lines]
    points = [points.get_offsets() for points in ax.collections]
    images = [image.get_array().filled(np.nan) for image in ax.images]
    return np.concatenate([np.ravel(one) for one in (*lines, *points, *images)])


def test_all_displays_are_tested_here():
    assert sorted(one.__name__ for one in MAKE) == skae.plot.__all__


def test_importing_the_module_imports_no_matplotlib_and_no_keras():
    code = "import sys, skae.plot; print({'matplotlib', 'keras'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "set()"


@every_display
def test_the_constructor_only_stores(display):
    names = list(inspect.signature(display).parameters)
    given = {name: object() for name in names}
    assert vars(display(**given)) == given


@every_display
def test_without_matplotlib_the_error_says_how_to_install_it(
    display, pipeline, digits, monkeypatch
):
    made = MAKE[display](pipeline, digits[:300])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    message = rf"{display.__name__}\.{{}} needs matplotlib. Install it by `pip install"
    with pytest.raises(ImportError, match=message.format("from_estimator")):
        MAKE[display](pipeline, digits[:300])
    with pytest.raises(ImportError, match=message.format("plot")):
        made.plot()


@every_display
def test_axes_are_made_or_taken_and_plot_returns_the_display(display, pipeline, digits):
    made = MAKE[display](pipeline, digits[:300])
    assert made.ax_.figure is made.figure_
    _, axes = plt.subplots(1, 2)
    before = made.ax_
    assert made.plot(axes[1]) is made
    assert made.ax_ is axes[1] is not before
    assert made.figure_ is axes[1].figure
    assert not axes[0].has_data()
    assert axes[1].has_data()
    given = MAKE[display](pipeline, digits[:300], ax=axes[0])
    assert given.ax_ is axes[0]
    np.testing.assert_array_equal(drawn(given), drawn(made))
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes, or None"):
        made.plot(axes)


@every_display
def test_frames_sparse_rows_and_searches_give_the_figure_of_arrays(
    display, pipeline, digits
):
    X = digits[:300]
    expected = drawn(MAKE[display](pipeline, X))
    names = [f"pixel{i}" for i in range(64)]
    for frame in (
        pd.DataFrame(X, columns=names, index=X[:, 3]),
        pl.DataFrame(X, names),
    ):
        of_frame = clone(pipeline).fit(frame, Y[:300])
        np.testing.assert_allclose(drawn(MAKE[display](of_frame, frame)), expected)
    search = GridSearchCV(pipeline, {"autoencodertransformer__whiten": [False]}, cv=2)
    found = drawn(MAKE[display](search.fit(X, Y[:300]), X))
    np.testing.assert_allclose(found, expected)
    unscaled = make_pipeline(linear(), LogisticRegression(max_iter=1000))
    unscaled.fit(X / 16, Y[:300])
    dense, coo, csr = (
        drawn(MAKE[display](unscaled, kind(X / 16)))
        for kind in (np.array, sparse.coo_array, sparse.csr_matrix)
    )
    np.testing.assert_allclose(coo, dense, atol=1e-9)
    np.testing.assert_allclose(csr, dense, atol=1e-9)


@every_display
def test_pipelines_in_pipelines_and_frozen_ones_give_the_same_figure(
    display, pipeline, digits
):
    scaler, autoencoder, classifier = (step for _, step in pipeline.steps)
    expected = drawn(MAKE[display](pipeline, digits[:300]))
    for nested in (
        make_pipeline(make_pipeline(scaler, autoencoder), classifier),
        make_pipeline(scaler, make_pipeline(autoencoder, classifier)),
        make_pipeline(FrozenEstimator(make_pipeline(scaler, autoencoder)), classifier),
        FrozenEstimator(pipeline),
    ):
        found = drawn(MAKE[display](nested, digits[:300]))
        np.testing.assert_array_equal(found, expected)


@every_display
def test_frames_of_pandas_from_the_steps_before_are_understood(display, wine):
    steps = StandardScaler(), linear(), LogisticRegression()
    plain, frames = (clone(make_pipeline(*steps)) for _ in range(2))
    y = np.arange(len(wine)) % 2
    frames.set_output(transform="pandas")
    found = [drawn(MAKE[display](one.fit(wine, y), wine)) for one in (plain, frames)]
    np.testing.assert_allclose(found[1], found[0], atol=1e-9)


@every_display
def test_a_trained_network_is_shown(display, network, digits):
    pipeline = make_pipeline(network, LogisticRegression(max_iter=3000))
    pipeline[-1].fit(network.transform(digits), Y)
    figure = MAKE[display](pipeline, digits).figure_
    figure.canvas.draw()
    assert np.ptp(np.asarray(figure.canvas.buffer_rgba()), axis=(0, 1)).any()


@every_display
def test_what_is_no_fitted_autoencoder_is_refused(display, digits):
    no_codes = make_pipeline(Normalizer(), LogisticRegression())
    for bad in (LogisticRegression(), AutoencoderTransformer, no_codes, linear()):
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
        (EncoderDerivativeDisplay, "line_kwargs", lambda d: d.lines_[0]),
        (DecisionWalkDisplay, "line_kwargs", lambda d: d.lines_[0]),
    ],
)
def test_keywords_of_lines_replace_the_defaults_by_either_name(
    display, keywords, artist, pipeline, digits
):
    for name in ("c", "color"):
        given = {keywords: {name: "magenta", "lw": 7}}
        line = artist(MAKE[display](pipeline, digits[:300], **given))
        assert to_rgba(line.get_color()) == to_rgba("magenta")
        assert line.get_linewidth() == 7


@pytest.mark.parametrize(
    ("display", "keywords", "image"),
    [
        (ReconstructionDisplay, "image_kwargs", "image_"),
        (LatentTraversalDisplay, "image_kwargs", "image_"),
        (EncoderDerivativeDisplay, "image_kwargs", "image_"),
        (EncoderDerivativeDisplay, "derivative_kwargs", "derivative_image_"),
        (DecisionWalkDisplay, "image_kwargs", "image_"),
        (DecisionWalkDisplay, "change_kwargs", "change_image_"),
    ],
)
def test_keywords_of_images_replace_the_defaults(
    display, keywords, image, pipeline, digits
):
    given = {keywords: {"cmap": "magma", "vmax": 40.0}, "image_shape": (8, 8)}
    made = MAKE[display](pipeline, digits[:300], **given)
    assert getattr(made, image).get_cmap().name == "magma"
    assert getattr(made, image).get_clim()[1] == 40
    assert made.lines_ is None
    norm = LogNorm(1, 20)
    given[keywords] = {"norm": norm}
    assert getattr(MAKE[display](pipeline, digits[:300], **given), image).norm is norm


with_images = pytest.mark.parametrize(
    "display",
    [
        ReconstructionDisplay,
        LatentTraversalDisplay,
        EncoderDerivativeDisplay,
        DecisionWalkDisplay,
    ],
)


@with_images
def test_wrong_image_shapes_are_refused(display, pipeline, digits):
    for bad, message in {
        (8, 9): "image_shape=.* holds 72 values, but X has 64 features",
        (4, 8, 2): "has 2 channels. Images that can be shown have 1, 3 or 4",
        "square": "'auto' or None. Got 'square' instead",
    }.items():
        with pytest.raises(ValueError, match=message):
            MAKE[display](pipeline, digits[:300], image_shape=bad)


@with_images
def test_images_with_colours_are_shown(display, digits):
    X = digits[:300, :48]
    model = make_pipeline(linear(), LogisticRegression(max_iter=5000)).fit(X, Y[:300])
    made = MAKE[display](model, X, image_shape=(4, 4, 3))
    sheet = made.image_.get_array()
    assert sheet.shape[2] == 4
    gaps = {0.0} - ({0.0} if display is EncoderDerivativeDisplay else set())
    assert {1.0} | gaps == set(np.unique(sheet[:, :, 3]))
    if display in (ReconstructionDisplay, EncoderDerivativeDisplay):
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
    one_way = make_pipeline(OneWay(), linear()).fit(digits)
    for display in (ReconstructionDisplay, LatentTraversalDisplay):
        with pytest.raises(TypeError, match="before the autoencoder has no inverse_t"):
            MAKE[display](one_way, digits)
    LatentSpaceDisplay.from_estimator(one_way, digits)


class OneWay(StandardScaler):
    """A step without an inverse."""

    inverse_transform = property()
