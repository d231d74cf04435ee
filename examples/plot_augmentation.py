"""
Generated digits to train on: where they help, and where they do not
====================================================================

A classifier is trained on 20, 50, 100 or 500 labelled digits, and on as many with 2000
generated ones beside them, made by the over-sampler from the labelled digits. One
autoencoder learns from the labelled images alone, another from unlabelled ones, which
cost nothing. At last a classifier is trained on generated images only, made by a
variational autoencoder for each digit.

    pip install ".[examples,imbalance]"
    python examples/plot_augmentation.py --data mnist.npz

Without ``--data`` it takes scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.imbalance import AutoencoderOverSampler

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="Keras' mnist.npz")
parser.add_argument("--train", type=int, default=20000)
parser.add_argument("--repeats", type=int, default=3)
options = parser.parse_args()

if options.data:
    arrays = np.load(options.data)
    X, test = (
        arrays[name].reshape(-1, 784).astype(np.float32) / 255
        for name in ("x_train", "x_test")
    )
    X, y, y_test = X[: options.train], arrays["y_train"], arrays["y_test"]
    y = y[: options.train]
else:
    digits = load_digits()
    X, test, y, y_test = train_test_split(
        digits.data.astype(np.float32) / 16,
        digits.target,
        test_size=500,
        random_state=0,
    )
side = int(np.sqrt(X.shape[1]))
CLASSIFIERS = {"nearest neighbour": KNeighborsClassifier(1), "SVM": SVC(C=10)}

# %%
# With generated images and without. ``FrozenEstimator`` keeps an autoencoder as it is,
# so that the over-sampler does not train it anew on the labelled images.

unlabelled = AutoencoderTransformer(16, random_state=0).fit(X)

SOURCES = {
    "labelled digits only": None,
    "+ generated (labelled)": AutoencoderTransformer(8, random_state=0),
    "+ generated (unlabelled)": FrozenEstimator(unlabelled),
}
SIZES = (20, 50, 100, 500)
found = {(name, source): [] for name in CLASSIFIERS for source in SOURCES}
for size in SIZES:
    scores = {key: [] for key in found}
    for repeat in range(options.repeats):
        few, _, labels, _ = train_test_split(
            X, y, train_size=size, stratify=y, random_state=repeat
        )
        for source, autoencoder in SOURCES.items():
            rows, targets = few, labels
            if autoencoder is not None:
                wanted = dict.fromkeys(range(10), size // 10 + 200)
                rows, targets = AutoencoderOverSampler(
                    autoencoder, sampling_strategy=wanted, random_state=repeat
                ).fit_resample(few, labels)
            for name, classifier in CLASSIFIERS.items():
                score = clone(classifier).fit(rows, targets).score(test, y_test)
                scores[name, source].append(score)
    for key, values in scores.items():
        found[key].append(np.mean(values))
print("| classifier | trained on | " + " | ".join(map(str, SIZES)) + " |")
print("| --- " * (len(SIZES) + 2) + "|")
for (name, source), values in found.items():
    print(f"| {name} | {source} | " + " | ".join(f"{v:.1%}" for v in values) + " |")

# %%
# Generated images only: a variational autoencoder for each digit, and no real image in
# what the classifier sees.

made, targets = [], []
for label in range(10):
    model = VariationalAutoencoderTransformer(
        16, likelihood="bernoulli", max_iter=40, random_state=0
    ).fit(X[y == label])
    made.append(model.sample(1000, random_state=0))
    targets += [label] * 1000
print("\n| classifier | generated only | as many real ones |\n| --- | --- | --- |")
real, _, real_labels, _ = train_test_split(
    X, y, train_size=min(10000, len(X) - 10), stratify=y, random_state=0
)
for name, classifier in CLASSIFIERS.items():
    generated = clone(classifier).fit(np.vstack(made), targets).score(test, y_test)
    as_many = clone(classifier).fit(real, real_labels).score(test, y_test)
    print(f"| {name} | {generated:.1%} | {as_many:.1%} |")

# %%
# The figure: accuracies, and images of each digit that nobody wrote.

figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(13, 4.2), layout="constrained"
)
for axes, name in zip((left, middle), CLASSIFIERS, strict=True):
    for source in SOURCES:
        axes.plot(SIZES, found[name, source], "o-", label=source)
    axes.set(xscale="log", xlabel="labelled digits", ylabel="accuracy", title=name)
    axes.set_xticks(SIZES, SIZES)
    axes.minorticks_off()
left.legend()
tiles = np.array([rows[:10] for rows in made]).reshape(10, 10, side, side)
right.imshow(tiles.swapaxes(1, 2).reshape(10 * side, 10 * side), cmap="gray_r")
right.set(xticks=[], yticks=[], title="generated, an autoencoder for each digit")
figure.savefig("examples/plot_augmentation.png", dpi=100)
