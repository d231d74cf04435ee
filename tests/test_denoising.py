"""Training on damaged rows: corruptions, custom functions and pairs of rows."""

import numpy as np
import pytest
from conftest import images, in_numpy, small_network
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skae._losses.corruption import Corruption, CorruptionCoefficients


def corrupted(kind, rows, noise, coefficients, image_shape=None):
    """Return damaged rows, given the noise that is drawn."""

    def compute(rows, noise, *coefficients):
        coefficients = CorruptionCoefficients(*coefficients)

        def draw(kind, shape, stream=0):
            assert tuple(shape) == tuple(rows.shape)
            return noise

        return Corruption(kind, image_shape).corrupt(rows, draw, coefficients)

    return in_numpy(compute, *map(np.float32, (rows, noise, *coefficients)))


@pytest.mark.parametrize("level", [0.0, 0.2, 0.6])
def test_corruptions_have_the_given_level(level):
    rng = np.random.default_rng(0)
    rows = rng.normal(scale=0.1, size=(2000, 50)).astype("f4")
    normal, uniform = rng.normal(size=rows.shape), rng.uniform(size=rows.shape)
    coefficients = CorruptionCoefficients(
        np.float32(level), np.full(50, 0.5, "f4"), 1.0, -1.0, 1.0
    )
    noisy = corrupted("gaussian", rows, normal, coefficients) - rows
    assert noisy.std() == pytest.approx(level, rel=0.02)
    masked = corrupted("masking", rows, uniform, coefficients)
    assert (masked == 0.5).mean() == pytest.approx(level, abs=0.01)
    assert ((masked == rows) | (masked == 0.5)).all()
    salted = corrupted("salt_and_pepper", rows, uniform, coefficients)
    assert (salted == 1).mean() == pytest.approx(level / 2, abs=0.01)
    assert (salted == -1).mean() == pytest.approx(level / 2, abs=0.01)
    assert ((salted == rows) | (np.abs(salted) == 1)).all()


@pytest.mark.parametrize("level", [0.0, 0.25, 0.6])
def test_blocks_cover_their_fraction_of_the_image(level):
    rows = np.ones((500, 10 * 8 * 2), "f4")
    coefficients = CorruptionCoefficients(
        np.float32(level), np.full(160, -3, "f4"), 1.0
    )
    noise = np.random.default_rng(0).uniform(size=rows.shape)
    damaged = corrupted("blocks", rows, noise, coefficients, (10, 8, 2))
    pictures = damaged.reshape(-1, 10, 8, 2)
    assert np.isin(pictures, [1, -3]).all()
    hit = pictures == -3
    np.testing.assert_array_equal(hit[..., 0], hit[..., 1])
    height, width = round(np.sqrt(level) * 10), round(np.sqrt(level) * 8)
    np.testing.assert_array_equal(hit[..., 0].sum(axis=(1, 2)), height * width)
    np.testing.assert_array_equal(hit.any(axis=(2, 3)).sum(axis=1), height)
    if level:  # every pixel is covered in some row
        assert hit.any(axis=0).all()


def halved(rows, noise):
    from keras import ops

    return ops.where(noise < 0.5, 0.0, rows)


def test_a_custom_corruption_gets_the_rows_in_their_own_units():
    # Both functions set half of the values to zero, in the units of X.
    rng = np.random.default_rng(0)
    X = 1000 * rng.uniform(size=(200, 5)) + 7
    mean, scale = X.mean(axis=0), np.sqrt(X.var(axis=0).mean())
    coefficients = CorruptionCoefficients(
        np.float32(0.5), np.float32(-mean / scale), np.float32(scale)
    )
    rows, noise = (X - mean) / scale, rng.uniform(size=X.shape)
    expected = (np.where(noise < 0.5, 0, X) - mean) / scale
    for kind in ("masking", halved):
        found = corrupted(kind, rows, noise, coefficients)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_training_calls_a_custom_corruption(digits):
    shapes = []

    def unchanged(rows, noise):
        shapes.append((rows.shape, noise.shape))
        return rows

    X = digits * 1000 + 7
    fitted = small_network(corruption=unchanged, early_stopping=False, max_iter=1)
    fitted.fit(X)
    assert shapes
    assert all(rows == noise for rows, noise in shapes)
    # Training starts at PCA.
    unexplained = 1 - PCA(3).fit(X).explained_variance_ratio_.sum()
    assert fitted.start_loss_ == pytest.approx(unexplained, rel=1e-4)


