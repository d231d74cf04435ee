"""
Features for classification: pixels, PCA and autoencoder codes
==============================================================

PCA and an autoencoder reduce handwritten digits to 2, 4, 8, 16 and 32 components.
Logistic regression and nearest neighbours then classify the digits from these codes.
Reducer and classifier form one pipeline. The whole pipeline is cross-validated, so that
no step is fitted to test images.
"""

# %%
# The pipelines
# -------------
# ``AutoencoderTransformer(k)`` takes the place of ``PCA(k)`` in a pipeline. The
# pipelines cache their fitted reducers (``memory``). So both classifiers use the same
# fitted reducer.

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
    "pixels": lambda k: "passthrough",
    "PCA": lambda k: PCA(k),
    "skae": lambda k: AutoencoderTransformer(k, random_state=0),
}
CLASSIFIERS = {
    "logistic regression": [StandardScaler(), LogisticRegression(max_iter=2000)],
    "nearest neighbours": [KNeighborsClassifier()],
}


def evaluate(reducer, classifier, memory):
    """Return the accuracy, the squared error on test images and the seconds of a fit.

    The seconds are the median over the folds.
    """
    pipeline = make_pipeline(reducer, *classifier, memory=memory)
    results = cross_validate(
        pipeline, X, y, cv=FOLDS, return_estimator=True, return_indices=True
    )
    error = 0.0
    for fitted, test in zip(
        results["estimator"], results["indices"]["test"], strict=True
    ):
        fitted_reducer = fitted[0]
        if fitted_reducer != "passthrough":
            codes = fitted_reducer.transform(X[test])
            error += np.square(X[test] - fitted_reducer.inverse_transform(codes)).sum()
    return results["test_score"].mean(), error, np.median(results["fit_time"])


# %%
# The table
# ---------
# The error is the squared reconstruction error on the test images, relative to PCA with
# the same number of components. The seconds are the time to fit the reducer and
# logistic regression to two thirds of the images. For each number of components, the
# first fit of the autoencoder compiles a program. Later fits use the same program.

N_COMPONENTS = [2, 4, 8, 16, 32]
accuracy = {}
with TemporaryDirectory() as memory:
    print("   features  logistic regression  nearest neighbours  error  seconds")
    for k in [64, *N_COMPONENTS]:
        pca_error = np.nan
        for name in ["pixels"] if k == 64 else ["PCA", "skae"]:
            scores = {}
            for classifier, steps in CLASSIFIERS.items():
                score, error, seconds = evaluate(REDUCERS[name](k), steps, memory)
                scores[classifier] = score
                if classifier == "logistic regression":
                    fit_seconds = seconds
            accuracy[name, k] = scores
            if name == "PCA":
                pca_error = error
            relative = f"{error / pca_error:.2f}" if name != "pixels" else ""
            print(
                f"{f'{name} {k}':>11}  {scores['logistic regression']:19.3f}  "
                f"{scores['nearest neighbours']:18.3f}  {relative:>5}  "
                f"{fit_seconds:7.2f}",
                flush=True,
            )

# %%
# The figure
# ----------
# The upper panels show the accuracy for each number of components. The lower panel
# shows ten test images and their reconstructions from 8 components.

train, test = next(FOLDS.split(X, y))
shown = [test[y[test] == digit][0] for digit in range(10)]
rows = {"original": X[shown]}
for name in ("PCA", "skae"):
    reducer = REDUCERS[name](8).fit(X[train])
    restored = reducer.inverse_transform(reducer.transform(X[shown]))
    rows[f"{name},\n8 components"] = restored

figure = plt.figure(figsize=(10, 6.6), layout="constrained")
curves, images = figure.subfigures(2, 1, height_ratios=[3, 2])
for axes, classifier in zip(
    curves.subplots(1, 2, sharey=True), CLASSIFIERS, strict=True
):
    for name, color in (("PCA", "C1"), ("skae", "C0")):
        values = [accuracy[name, k][classifier] for k in N_COMPONENTS]
        axes.plot(N_COMPONENTS, values, "o-", color=color, label=name)
    axes.axhline(
        accuracy["pixels", 64][classifier], color="0.5", ls=":", label="all 64 pixels"
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(N_COMPONENTS, N_COMPONENTS)
    axes.set(xlabel="number of components", title=classifier.capitalize())
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
print(f"Figure saved to {path}")
