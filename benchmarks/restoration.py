"""
PSNR of restored images, compared with PCA and classical filters.

For each kind of damage an autoencoder trains on images with this damage. It then
restores test images with the same kind of damage. PCA has the number of components that
is best on the test images. The filters of scikit-image (``pip install scikit-image``)
have the strength that is best on the test images.

    python benchmarks/restoration.py                     # digits, 8 by 8
    python benchmarks/restoration.py --data mnist.npz
"""

import argparse
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="Keras' mnist.npz")
parser.add_argument("--train", type=int, default=10000)
parser.add_argument("--test", type=int, default=500)
parser.add_argument("--max-iter", type=int, default=40)
options = parser.parse_args()

if options.data:
    arrays = np.load(options.data)
    train, test = (
        arrays[name][:size].reshape(size, -1).astype(np.float32) / 255
        for name, size in (("x_train", options.train), ("x_test", options.test))
    )
else:
    train, test = train_test_split(
        load_digits().data.astype(np.float32) / 16, test_size=400, random_state=0
    )
side = int(np.sqrt(train.shape[1]))
block = round(10 / 28 * side)


def clipped_noise(level):
    """Return a corruption: Gaussian noise, clipped to values from 0 to 1."""

    def corrupt(rows, noise):
        from keras import ops

        inside = ops.clip(noise, 1e-6, 1 - 1e-6)
        normal = np.sqrt(2) * ops.erfinv(2 * inside - 1)
        return ops.clip(rows + level * normal, 0, 1)

    return corrupt


def damaged(kind, level):
    """Return the test images with one kind of damage."""
    rng = np.random.default_rng(0)
    if kind == "gaussian":
        return np.clip(test + level * rng.normal(size=test.shape), 0, 1)
    hit = rng.random(test.shape)
    if kind == "masking":
        return np.where(hit < level, 0, test)
    if kind == "salt and pepper":
        return np.where(hit < level / 2, 0, np.where(hit < level, 1, test))
    images = test.reshape(-1, side, side).copy()
    corners = rng.integers(0, side - block + 1, size=(len(test), 2))
    for image, (top, left) in zip(images, corners, strict=True):
        image[top : top + block, left : left + block] = 0
    return images.reshape(test.shape)


def psnr(found):
    """Return the peak signal-to-noise ratio over all test images, in decibels."""
    return -10 * np.log10(np.square(test - np.clip(found, 0, 1)).mean())


def best_psnr_of_pca(seen):
    """Return PCA's best PSNR over all numbers of components, and this number."""
    most = min(train.shape[1], 300)
    pca = PCA(most).fit(train)
    codes = pca.transform(seen)
    ratios = {
        k: psnr(codes[:, :k] @ pca.components_[:k] + pca.mean_)
        for k in range(1, most, 1 if most < 100 else 5)
    }
    best = max(ratios, key=ratios.get)
    return ratios[best], best


def best_psnr_of_filters(seen):
    """Return the best PSNR of non-local means, total variation and median filters."""
    try:
        from scipy.ndimage import median_filter
        from skimage.restoration import denoise_nl_means, denoise_tv_chambolle
    except ImportError:
        return {}
    images = seen.reshape(-1, side, side).astype(np.float64)

    def best(filter_one, strengths):
        return max(
            psnr(np.array([filter_one(image, s).ravel() for image in images]))
            for s in strengths
        )

    def non_local(image, strength):
        return denoise_nl_means(
            image, patch_size=3, patch_distance=side // 4, h=strength, fast_mode=True
        )

    return {
        "non-local means": best(non_local, (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)),
        "total variation": best(
            lambda image, weight: denoise_tv_chambolle(image, weight=weight),
            (0.05, 0.1, 0.2, 0.4, 0.8, 1.6),
        ),
        "median": best(lambda image, size: median_filter(image, size), (1, 2, 3, 5)),
    }


CASES = [
    *(("gaussian", level) for level in (0.1, 0.25, 0.5, 1.0)),
    *(("masking", level) for level in (0.25, 0.5, 0.75)),
    *(("salt and pepper", level) for level in (0.1, 0.3)),
    ("blocks", block**2 / side**2),
]
CORRUPTION = {"salt and pepper": "salt_and_pepper"}

rows = []
for kind, level in CASES:
    seen = damaged(kind, level).astype(np.float32)
    corruption = CORRUPTION.get(kind, kind)
    model = AutoencoderTransformer(
        n_components=64 if side > 16 else 32,
        image_shape=(side, side),
        corruption=clipped_noise(level) if kind == "gaussian" else corruption,
        corruption_level=level,
        max_iter=options.max_iter,
        random_state=0,
    )
    start = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - start
    of_pca, n_components = best_psnr_of_pca(seen)
    found = {
        "damaged": psnr(seen),
        "PCA": of_pca,
        **best_psnr_of_filters(seen),
        "skae": psnr(model.reconstruct(seen)),
    }
    if not rows:
        print("| damage | " + " | ".join(found) + " | PCA components | seconds |")
        print("| --- " * (len(found) + 3) + "|")
    name = f"{block} by {block} block" if kind == "blocks" else f"{kind} {level:g}"
    cells = " | ".join(f"{value:.2f}" for value in found.values())
    print(f"| {name} | {cells} | {n_components} | {seconds:.0f} |", flush=True)
    rows.append(found)