# The networks of the following tests have equal shapes.


def denoiser(**parameters):
    return small_network(n_components=16, **{"max_iter": 25, **parameters})


@pytest.fixture(scope="module")
def parts(digits):
    """Return rows to train on and rows to restore."""
    return digits[:1400], digits[1400:]


@pytest.fixture(scope="module")
def restorers(parts):
    """Return reconstructions by plain training and by PCA."""
    train, _ = parts
    pca = PCA(16).fit(train)
    return [
        denoiser().fit(train).reconstruct,
        lambda X: pca.inverse_transform(pca.transform(X)),
    ]


def squared_error(found, expected):
    return np.square(found - expected).mean()


def test_denoising_restores_better_than_plain_training_and_pca(parts, restorers):
    train, test = parts
    # The level is in units of the root of the mean feature variance.
    unit = np.sqrt(train.var(axis=0).mean())
    noisy = test + unit * np.random.default_rng(1).normal(size=test.shape)
    fitted = denoiser(corruption="gaussian", corruption_level=1.0).fit(train)
    error = squared_error(fitted.reconstruct(noisy), test)
    for restore in restorers:
        assert error < 0.85 * squared_error(restore(noisy), test)


def blurred(X):
    pictures = X.reshape(-1, 8, 8)
    return (
        (pictures + np.roll(pictures, 1, axis=2) + np.roll(pictures, 1, axis=1)) / 3
    ).reshape(X.shape)


def test_training_on_pairs_restores_better_than_plain_training_and_pca(
    parts, restorers
):
    train, test = parts
    fitted = denoiser().fit(blurred(train), X_clean=train)
    error = squared_error(fitted.reconstruct(blurred(test)), test)
    for restore in restorers:
        assert error < 0.5 * squared_error(restore(blurred(test)), test)


def test_a_pipeline_passes_clean_rows(parts):
    clean = parts[0] / 16
    pipeline = make_pipeline(MaxAbsScaler(), denoiser(max_iter=2))
    step = pipeline.steps[-1][0]
    pipeline.fit(blurred(parts[0]), **{f"{step}__X_clean": clean})
    damaged = MaxAbsScaler().fit_transform(blurred(parts[0]))
    direct = denoiser(max_iter=2).fit(damaged, X_clean=clean)
    np.testing.assert_array_equal(pipeline[-1].loss_curve_, direct.loss_curve_)


@pytest.mark.slow
def test_missing_blocks_of_images_are_filled_in(parts, restorers):
    train, test = parts
    hidden = test.copy().reshape(-1, 8, 8)
    hidden[:, 2:6, 2:6] = 0
    hidden = hidden.reshape(test.shape)
    fitted = images(
        16,
        filters=8,
        hidden_layer_sizes=(16,),
        corruption="blocks",
        corruption_level=0.25,
        max_iter=12,
        random_state=0,
    ).fit(train)
    error = squared_error(fitted.reconstruct(hidden), test)
    for restore in restorers:
        assert error < 0.4 * squared_error(restore(hidden), test)


@pytest.mark.parametrize(
    ("X_clean", "message"),
    [
        (
            np.ones((29, 64)),
            r"X_clean has shape \(29, 64\), but must have shape \(30, 64\)",
        ),
        (np.ones((30, 63)), r"must have shape \(30, 64\) to match X"),
        (np.full((30, 64), np.nan), "Input X_clean contains NaN"),
        (np.ones(30), "Expected 2D array, got 1D array instead"),
    ],
)
def test_invalid_pairs_raise(X_clean, message, digits):
    with pytest.raises(ValueError, match=message):
        small_network().fit(digits[:30], X_clean=X_clean)


def test_blocks_need_an_image():
    with pytest.raises(ValueError, match="corruption='blocks' .* needs image_shape"):
        small_network(corruption="blocks").fit(np.eye(12))
