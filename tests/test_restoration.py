"""Training on damaged rows: kinds of damage, functions of one's own, and pairs."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skae import ConvolutionalAutoencoderTransformer
from skae._objective import Corruption
from skae._objective._corruption import CorruptionNumbers


def blurred(X):
    images = X.reshape(-1, 8, 8)
    return (
        (images + np.roll(images, 1, axis=2) + np.roll(images, 1, axis=1)) / 3
    ).reshape(X.shape)


def error(found, wanted):
    return np.square(found - wanted).mean()


@pytest.mark.parametrize("level", [0.0, 0.25, 0.6])
def test_blocks_cover_their_share_of_the_image(level):
    rows = np.ones((500, 10 * 8 * 2), "f4")
    numbers = CorruptionNumbers(np.float32(level), np.full(160, -3, "f4"), 1.0)
    noise = np.random.default_rng(0).uniform(size=rows.shape).astype("f4")
    blocks = Corruption("blocks").on((10, 8, 2))
    damaged = np.asarray(blocks.shown(rows, lambda *_: noise, numbers))
    images = damaged.reshape(-1, 10, 8, 2)
    assert np.isin(images, [1, -3]).all()
    hit = images == -3
    np.testing.assert_array_equal(hit[..., 0], hit[..., 1])
    height, width = round(np.sqrt(level) * 10), round(np.sqrt(level) * 8)
    np.testing.assert_array_equal(hit[..., 0].sum(axis=(1, 2)), height * width)
    np.testing.assert_array_equal(hit.any(axis=(2, 3)).sum(axis=1), height)
    if level:  # every place is hit sometimes
        assert hit.any(axis=0).all()


def test_a_function_of_ones_own_sees_the_data_in_their_units(digits):
    seen = []

    def halved(rows, noise):
        from keras import ops

        seen.append((rows.shape, noise.shape))
        return ops.where(noise < 0.5, 0.0, rows)

    X = digits * 1000 + 7
    masking = small_network(corruption="masking", corruption_level=0.5, max_iter=4)
    own = clone(masking).set_params(corruption=halved)
    # On data whose zero is theirs, it does what masking by half does.
    np.testing.assert_allclose(
        own.fit(X).loss_curve_, masking.fit(X).loss_curve_, rtol=1e-4
    )
    assert all(rows == noise for rows, noise in seen)


def test_pairs_teach_to_restore(digits):
    train, test = digits[:1400], digits[1400:]
    plain = small_network(n_components=16, max_iter=40)
    paired = clone(plain).fit(blurred(train), X_clean=train)
    plain.fit(train)
    pca = PCA(16).fit(train)
    of_pca = pca.inverse_transform(pca.transform(blurred(test)))
    restored = error(paired.reconstruct(blurred(test)), test)
    assert restored < 0.7 * error(plain.reconstruct(blurred(test)), test)
    assert restored < 0.7 * error(of_pca, test)


def test_pairs_of_equal_rows_are_plain_training(digits):
    # From a random start: what PCA leaves is no measure of what there is to restore.
    plain = small_network(max_iter=3, n_components=4, skip_connections=None)
    paired = clone(plain).fit(digits, X_clean=digits)
    np.testing.assert_allclose(
        paired.loss_curve_, plain.fit(digits).loss_curve_, rtol=1e-6
    )


def test_pairs_in_a_pipeline(digits):
    X = digits[:300]
    pipeline = make_pipeline(MaxAbsScaler(), small_network(max_iter=2))
    step = pipeline.steps[-1][0]
    pipeline.fit(blurred(X), **{f"{step}__X_clean": X / 16})
    assert pipeline.transform(X).shape == (300, 3)


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
        error(one.fit(digits[train]).reconstruct(holes[test]), digits[test])
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
def test_wrong_pairs_are_refused(X_clean, message, digits):
    with pytest.raises(ValueError, match=message):
        small_network().fit(digits[:30], X_clean=X_clean)


def test_blocks_need_an_image():
    with pytest.raises(ValueError, match="'corruption' parameter of"):
        small_network(corruption="blocks").fit(np.eye(12))
