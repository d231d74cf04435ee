"""
Patches of photographs: telling scenes apart, and finding what does not belong
==============================================================================

Two uses of codes of image patches, on scikit-learn's two sample photographs: features
for a classifier that says which picture a patch is from, and an error map that shows a
petal where there was none. PCA, a dense and a convolutional autoencoder side by side.

    python examples/plot_scenes.py
"""

import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer, ConvolutionalAutoencoderTransformer

# %%
# The photographs at half their size, and patches of 16 by 16 pixels in colour.

SIDE = 16


def halve(image):
    height, width = image.shape[0] // 2, image.shape[1] // 2
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return blocks.mean(axis=(1, 3), dtype="float32") / 255


def patches(image, step):
    """Return the rows of flattened patches, and how many lie down and across."""
    windows = sliding_window_view(image, (SIDE, SIDE), axis=(0, 1))[::step, ::step]
    rows = np.moveaxis(windows, 2, -1).reshape(-1, SIDE * SIDE * 3)
    return rows, windows.shape[:2]


china, flower = (halve(image) for image in load_sample_images().images)

# %%
# Which picture is a patch from? The reducers and the classifiers learn from the left
# half of each picture and are tested on the right half, which looks rather different.


def labelled(half):
    rows = [patches(np.array_split(image, 2, 1)[half], 6)[0] for image in scenes]
    return np.concatenate(rows), np.repeat([0, 1], [len(row) for row in rows])


scenes = (china, flower)
(X_train, y_train), (X_test, y_test) = labelled(0), labelled(1)
REDUCERS = {
    "PCA": lambda k: PCA(k, random_state=0),
    "dense": lambda k: AutoencoderTransformer(k, random_state=0),
    "convolutional": lambda k: ConvolutionalAutoencoderTransformer(
        k, image_shape=(SIDE, SIDE, 3), random_state=0
    ),
}
CLASSIFIERS = {
    "logistic": LogisticRegression(max_iter=1000),
    "neighbours": KNeighborsClassifier(15),
}
accuracy = {}
print("| components | reducer | logistic | neighbours |\n| --- | --- | --- | --- |")
for k in (2, 8):
    for name, reducer in REDUCERS.items():
        fitted = reducer(k).fit(X_train)
        codes, test_codes = fitted.transform(X_train), fitted.transform(X_test)
        for title, classifier in CLASSIFIERS.items():
            pipeline = make_pipeline(StandardScaler(), classifier).fit(codes, y_train)
            accuracy[title, k, name] = pipeline.score(test_codes, y_test)
        shares = " | ".join(f"{accuracy[c, k, name]:.3f}" for c in CLASSIFIERS)
        print(f"| {k} | {name} | {shares} |", flush=True)

# %%
# What does not belong? The reducers learn the view as it is, as well as they can: there
# is no other view to prepare for, so nothing is held out. Then a piece of a petal is
# put among the leaves, and all patches are reconstructed: those that the reducer has
# not learnt to compress come out worst.

TOP, LEFT, SIZE = 160, 200, 24
altered = china.copy()
altered[TOP : TOP + SIZE, LEFT : LEFT + SIZE] = flower[60:84, 90:114]
rows, shape = patches(altered, 2)
down, across = 2 * np.indices(shape).reshape(2, -1)
overlaps = (abs(down + SIDE / 2 - TOP - SIZE / 2) < (SIDE + SIZE) / 2) & (
    abs(across + SIDE / 2 - LEFT - SIZE / 2) < (SIDE + SIZE) / 2
)
maps, areas = {}, {}
print("\n| components | reducer | area under the ROC curve |\n| --- | --- | --- |")
for k in (8, 32):
    for name in ("PCA", "convolutional"):
        reducer = REDUCERS[name](k)
        if name != "PCA":
            reducer.set_params(early_stopping=False, max_iter=60)
        fitted = reducer.fit(patches(china, 3)[0])
        # Minus ``score_samples`` in skae; that of PCA is a log-likelihood instead.
        found = fitted.inverse_transform(fitted.transform(rows))
        errors = np.square(rows - found).sum(axis=1)
        maps[name, k], areas[name, k] = errors, roc_auc_score(overlaps, errors)
        print(f"| {k} | {name} | {areas[name, k]:.3f} |", flush=True)

# %%
# The figure, with the maps of 8 components.

figure, cells = plt.subplots(2, 2, figsize=(11, 7.2), layout="constrained")
cells[0, 0].imshow(altered)
cells[0, 0].set_title("a petal among the leaves")
for axes, name in zip(cells.flat[1:3], ("PCA", "convolutional"), strict=True):
    error_map = maps[name, 8].reshape(shape)
    edge = SIDE / 2 - 1  # a patch is shown by its centre
    extent = (edge, edge + 2 * shape[1], edge + 2 * shape[0], edge)
    axes.imshow(np.sqrt(error_map), extent=extent, cmap="magma")
    axes.set(title=f"errors, {name}: area under ROC {areas[name, 8]:.2f}")
    axes.set(xlim=cells[0, 0].get_xlim(), ylim=cells[0, 0].get_ylim())
for axes, color in zip(cells.flat[:3], "kww", strict=True):
    box = plt.Rectangle((LEFT, TOP), SIZE, SIZE, fill=False, ec=color, lw=1.5)
    axes.add_patch(box)
    axes.set(xticks=[], yticks=[])
for i, name in enumerate(REDUCERS):
    heights = [accuracy[key] for key in accuracy if key[2] == name]
    bars = cells[1, 1].bar(np.arange(4) + 0.27 * (i - 1), heights, 0.25, label=name)
    cells[1, 1].bar_label(bars, fmt="%.2f", fontsize=8)
cells[1, 1].set_xticks(range(4), dict.fromkeys(f"{c}, {k}" for c, k, _ in accuracy))
cells[1, 1].set(title="which picture? (classifier, components)", ylabel="test accuracy")
cells[1, 1].set(ylim=(0.5, 1.05))
cells[1, 1].legend(ncols=3, loc="upper center")
figure.savefig("examples/plot_scenes.png", dpi=100)
