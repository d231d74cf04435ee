"""Training on damaged rows: corruptions, custom functions and pairs of rows."""

import numpy as np
import pytest
from conftest import dense_spec, small_network
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skae import ConvolutionalAutoencoderTransformer
from skae._objective.corruption import Corruption, CorruptionNumbers


def blur(X):
    images = X.reshape(-1, 8, 8)
    return (
        (images + np.roll(images, 1, axis=2) + np.roll(images, 1, axis=1)) / 3
    ).reshape(X.shape)


def mean_squared_error(found, wanted):
    return np.square(found - wanted).mean()


@pytest.mark.parametrize("level", [0.0, 0.25, 0.6])
def test_blocks_cover_their_share_of_the_image(level):
    rows = np.ones((500, 10 * 8 * 2), "f4")
    numbers = CorruptionNumbers(np.float32(level), np.full(160, -3, "f4"), 1.0)
    noise = np.random.default_rng(0).uniform(size=rows.shape).astype("f4")
    blocks = Corruption("blocks").on(dense_spec(160, 2, (), image_shape=(10, 8, 2)))
    damaged = np.asarray(blocks.shown(rows, lambda *_: noise, numbers))
    images = damaged.reshape(-1, 10, 8, 2)
    assert np.isin(images, [1, -3]).all()
    hit = images == -3
    np.testing.assert_array_equal(hit[..., 0], hit[..., 1])
    height, width = round(np.sqrt(level) * 10), round(np.sqrt(level) * 8)
    np.testing.assert_array_equal(hit[..., 0].sum(axis=(1, 2)), height * width)
    np.testing.assert_array_equal(hit.any(axis=(2, 3)).sum(axis=1), height)
    if level:  # every pixel is covered in some row
        assert hit.any(axis=0).all()


def test_a_custom_corruption_gets_the_rows_in_their_own_units(digits):
    seen = []

    def halved(rows, noise):
        from keras import ops

        seen.append((rows.shape, noise.shape))
        return ops.where(noise < 0.5, 0.0, rows)

    X = digits * 1000 + 7
    masking = small_network(corruption="masking", corruption_level=0.5, max_iter=4)
    own = clone(masking).set_params(corruption=halved)
    # Both functions set half of the values to zero, in the units of X.
    np.testing.assert_allclose(
        own.fit(X).loss_curve_, masking.fit(X).loss_curve_, rtol=1e-4
    )
    assert all(rows == noise for rows, noise in seen)


def test_training_on_pairs_restores_rows_better_than_plain_training_and_pca(digits):
    train, test = digits[:1400], digits[1400:]
    plain = small_network(n_components=16, max_iter=40)
    paired = clone(plain).fit(blur(train), X_clean=train)
    plain.fit(train)
    pca = PCA(16).fit(train)
    of_pca = pca.inverse_transform(pca.transform(blur(test)))
    restored = mean_squared_error(paired.reconstruct(blur(test)), test)
    assert restored < 0.7 * mean_squared_error(plain.reconstruct(blur(test)), test)
    assert restored < 0.7 * mean_squared_error(of_pca, test)


def test_training_on_pairs_of_equal_rows_is_plain_training(digits):
    # Training starts at random weights. From PCA the two fits would differ, because the
    # weights are not rescaled if there is X_clean.
    plain = small_network(max_iter=3, n_components=4, skip_connections=None)
    paired = clone(plain).fit(digits, X_clean=digits)
    np.testing.assert_allclose(
        paired.loss_curve_, plain.fit(digits).loss_curve_, rtol=1e-6
    )


def test_a_pipeline_passes_clean_rows(digits):
    X = digits[:300]
    pipeline = make_pipeline(MaxAbsScaler(), small_network(max_iter=2))
    step = pipeline.steps[-1][0]
    pipeline.fit(blur(X), **{f"{step}__X_clean": X / 16})
    direct = small_network(max_iter=2).fit(
        MaxAbsScaler().fit_transform(blur(X)), X_clean=X / 16
    )
    np.testing.assert_array_equal(pipeline[-1].loss_curve_, direct.loss_curve_)


def test_images_with_holes_are_filled_in(digits):
    holes = digits.copy().reshape(-1, 8, 8)
    holes[:, 2:6, 2:6] = 0
    holes = holes.reshape(digits.shape)
    train, test = slice(1400), slice(1400, None)
    plain = ConvolutionalAutoencoderTransformer(
        16, image_shape=(8, 8), filters=16, random_state=0
    )
    inpainting = clone(plain).set_params(corruption="blocks", corruption_level=0.25)
    errors = [
        mean_squared_error(
            one.fit(digits[train]).reconstruct(holes[test]), digits[test]
        )
        for one in (plain, inpainting)
    ]
    assert errors[1] < 0.6 * errors[0]


@pytest.mark.parametrize(
    ("X_clean", "message"),
    [
        (
            np.ones((29, 64)),
            r"X_clean has shape \(29, 64\), but must have shape \(30, 64\)",
        ),
        (np.ones((30, 63)), r"must have shape \(30, 64\) to fit to X"),
        (np.full((30, 64), np.nan), "Input X_clean contains NaN"),
        (np.ones(30), "Expected 2D array, got 1D array instead"),
    ],
)
def test_invalid_pairs_raise(X_clean, message, digits):
    with pytest.raises(ValueError, match=message):
        small_network().fit(digits[:30], X_clean=X_clean)


def test_blocks_need_an_image():
    with pytest.raises(ValueError, match="'corruption' parameter of"):
        small_network(corruption="blocks").fit(np.eye(12))
