"""
Choose an autoencoder by grid search
====================================

The autoencoder is one step of a pipeline. Grid search chooses its parameters: the
number of components, the hidden layers and the weight penalty. The criterion is the
accuracy of a classifier that is trained on the codes.
"""

# %%
# The pipeline and the grid
# -------------------------
# Settings that differ only in ``alpha`` have the same network. They share one compiled
# program.

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
# The results
# -----------
# Each line shows the cross-validated accuracy of one setting, the mean seconds of a
# fit, and the parameters. The best setting comes first.

results = search.cv_results_
print("accuracy  seconds  parameters")
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
        f"{score:8.3f}  {seconds:7.2f}  "
        + ", ".join(
            f"{name.removeprefix('codes__')}={value}"
            for name, value in parameters.items()
        )
    )
test_accuracy = search.score(X_test, y_test)
print(f"Test accuracy of the best setting: {test_accuracy:.3f}")

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
            label=f"hidden_layer_sizes={sizes}, alpha={alpha:g}",
        )
axes.set_xticks(grid["codes__n_components"])
axes.set(xlabel="n_components", ylabel="cross-validated accuracy")
axes.grid(alpha=0.3)
axes.legend()
figure.savefig("plot_grid_search.png", dpi=120)
print("Figure saved to plot_grid_search.png")
