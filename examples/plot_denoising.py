"""
Remove noise from images and fill in missing blocks
===================================================

The images are digits with noise, or with a missing square block. This example restores
them with PCA, kernel PCA, non-local means, ridge regression and a convolutional
autoencoder. Only the last two are trained on damaged images. Non-local means needs
scikit-image and is left out if that is not installed.

To run it on MNIST::

    MNIST=mnist.npz python examples/plot_denoising.py

Without this variable the example uses scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, KernelPCA
from sklearn.linear_model import Ridge

from skae import AutoencoderTransformer

try:
    from skimage.restoration import denoise_nl_means
except ImportError:
    denoise_nl_means = None
    print("scikit-image is not installed. Non-local means is left out.")

# The path of the file mnist.npz from Keras, or nothing.
MNIST = os.environ.get("MNIST")
digits = np.load(MNIST)["x_train"][:6300] / 255 if MNIST else load_digits().data / 16
digits = digits.reshape(len(digits), -1)
side = int(np.sqrt(digits.shape[1]))
train, test = digits[:-300], digits[-300:]
block = round(10 / 28 * side)

# %%
# There are two kinds of damage. Gaussian noise is added and the result is clipped to
# values from 0 to 1, or a square block of pixels is set to 0. Each block removes at
# least a tenth of the image's total intensity. Otherwise many blocks would remove
# nothing.

rng = np.random.default_rng(0)


def remove_block(row):
    while True:
        image = row.reshape(side, side).copy()
        top, left = rng.integers(0, side - block + 1, size=2)
        image[top : top + block, left : left + block] = 0
        if image.sum() < 0.9 * row.sum():
            return image.ravel()


def damage(rows, level):
    """Add noise of this standard deviation. If it is None, remove blocks."""
    if level is None:
        return np.array([remove_block(row) for row in rows])
    return np.clip(rows + level * rng.normal(size=rows.shape), 0, 1)


def clipped_noise(level):
    """Return a function that adds the same noise in Keras, for ``corruption``."""

    def corrupt(rows, noise):
        from keras import ops

        normal = np.sqrt(2) * ops.erfinv(2 * ops.clip(noise, 1e-6, 1 - 1e-6) - 1)
        return ops.clip(rows + level * normal, 0, 1)

    return corrupt


# %%
# PCA and kernel PCA are fitted to clean images. Non-local means is not fitted. For each
# kind of damage, these three methods use their best parameter, chosen on the test
# images. So their results are upper limits.
#
# Ridge regression is fitted to three damaged copies of each training image. The
# autoencoder is fitted to clean images. Its parameter ``corruption`` damages them anew
# in each training step.

pca = PCA(min(side**2, 200)).fit(train)
kernel = dict(n_components=128, fit_inverse_transform=True, kernel="rbf", alpha=0.001)
gammas = np.array([0.3, 0.8, 2.4, 8]) / side**2
kernel_pcas = [KernelPCA(gamma=g, **kernel).fit(train[:2000]) for g in gammas]
copies = np.tile(train, (3, 1))


def restorations(damaged, level):
    """Yield each method's name, and its restored images for each of its parameters."""
    yield "damaged", [damaged]
    codes, axes = pca.transform(damaged), pca.components_
    yield "PCA", [codes[:, :k] @ axes[:k] + pca.mean_ for k in range(1, len(axes), 3)]
    yield (
        "kernel PCA",
        [k.inverse_transform(k.transform(damaged)) for k in kernel_pcas],
    )
    if denoise_nl_means is not None:
        images = damaged.reshape(-1, side, side)
        results = [
            np.array([denoise_nl_means(image, 3, side // 4, h) for image in images])
            for h in (0.05, *np.arange(1, 9) / 10)
        ]
        yield "non-local means", [result.reshape(damaged.shape) for result in results]
    ridge = Ridge(alpha=10).fit(damage(copies, level), copies)
    yield "ridge regression", [ridge.predict(damaged)]
    autoencoder = AutoencoderTransformer(
        n_components=64 if side > 16 else 32,
        image_shape=(side, side),
        corruption=clipped_noise(level) if level else "blocks",
        corruption_level=block**2 / side**2,  # of "blocks": the fraction of the pixels
        random_state=0,
    )
    yield "skae", [autoencoder.fit(train).reconstruct(damaged)]


# %%
# The table shows the peak signal-to-noise ratio (PSNR) in decibels, as the mean over
# the test images. Higher is better.
#
# The two methods that are trained on damaged images have the highest PSNR. On MNIST
# with weak noise, ridge regression is as good as the autoencoder. With stronger noise
# and with missing blocks the autoencoder is better. Non-local means was developed for
# photographs. It cannot fill in blocks.


def psnr(restored):
    error = np.square(test - np.clip(restored, 0, 1)).mean(axis=1)
    return -10 * np.log10(error).mean()


best = {}
for level in (0.25, 0.5, 1.0, None):
    name = f"noise {level}" if level else f"block {block} by {block}"
    results = restorations(damage(test, level), level)
    best[name] = {method: max(restored, key=psnr) for method, restored in results}
table = {
    name: {method: psnr(restored) for method, restored in methods.items()}
    for name, methods in best.items()
}
print(pd.DataFrame(table).round(1))

# %%
# The figure shows six test images for two kinds of damage, and the mean PSNR.
#
# On the small digits the autoencoder restores missing blocks with 20.0 dB, ridge
# regression with 16.1 dB. Against the noise in the figure they reach 15.2 and 14.5 dB.

figure = plt.figure(figsize=(12, 6.2), layout="constrained")
for part, name in zip(figure.subfigures(1, 2), list(best)[1::2], strict=True):
    part.suptitle(name.capitalize())
    panels = {"original": test, **best[name]}
    for row, method in zip(part.subplots(len(panels), 6), panels, strict=True):
        ratio = f"\n{psnr(panels[method]):.1f} dB" if method in best[name] else ""
        row[0].set_ylabel(method + ratio, rotation=0, ha="right", va="center")
        for cell, image in zip(row, panels[method], strict=False):
            cell.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
            cell.set(xticks=[], yticks=[])
figure.savefig("plot_denoising.png", dpi=100)
print("Figure saved to plot_denoising.png")
