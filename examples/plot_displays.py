"""
See what an autoencoder has learned
===================================

The displays of ``skae.plot`` show a fitted autoencoder: its reconstructions, its
training, its codes and what each code means. They work like the displays of
scikit-learn: ``from_estimator`` computes and draws, ``ax`` says where, and the artists
are attributes. A pipeline takes the place of an autoencoder anywhere.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skae import AutoencoderTransformer
from skae.plot import (
    ExplainedVarianceDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    ReconstructionDisplay,
    TrainingCurveDisplay,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The model
# ---------
# An autoencoder with 8 components and a classifier on its codes. PCA with 8 components
# is there to compare with.

pipeline = make_pipeline(
    AutoencoderTransformer(8, random_state=0), LogisticRegression(max_iter=5000)
)
pipeline.fit(X_train, y_train)
pca = PCA(8).fit(X_train)
print(f"Accuracy on the test images: {pipeline.score(X_test, y_test):.3f}")
print(f"Explained variance of the test images: {pipeline[0].score(X_test):.3f}")

# %%
# The figure
# ----------
# - Top: test images, their reconstructions, and those of PCA, with the error of each.
# - Middle left: the loss in each epoch. The dashed line is PCA, where training starts
#   and which the network has to beat. The dot marks the weights that were kept.
# - Middle right: the fraction of the variance that the codes explain, beside PCA's.
# - Bottom left: the first two codes of the test images. The classes overlap, since two
#   of eight codes do not tell all digits apart.
# - Bottom right: images decoded along one code at a time, from the codes of one test
#   image in the middle. So each line shows what a code means near that image. Keywords
#   go to matplotlib: here black and white are the smallest and the largest pixel value.
#
# The images at the top have a mean squared error of 2.4, and 6.5 with PCA. All eight
# codes explain 91 % of the variance of the training images, those of PCA 68 %.

figure = plt.figure(figsize=(12, 13), layout="constrained")
axes = figure.subplot_mosaic(
    [
        ["Reconstructions of test images"] * 2,
        ["Training", "Explained variance"],
        ["Two codes of the test images", "Images decoded along one code"],
    ],
    height_ratios=[0.8, 1.0, 1.3],
)
top, left, right, bottom_left, bottom_right = axes.values()
images = {"image_shape": (8, 8), "image_kwargs": {"vmin": 0, "vmax": 16}}
display = ReconstructionDisplay.from_estimator(
    pipeline, X_test, n_samples=12, pca=pca, ax=top, **images
)
TrainingCurveDisplay.from_estimator(pipeline, ax=left)
ExplainedVarianceDisplay.from_estimator(pipeline, pca=pca, ax=right)
LatentSpaceDisplay.from_estimator(pipeline, X_test, y_test, ax=bottom_left)
LatentTraversalDisplay.from_estimator(
    pipeline, X_test, row=1, ax=bottom_right, **images
)
for title, ax in axes.items():
    ax.set_title(title)
for name, errors in display.errors_.items():
    print(f"Mean squared error of the images shown, {name}: {errors.mean():.2f}")
figure.savefig("plot_displays.png", dpi=100)
print("Figure saved to plot_displays.png")
