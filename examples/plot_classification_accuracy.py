"""
Features for classification: pixels, PCA, LDA and autoencoder codes
===================================================================

Handwritten digits are reduced to 2 to 16 components. Logistic regression and nearest
neighbours then classify the digits from these codes. Reducer and classifier form one
pipeline. The whole pipeline is cross-validated, so that no step is fitted to test
images.

A pipeline hands the labels to every step. With ``target_weight`` the autoencoder uses
them: its codes learn to reconstruct the images and to predict the digits.
"""

# %%
# The pipelines
# -------------
# ``AutoencoderTransformer(k)`` takes the place of ``PCA(k)`` in a pipeline. LDA uses
# labels, too, but it has at most nine components for ten digits, and it does not
# reconstruct. PCA provides the others. The pipelines cache their fitted reducers
# (``memory``). So both classifiers use the same fitted reducer.

from itertools import product
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patheffects import withStroke
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
LABELS = "skae with labels"


def discriminants(k):
    """Return LDA, with PCA for the components that it does not have."""
    if k < 10:
        return LinearDiscriminantAnalysis(n_components=k)
    return make_union(LinearDiscriminantAnalysis(), PCA(k - 9))


REDUCERS = {
    "pixels": lambda k: "passthrough",
    "PCA": lambda k: PCA(k),
    "LDA": discriminants,
    "skae": lambda k: AutoencoderTransformer(k, random_state=0),
    LABELS: lambda k: AutoencoderTransformer(k, target_weight=0.5, random_state=0),
}
CLASSIFIERS = {
    "logistic regression": [StandardScaler(), LogisticRegression(max_iter=2000)],
    "nearest neighbours": [StandardScaler(), KNeighborsClassifier()],
}


def evaluate(reducer, classifier, memory):
    """Return the accuracy, the error, the seconds of a fit, and codes of test images.

    The squared error is the sum over all test images. The seconds are the median over
    the folds. The codes are those of the first fold.
    """
    pipeline = make_pipeline(reducer, *classifier, memory=memory)
    results = cross_validate(
        pipeline, X, y, cv=FOLDS, return_estimator=True, return_indices=True
    )
    error, tests = 0.0, results["indices"]["test"]
    for fitted, test in zip(results["estimator"], tests, strict=True):
        if hasattr(fitted[0], "inverse_transform"):
            codes = fitted[0].transform(X[test])
            error += np.square(X[test] - fitted[0].inverse_transform(codes)).sum()
        else:
            error = np.nan
    codes = results["estimator"][0][:1].transform(X[tests[0]])
    seconds = np.median(results["fit_time"])
    return results["test_score"].mean(), error, seconds, codes


# %%
# The table
# ---------
# k is the number of components. The error is the squared reconstruction error on the
# test images, relative to PCA with the same number of components. The seconds are the
# time to fit the reducer and logistic regression to two thirds of the images. The first
# fit of an autoencoder compiles a program. Later fits use the same program, also those
# with other numbers of components: one program is for up to 8, one for up to 16.

N_COMPONENTS = [2, 4, 8, 16]
results, codes_of = {}, {}
with TemporaryDirectory() as memory:
    for k, name in [(64, "pixels"), *product(N_COMPONENTS, list(REDUCERS)[1:])]:
        regression, neighbours = (
            evaluate(REDUCERS[name](k), classifier, memory)
            for classifier in CLASSIFIERS.values()
        )
        results[k, name] = regression[0], neighbours[0], *regression[1:3]
        codes_of[k, name] = regression[3]
table = pd.DataFrame(results, index=[*CLASSIFIERS, "error", "seconds"]).T
table = table.rename_axis(["k", "features"])
pca_errors = table["error"].xs("PCA", level="features")
table["error"] = table["error"].div(pca_errors, level="k")
print(table.round({"error": 2, "seconds": 2}).round(3))

# %%
# The figure
# ----------
# The upper panels show the accuracy for each number of components. The lower panels
# show two codes of the test images of one fold. Each colour is a digit.
#
# With 2 components nearest neighbours have an accuracy of 62 % on PCA's codes, 66 % on
# LDA's, 90 % on the autoencoder's, and 97 % on those of the autoencoder with labels. On
# all 64 pixels it is 97 %, too. With 16 components the reducers without labels differ
# little.

STYLES = {"PCA": "C1s", "LDA": "C2^", "skae": "C0o", LABELS: "C3D"}
figure = plt.figure(figsize=(11, 7.5), layout="constrained")
curves, maps = figure.subfigures(2, 1, height_ratios=[3, 2.8])
for axes, classifier in zip(
    curves.subplots(1, 2, sharey=True), CLASSIFIERS, strict=True
):
    for name, style in STYLES.items():
        values = table[classifier].xs(name, level="features")
        axes.plot(values, f"{style}-", label=name)
    pixels = table.loc[(64, "pixels"), classifier]
    axes.axhline(pixels, color="0.5", ls=":", label="all 64 pixels")
    axes.set_xscale("log", base=2)
    axes.set_xticks(N_COMPONENTS, N_COMPONENTS)
    axes.set(xlabel="number of components", title=classifier.capitalize())
    axes.grid(alpha=0.3)
curves.axes[1].legend(loc="lower right")
curves.axes[0].set_ylabel("cross-validated accuracy")

_, test = next(FOLDS.split(X, y))
for axes, name in zip(maps.subplots(1, 4), STYLES, strict=True):
    codes = codes_of[2, name]
    axes.scatter(*codes.T, c=y[test], cmap="tab10", s=9)
    for digit, middle in pd.DataFrame(codes).groupby(y[test]).median().iterrows():
        axes.text(
            *middle,
            digit,
            ha="center",
            va="center",
            weight="bold",
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    axes.set(title=name, xticks=[], yticks=[])
maps.suptitle("Two components of the test images of one fold")
figure.savefig("plot_classification_accuracy.png", dpi=120)
print("Figure saved to plot_classification_accuracy.png")
