"""
Bytes against quality
=====================

Codes as compressed images: PCA's and two autoencoders', rounded to 8 bits a component,
so an image takes as many bytes as there are components. What decodes them is shared by
all images and not counted. JPEG, which needs no training, is there for comparison.

    python examples/plot_compression.py --data mnist.npz

Without ``--data`` it takes scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import argparse
import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, ConvolutionalAutoencoderTransformer

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="Keras' mnist.npz")
data = parser.parse_args().data
digits = np.load(data)["x_train"][:6300] / 255 if data else load_digits().data / 16
digits = digits.reshape(len(digits), -1)
side = int(np.sqrt(digits.shape[1]))
train, test = digits[:-300], digits[-300:]

# %%
# Each component is rounded to 256 steps between its least and its greatest value in the
# training codes.


def coded(reducer):
    """Return the test images as they come back from 8 bits a component."""
    codes = reducer.fit_transform(train)
    low, step = codes.min(axis=0), np.ptp(codes, axis=0) / 255
    sent = np.clip(np.round((reducer.transform(test) - low) / step), 0, 255)
    return reducer.inverse_transform((low + step * sent.astype("uint8")).astype("f4"))


# %%
# Most of a small JPEG file are its headers and tables. A blank image is nearly nothing
# else, so what a file has beyond the blank one's bytes is what a format with shared
# headers would take.


def jpeg(rows, quality):
    """Return the bytes of each image's file, and the images that come back."""
    sizes, images = [], []
    for row in np.round(np.clip(rows, 0, 1) * 255).astype("uint8"):
        file = io.BytesIO()
        image = Image.fromarray(row.reshape(side, side))
        image.save(file, "JPEG", quality=quality, optimize=True)
        sizes.append(file.tell())
        images.append(np.asarray(Image.open(file), dtype="float32").ravel() / 255)
    return np.mean(sizes), np.array(images)


# %%
# For each method the bytes and the images.

reducers = {
    "PCA": PCA,
    "dense autoencoder": AutoencoderTransformer,
    "convolutional autoencoder": ConvolutionalAutoencoderTransformer,
}
curves = {
    name: {k: coded(reducer(k, random_state=0)) for k in (4, 8, 16, 32, 64)}
    for name, reducer in reducers.items()
}
files, bare = {}, {}
for quality in (1, 5, 10, 20, 35, 50, 75, 90):
    size, images = jpeg(test, quality)
    files[size] = images
    bare[size - jpeg(np.zeros((1, side**2)), quality)[0]] = images
curves |= {"JPEG, whole files": files, "JPEG, less a blank file": bare}


def psnr(found):
    error = np.square(test - np.clip(found, 0, 1)).mean(axis=1)
    return -10 * np.log10(error).mean()


print("| method | bytes: PSNR in dB |\n| --- | --- |")
for name, curve in curves.items():
    points = ", ".join(
        f"{size:.0f}: {psnr(found):.1f}" for size, found in curve.items()
    )
    print(f"| {name} | {points} |")

# %%
# The figure: the curves, and digits that came back from 16 bytes, or from the smallest
# JPEG files.

figure = plt.figure(figsize=(11, 5.5), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.2, 1])
axes = left.subplots()
for name, curve in curves.items():
    style = "s--" if name.startswith("JPEG") else "o-"
    axes.plot(list(curve), [psnr(found) for found in curve.values()], style, label=name)
axes.set_xscale("log", base=2)
axes.set_xticks(ticks := 2 ** np.arange(2, 10), ticks)
axes.set(xlabel="bytes per image", ylabel="PSNR of test images, dB")
axes.grid(alpha=0.3)
axes.legend()

panels = {"original": test}
panels |= {f"{name}\n16 bytes": curves[name][16] for name in reducers}
size, found = min(files.items(), key=lambda item: item[0])
panels[f"JPEG\n{size:.0f} bytes"] = found
for row, name in zip(right.subplots(len(panels), 6), panels, strict=True):
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for cell, image in zip(row, panels[name], strict=False):
        cell.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        cell.set(xticks=[], yticks=[])
figure.savefig("examples/plot_compression.png", dpi=100)
