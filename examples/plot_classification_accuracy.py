"""
Better features for recognition: pixels, PCA and autoencoder codes
==================================================================

Handwritten digits are compressed to 2, 4, 8, 16 and 32 numbers, by PCA and by an
autoencoder, and recognised from these numbers by logistic regression and by nearest
neighbours. Each reducer and classifier form a pipeline that is cross-validated as one,
so that no step sees a test image in training.
"""

# %%
# The pipelines
# -------------
# The reducers are interchangeable: ``AutoencoderTransformer(k)`` stands where
# ``PCA(k)`` stood. A pipeline's memory lets the two classifiers share each fitted
# reducer.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
REDUCERS = {
    "raw": lambda k: "passthrough",
    "PCA": lambda k: PCA(k),
    "skae": lambda k: AutoencoderTransformer(k, random_state=0),
}
CLASSIFIERS = {
    "logistic": [StandardScaler(), LogisticRegression(max_iter=2000)],
    "neighbours": [KNeighborsClassifier()],
}


def evaluate(reducer, classifier, memory):
    """Return accuracy, held-out squared error and median seconds of a fit."""
    pipeline = make_pipeline(reducer, *classifier, memory=memory)
    results = cross_validate(
        pipeline, X, y, cv=FOLDS, return_estimator=True, return_indices=True
    )
    error = 0.0
    for fitted, test in zip(
        results["estimator"], results["indices"]["test"], strict=True
    ):
        codec = fitted[0]
        if codec != "passthrough":
            restored = codec.inverse_transform(codec.transform(X[test]))
            error += np.square(X[test] - restored).sum()
    return results["test_score"].mean(), error, np.median(results["fit_time"])


# %%
# The table
# ---------
# The error is that of the held-out images, relative to PCA's with as many components.
# The seconds are those of fitting reducer and classifier to two thirds of the images;
# the autoencoder's first fit at each number of components compiles a program that later
# ones reuse.

N_COMPONENTS = [2, 4, 8, 16, 32]
accuracy = {}
with TemporaryDirectory() as memory:
    print(
        f"{'features':>12} {'logistic':>9} {'neighbours':>11} {'error':>7} {'s/fit':>6}"
    )
    for k in [64, *N_COMPONENTS]:
        pca_error = np.nan
        for name in ["raw"] if k == 64 else ["PCA", "skae"]:
            scores = {}
            for classifier, steps in CLASSIFIERS.items():
                score, error, seconds = evaluate(REDUCERS[name](k), steps, memory)
                scores[classifier] = score
                if classifier == "logistic":
                    fit_seconds = seconds
            accuracy[name, k] = scores
            if name == "PCA":
                pca_error = error
            relative = f"{error / pca_error:7.2f}" if name != "raw" else f"{'':7}"
            print(
                f"{f'{name} {k}':>12} {scores['logistic']:9.3f} "
                f"{scores['neighbours']:11.3f} {relative} {fit_seconds:6.2f}",
                flush=True,
            )

# %%
# The figure
# ----------
# Accuracy over the number of components, and some held-out digits beside what PCA and
# the autoencoder make of them from 8 numbers.

train, test = next(FOLDS.split(X, y))
shown = [test[y[test] == digit][0] for digit in range(10)]
rows = {"original": X[shown]}
for name in ("PCA", "skae"):
    reducer = REDUCERS[name](8).fit(X[train])
    rows[f"{name}, 8"] = reducer.inverse_transform(reducer.transform(X[shown]))

figure = plt.figure(figsize=(10, 6.6), layout="constrained")
curves, images = figure.subfigures(2, 1, height_ratios=[3, 2])
for axes, classifier in zip(
    curves.subplots(1, 2, sharey=True), CLASSIFIERS, strict=True
):
    for name, color in (("PCA", "C1"), ("skae", "C0")):
        values = [accuracy[name, k][classifier] for k in N_COMPONENTS]
        axes.plot(N_COMPONENTS, values, "o-", color=color, label=name)
    axes.axhline(
        accuracy["raw", 64][classifier], color="0.5", ls=":", label="all 64 pixels"
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(N_COMPONENTS, N_COMPONENTS)
    axes.set(xlabel="components", title=classifier)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
curves.axes[0].set_ylabel("cross-validated accuracy")
grid = images.subplots(3, 10)
for line, (name, digits) in zip(grid, rows.items(), strict=True):
    for axes, digit in zip(line, digits, strict=True):
        axes.imshow(digit.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        axes.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
path = Path(__file__).with_suffix(".png")
figure.savefig(path, dpi=120)
print(f"figure: {path}")
