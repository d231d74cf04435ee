"""
Image compression: size and quality
===================================

The codes of PCA, a dense autoencoder and a convolutional autoencoder serve as
compressed images. Each component is rounded to 8 bits, so an image takes one byte for
each component. The decoder is the same for all images, and its size is not counted.
JPEG is shown for comparison. It needs no training.

To run it on MNIST::

    MNIST=mnist.npz python examples/plot_compression.py

Without this variable the example uses scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import io
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer

# The path of the file mnist.npz from Keras, or nothing.
MNIST = os.environ.get("MNIST")
digits = np.load(MNIST)["x_train"][:6300] / 255 if MNIST else load_digits().data / 16
digits = digits.reshape(len(digits), -1)
side = int(np.sqrt(digits.shape[1]))
train, test = digits[:-300], digits[-300:]

# %%
# Each component is rounded to one of 256 values. They are equally spaced between the
# minimum and the maximum of the training codes.


def psnr(restored):
    """Return the mean peak signal-to-noise ratio over the test images, in decibels."""
    error = np.square(test - np.clip(restored, 0, 1)).mean(axis=1)
    return -10 * np.log10(error).mean()


def compress_and_restore(reducer):
    """Return the test images after rounding their codes to 8 bits a component."""
    codes = reducer.fit_transform(train)
    low, step = codes.min(axis=0), np.ptp(codes, axis=0) / 255
    step[step == 0] = 1  # a constant component
    levels = np.clip(np.round((reducer.transform(test) - low) / step), 0, 255)
    return reducer.inverse_transform((low + step * levels.astype("uint8")).astype("f4"))


# %%
# Headers and tables take most of a small JPEG file. A blank image has almost the same
# headers and tables, and little else. So the second JPEG curve subtracts the size of a
# blank file. It estimates the size if all images shared their headers.


def jpeg(rows, quality):
    """Return the mean number of bytes of the files, and the restored images."""
    sizes, images = [], []
    for row in np.round(np.clip(rows, 0, 1) * 255).astype("uint8"):
        file = io.BytesIO()
        image = Image.fromarray(row.reshape(side, side))
        image.save(file, "JPEG", quality=quality, optimize=True)
        sizes.append(file.tell())
        images.append(np.asarray(Image.open(file), dtype="float32").ravel() / 255)
    return np.mean(sizes), np.array(images)


# %%
# The first table shows the PSNR of the reducers for each number of bytes, the second
# one the sizes in bytes and the PSNR of JPEG.

reducers = {
    "PCA": PCA(random_state=0),
    "dense autoencoder": AutoencoderTransformer(random_state=0),
    "convolutional autoencoder": AutoencoderTransformer(
        image_shape=(side, side), random_state=0
    ),
}
restored = {
    name: {
        k: compress_and_restore(clone(reducer).set_params(n_components=k))
        for k in (4, 8, 16, 32)
    }
    for name, reducer in reducers.items()
}
codes = pd.DataFrame(
    {
        name: {k: psnr(of_k) for k, of_k in by_k.items()}
        for name, by_k in restored.items()
    }
).rename_axis("bytes")
print(codes.round(1))

files = []
for quality in (1, 5, 10, 20, 35, 50, 75, 90):
    size, images = jpeg(test, quality)
    blank_size, _ = jpeg(np.zeros((1, side**2)), quality)
    files.append((quality, size, size - blank_size, psnr(images)))
columns = ["JPEG quality", "whole file", "minus a blank file", "PSNR"]
files = pd.DataFrame(files, columns=columns).set_index("JPEG quality")
print(files.round(1))

# %%
# The left panel shows quality against size. The right panel shows test images that were
# restored from 16 bytes. For JPEG it shows the smallest whole files.
#
# With 16 bytes for a small digit PCA reaches 20.1 dB, the dense autoencoder 22.5 dB and
# the convolutional one 22.8 dB. JPEG needs 29 bytes for 22.5 dB, without the headers.

figure = plt.figure(figsize=(12, 5.5), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.2, 1])
axes = left.subplots()
codes.plot(ax=axes, style=["ko-", "C0s-", "C1^-"])
for column, style in (("whole file", "v"), ("minus a blank file", "D")):
    axes.plot(files[column], files["PSNR"], f"C2{style}--", label=f"JPEG, {column}")
axes.set_xscale("log", base=2)
axes.set_xticks(ticks := 2 ** np.arange(2, 10), ticks)
axes.set_title("Quality and size")
axes.set(xlabel="bytes per image", ylabel="PSNR of the test images (dB)")
axes.grid(alpha=0.3)
axes.legend()

size, smallest = jpeg(test, 1)
panels = {
    "original": test,
    **{
        f"{name}\n16 bytes".replace(" auto", "\nauto"): restored[name][16]
        for name in reducers
    },
    f"JPEG, whole file\n{size:.0f} bytes": smallest,
}
right.suptitle("Restored test images")
for row, name in zip(right.subplots(len(panels), 6), panels, strict=True):
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for cell, image in zip(row, panels[name], strict=False):
        cell.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        cell.set(xticks=[], yticks=[])
figure.savefig("plot_compression.png", dpi=100)
print("Figure saved to plot_compression.png")
