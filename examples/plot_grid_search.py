"""
Choosing an autoencoder by grid search
======================================

How many components, how wide, how strongly regularised? Like any other step of a
pipeline the autoencoder is tuned by what comes after it: here a classifier's accuracy.
"""

# %%
# One pipeline, one grid
# ----------------------
# ``alpha`` does not change the network, so candidates that differ in it share a
# compiled program.

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

pipeline = Pipeline(
    [
        ("codes", AutoencoderTransformer(max_iter=50, random_state=0)),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression(max_iter=2000)),
    ]
)
grid = {
    "codes__n_components": [4, 8, 16],
    "codes__hidden_layer_sizes": [(64,), (256, 128)],
    "codes__alpha": [1e-5, 1e-3],
}
search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)

# %%
# What it found
# -------------

results = search.cv_results_
for parameters, score, seconds in sorted(
    zip(
        results["params"],
        results["mean_test_score"],
        results["mean_fit_time"],
        strict=True,
    ),
    key=lambda row: -row[1],
):
    print(
        f"{score:.3f}  {seconds:5.2f} s  "
        + ", ".join(f"{name[7:]}={value}" for name, value in parameters.items())
    )
print(f"best on unseen digits: {search.score(X_test, y_test):.3f}")

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
for sizes, color in zip(grid["codes__hidden_layer_sizes"], ("C1", "C0"), strict=True):
    for alpha, line in zip(grid["codes__alpha"], ("o-", "s--"), strict=True):
        scores = [
            score
            for score, parameters in zip(
                results["mean_test_score"], results["params"], strict=True
            )
            if parameters["codes__hidden_layer_sizes"] == sizes
            and parameters["codes__alpha"] == alpha
        ]
        axes.plot(
            np.sort(grid["codes__n_components"]),
            scores,
            line,
            color=color,
            label=f"hidden {sizes}, alpha {alpha:g}",
        )
axes.set_xticks(grid["codes__n_components"])
axes.set(xlabel="n_components", ylabel="cross-validated accuracy")
axes.grid(alpha=0.3)
axes.legend()
path = Path(__file__).with_suffix(".png")
figure.savefig(path, dpi=120)
print(f"figure: {path}")
