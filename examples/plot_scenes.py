"""
Codes of image patches: classification and anomaly detection
============================================================

This example uses patches of scikit-learn's two sample photographs. First, classifiers
use the codes of a patch to predict which photograph it is from. Second, the
reconstruction error shows where a piece of a flower was inserted into the other
photograph. The codes come from PCA, a dense autoencoder and a convolutional
autoencoder.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

# %%
# The photographs are reduced to half their size. The patches have 16 by 16 pixels in
# colour.

SIDE = 16


def halve(image):
    height, width = image.shape[0] // 2, image.shape[1] // 2
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return blocks.mean(axis=(1, 3), dtype="float32") / 255


def patches(image, step):
    """Return flattened patches, and the numbers of patches down and across."""
    windows = sliding_window_view(image, (SIDE, SIDE), axis=(0, 1))[::step, ::step]
    rows = np.moveaxis(windows, 2, -1).reshape(-1, SIDE * SIDE * 3)
    return rows, windows.shape[:2]


china, flower = (halve(image) for image in load_sample_images().images)

# %%
# Classification: which photograph is a patch from? Reducers and classifiers are fitted
# to patches of the left half of each photograph. They are tested on the right half,
# which has a different content.


def labelled_patches(half):
    """Return patches of one half (0: left, 1: right) and their photographs."""
    halves = [np.array_split(image, 2, axis=1)[half] for image in (china, flower)]
    rows = [patches(image, 6)[0] for image in halves]
    return np.concatenate(rows), np.repeat([0, 1], [len(row) for row in rows])


(X_train, y_train), (X_test, y_test) = labelled_patches(0), labelled_patches(1)
REDUCERS = {
    "PCA": lambda k: PCA(k, random_state=0),
    "dense": lambda k: AutoencoderTransformer(k, random_state=0),
    "convolutional": lambda k: AutoencoderTransformer(
        k, image_shape=(SIDE, SIDE, 3), random_state=0
    ),
}
CLASSIFIERS = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "nearest neighbours": KNeighborsClassifier(15),
}
accuracy = {}
for k in (2, 8):
    for name, reducer in REDUCERS.items():
        fitted = reducer(k).fit(X_train)
        codes, test_codes = fitted.transform(X_train), fitted.transform(X_test)
        accuracy[k, name] = {
            title: make_pipeline(StandardScaler(), classifier)
            .fit(codes, y_train)
            .score(test_codes, y_test)
            for title, classifier in CLASSIFIERS.items()
        }
accuracy = pd.DataFrame(accuracy).T.rename_axis(["components", "reducer"])
print(accuracy.round(3))

# %%
# Anomaly detection: the reducers are fitted to patches of the original photograph. Then
# a piece of the flower is inserted, and all patches of the changed photograph are
# reconstructed. Patches that overlap the inserted piece should have the largest errors.
#
# The reducers are used on this photograph only, so they need not generalise to others.
# For this reason the autoencoder holds out no rows (``early_stopping=False``).

TOP, LEFT, SIZE = 160, 200, 24
changed = china.copy()
changed[TOP : TOP + SIZE, LEFT : LEFT + SIZE] = flower[60:84, 90:114]
rows, shape = patches(changed, 2)
down, across = 2 * np.indices(shape).reshape(2, -1)
overlaps = (abs(down + SIDE / 2 - TOP - SIZE / 2) < (SIDE + SIZE) / 2) & (
    abs(across + SIDE / 2 - LEFT - SIZE / 2) < (SIDE + SIZE) / 2
)
error_maps, areas = {}, {}
for name in ("PCA", "convolutional"):
    reducer = REDUCERS[name](8)
    if name != "PCA":
        reducer.set_params(early_stopping=False, max_iter=60)
    fitted = reducer.fit(patches(china, 3)[0])
    # skae's ``score_samples`` is minus the mean of these squares. PCA's
    # ``score_samples`` is a log-likelihood, so the squares are computed here.
    restored = fitted.inverse_transform(fitted.transform(rows))
    errors = np.square(rows - restored).sum(axis=1)
    error_maps[name] = errors.reshape(shape)
    areas[name] = roc_auc_score(overlaps, errors)
print(pd.Series(areas, name="area under the ROC curve").to_frame().round(3))

# %%
# The figure shows the changed photograph, the error maps for 8 components, and the
# accuracies of the classifiers. In the error maps, brighter pixels are centres of
# patches with larger errors. The squares mark the inserted piece.
#
# The convolutional autoencoder detects it better than PCA: the area under the ROC curve
# is 0.94, that of PCA 0.84. The accuracies of the reducers differ by 0.03 at most.

figure, cells = plt.subplots(2, 2, figsize=(11, 7.2), layout="constrained")
cells[0, 0].imshow(changed)
cells[0, 0].set_title("Photograph with an inserted piece of a flower")
for axes, name in zip(cells.flat[1:3], ("PCA", "convolutional"), strict=True):
    edge = SIDE / 2 - 1  # half a patch minus half a step
    extent = (edge, edge + 2 * shape[1], edge + 2 * shape[0], edge)
    axes.imshow(np.sqrt(error_maps[name]), extent=extent, cmap="magma")
    axes.set_title(f"Errors, {name}, area under the ROC curve {areas[name]:.2f}")
    axes.set(xlim=cells[0, 0].get_xlim(), ylim=cells[0, 0].get_ylim())
for axes, color in zip(cells.flat[:3], "kww", strict=True):
    box = plt.Rectangle((LEFT, TOP), SIZE, SIZE, fill=False, ec=color, lw=1.5)
    axes.add_patch(box)
    axes.set(xticks=[], yticks=[])
bars = accuracy.T.unstack().unstack("reducer")[list(REDUCERS)]
axes = bars.plot.bar(ax=cells[1, 1], width=0.8, rot=0, color=["0.6", "C1", "C0"])
for container in axes.containers:
    axes.bar_label(container, fmt="%.2f", fontsize=8)
groups = ["\n".join([*title.split(), f"{k} components"]) for k, title in bars.index]
axes.set_xticks(range(4), groups)
axes.set_xlabel("")
cells[1, 1].set(title="Which photograph is a patch from?", ylabel="test accuracy")
cells[1, 1].set(ylim=(0.5, 1.05))
cells[1, 1].legend(ncols=3, loc="upper center")
figure.savefig("plot_scenes.png", dpi=100)
print("Figure saved to plot_scenes.png")
