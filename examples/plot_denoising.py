"""
Denoising and inpainting
========================

Digits with noise added, or with a square block missing, are restored by PCA, kernel
PCA, non-local means (if scikit-image is installed), and by two that train on such
damage: ridge regression and a convolutional autoencoder.

    python examples/plot_denoising.py --data mnist.npz

Without ``--data`` it takes scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, KernelPCA
from sklearn.linear_model import Ridge

from skae import ConvolutionalAutoencoderTransformer

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="Keras' mnist.npz")
data = parser.parse_args().data
digits = np.load(data)["x_train"][:6300] / 255 if data else load_digits().data / 16
digits = digits.reshape(len(digits), -1)
side = int(np.sqrt(digits.shape[1]))
train, test = digits[:-300], digits[-300:]
block = round(10 / 28 * side)

# %%
# The damage: noise that is clipped to 0-1, as the pixels are, or a block of zeros. Each
# block hides a tenth of the ink at least: there is little to restore otherwise.

rng = np.random.default_rng(0)


def without_block(row):
    while True:
        image = row.reshape(side, side).copy()
        top, left = rng.integers(0, side - block + 1, size=2)
        image[top : top + block, left : left + block] = 0
        if image.sum() < 0.9 * row.sum():
            return image.ravel()


def damaged(rows, level):
    if level is None:
        return np.array([without_block(row) for row in rows])
    return np.clip(rows + level * rng.normal(size=rows.shape), 0, 1)


def clipped_noise(level):  # the same in Keras, for the autoencoder's training
    def corrupt(rows, noise):
        from keras import ops

        normal = np.sqrt(2) * ops.erfinv(2 * ops.clip(noise, 1e-6, 1 - 1e-6) - 1)
        return ops.clip(rows + level * normal, 0, 1)

    return corrupt


# %%
# The first three are fitted to clean images, or to none. Each gets its best setting on
# the test images themselves, for each damage: what it reaches is an upper limit. Ridge
# regression sees three damaged copies of each image, and the autoencoder clean images
# that ``corruption`` damages anew in every step.

pca = PCA(min(side**2, 200)).fit(train)
kernel = dict(n_components=128, fit_inverse_transform=True, kernel="rbf", alpha=0.001)
gammas = np.array([0.3, 0.8, 2.4, 8]) / side**2
kernel_pcas = [KernelPCA(gamma=g, **kernel).fit(train[:2000]) for g in gammas]
copies = np.tile(train, (3, 1))


def restorations(seen, level):
    yield "damaged", [seen]
    codes, axes = pca.transform(seen), pca.components_
    yield "PCA", [codes[:, :k] @ axes[:k] + pca.mean_ for k in range(1, len(axes), 3)]
    yield "kernel PCA", [k.inverse_transform(k.transform(seen)) for k in kernel_pcas]
    try:
        from skimage.restoration import denoise_nl_means as filtered
    except ImportError:
        print("Without scikit-image there is no non-local means.")
    else:
        images = seen.reshape(-1, side, side)
        hows = [(3, side // 4, h) for h in (0.05, *np.arange(1, 9) / 10)]
        tried = [np.array([filtered(image, *how) for image in images]) for how in hows]
        yield "non-local means", [found.reshape(seen.shape) for found in tried]
    yield "ridge", [Ridge(alpha=10).fit(damaged(copies, level), copies).predict(seen)]
    model = ConvolutionalAutoencoderTransformer(
        n_components=64 if side > 16 else 32,
        corruption=clipped_noise(level) if level else "blocks",
        corruption_level=block**2 / side**2,  # for blocks: the share of the pixels
        random_state=0,
    )
    yield "skae", [model.fit(train).reconstruct(seen)]


# %%
# Peak signal-to-noise ratios in decibels. What counts first is to have trained on the
# damage: ridge regression leaves PCA far behind, and for weak noise on MNIST it is as
# good as the autoencoder, which leads for strong noise and for blocks. Non-local means
# has seen no digits; it is made for photographs, and cannot fill in blocks.


def psnr(found):
    error = np.square(test - np.clip(found, 0, 1)).mean(axis=1)
    return -10 * np.log10(error).mean()


best = {}
for level in (0.25, 0.5, 1.0, None):
    name = f"noise of {level}" if level else f"no {block} by {block} block"
    tried = restorations(damaged(test, level), level)
    best[name] = {method: max(found, key=psnr) for method, found in tried}
    if len(best) == 1:
        print(
            "| | " + " | ".join(best[name]), "|\n|" + " --- |" * (len(best[name]) + 1)
        )
    ratios = " | ".join(f"{psnr(found):.1f}" for found in best[name].values())
    print(f"| {name} | {ratios} |", flush=True)

figure = plt.figure(figsize=(11, 7), layout="constrained")
for part, name in zip(figure.subfigures(1, 2), list(best)[1::2], strict=True):
    part.suptitle(name)
    panels = {"original": test, **best[name]}
    for row, method in zip(part.subplots(len(panels), 6), panels, strict=True):
        ratio = f"\n{psnr(panels[method]):.1f} dB" if method in best[name] else ""
        row[0].set_ylabel(method + ratio, rotation=0, ha="right", va="center")
        for cell, image in zip(row, panels[method], strict=False):
            cell.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
            cell.set(xticks=[], yticks=[])
figure.savefig("examples/plot_denoising.png", dpi=100)
