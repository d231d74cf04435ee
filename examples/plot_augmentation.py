"""
Train classifiers on generated digits
=====================================

Classifiers are trained on 20, 50, 100 or 500 labelled digits, with and without 2000
generated digits. The over-sampler generates these from the labelled digits. It uses an
autoencoder that is fitted to the labelled digits alone, or to all training images
without their labels.

In a second experiment the classifiers are trained on generated digits only. They come
from ten variational autoencoders, one for each digit.

To run it on MNIST::

    pip install ".[examples,imbalance]"
    MNIST=mnist.npz python examples/plot_augmentation.py

Without this variable the example uses scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.imbalance import AutoencoderOverSampler

# The path of the file mnist.npz from Keras, or nothing.
MNIST = os.environ.get("MNIST")
N_TRAIN, N_REPEATS = 20_000, 3

if MNIST:
    arrays = np.load(MNIST)
    X, y = arrays["x_train"][:N_TRAIN], arrays["y_train"][:N_TRAIN]
    X_test, y_test = arrays["x_test"], arrays["y_test"]
else:
    X, X_test, y, y_test = train_test_split(
        *load_digits(return_X_y=True), test_size=500, random_state=0
    )
X, X_test = (
    (images.reshape(len(images), -1) / images.max()).astype("float32")
    for images in (X, X_test)
)
side = int(np.sqrt(X.shape[1]))
CLASSIFIERS = {"nearest neighbour": KNeighborsClassifier(1), "SVM": SVC(C=10)}

# %%
# Labelled digits with and without generated digits. The over-sampler fits its
# autoencoder to the labelled digits. ``FrozenEstimator`` prevents this, so the
# autoencoder that was fitted to all training images is used as it is. The table shows
# the mean test accuracy over several draws of the labelled digits.
#
# On MNIST, generated digits raise the accuracy by up to three points if the autoencoder
# is fitted to all training images.

fitted_to_all = AutoencoderTransformer(16, random_state=0).fit(X)

TRAINING_SETS = {
    "labelled digits only": None,
    "with generated, from labelled": AutoencoderTransformer(8, random_state=0),
    "with generated, from all images": FrozenEstimator(fitted_to_all),
}
SIZES = (20, 50, 100, 500)
scores, generated = [], {}
for size in SIZES:
    for repeat in range(N_REPEATS):
        X_labelled, _, y_labelled, _ = train_test_split(
            X, y, train_size=size, stratify=y, random_state=repeat
        )
        for kind, autoencoder in TRAINING_SETS.items():
            rows, labels = X_labelled, y_labelled
            if autoencoder is not None:
                n_per_digit = dict.fromkeys(range(10), size // 10 + 200)
                rows, labels = AutoencoderOverSampler(
                    autoencoder, sampling_strategy=n_per_digit, random_state=repeat
                ).fit_resample(rows, labels)
                generated[kind, size] = rows[size:], labels[size:]
            for name, classifier in CLASSIFIERS.items():
                score = classifier.fit(rows, labels).score(X_test, y_test)
                scores.append((name, kind, size, score))
columns = ["classifier", "trained on", "labelled digits", "accuracy"]
accuracy = pd.DataFrame(scores, columns=columns).pivot_table(
    "accuracy", ["classifier", "trained on"], "labelled digits", sort=False
)
print(accuracy.round(3))

# %%
# Generated digits only. One variational autoencoder is fitted to the training images of
# each digit, and generates 1000 images. For comparison, the classifiers are also
# trained on real training images, at most 10000.

models = [
    VariationalAutoencoderTransformer(
        16, likelihood="bernoulli", max_iter=40, random_state=0
    ).fit(X[y == digit])
    for digit in range(10)
]
images = np.vstack([model.sample(1000, random_state=0) for model in models])
real, _, real_labels, _ = train_test_split(
    X, y, train_size=min(10000, len(X) - 10), stratify=y, random_state=0
)
training_sets = {
    f"{len(images)} generated digits": (images, np.repeat(range(10), 1000)),
    f"{len(real)} real digits": (real, real_labels),
}
table = {
    title: {
        name: classifier.fit(*rows_and_labels).score(X_test, y_test)
        for name, classifier in CLASSIFIERS.items()
    }
    for title, rows_and_labels in training_sets.items()
}
print(pd.DataFrame(table).round(3))

# %%
# Above are the accuracies of the first table. Below are images that the over-sampler
# generated from 20 labelled digits.
#
# On the small digits generated images do not help. With 50 labelled digits the nearest
# neighbour has an accuracy of 85 % without them. With them it has 80 % if the
# autoencoder learned from the labelled digits, and 85 % if it learned from all images.
# The images show why: they are close to the two labelled images of each digit.

figure = plt.figure(figsize=(10, 8.5), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=[1, 1.1])
curves = above.subplots(1, 2, sharey=True)
for axes, name in zip(curves, CLASSIFIERS, strict=True):
    accuracy.loc[name].T.plot(
        ax=axes, style=["ko:", "C1s-", "C0^-"], logx=True, legend=False
    )
    axes.grid(alpha=0.3)
    axes.set(title=name, ylabel="test accuracy")
    axes.set_xticks(SIZES, SIZES)
    axes.minorticks_off()
curves[0].legend()
for axes, kind in zip(below.subplots(1, 2), list(TRAINING_SETS)[1:], strict=True):
    rows, labels = generated[kind, 20]
    tiles = [rows[labels == digit][:10] for digit in range(10)]
    tiles = np.reshape(tiles, (10, 10, side, side))
    tiles = np.pad(tiles, ((0, 0), (0, 0), (0, 1), (0, 1)))  # a gap between images
    sheet = tiles.swapaxes(1, 2).reshape(10 * (side + 1), 10 * (side + 1))
    axes.imshow(sheet, cmap="gray_r", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[], title=kind.replace("with g", "G"))
figure.savefig("plot_augmentation.png", dpi=100)
print("Figure saved to plot_augmentation.png")
