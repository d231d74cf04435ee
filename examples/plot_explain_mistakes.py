"""
Explain the mistakes of a digit classifier
==========================================

A linear classifier on the codes of an autoencoder can be explained in pixels. This
example takes the digits that it gets wrong. It changes the code of each until it gets
the true class, and decodes it. These counterfactual images show what would have to be
different.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skae import AutoencoderTransformer
from skae.inspection import counterfactual
from skae.plot import CounterfactualDisplay, EncoderJacobianDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The classifier and its mistakes
# -------------------------------

pipeline = make_pipeline(
    AutoencoderTransformer(16, random_state=0), LogisticRegression(max_iter=5000)
)
pipeline.fit(X_train, y_train)
predicted = pipeline.predict(X_test)
mistakes = np.flatnonzero(predicted != y_test)
print(f"{len(mistakes)} of {len(X_test)} test images get a wrong class")

# %%
# How far from the boundary
# -------------------------
# ``counterfactual`` takes the shortest path to the boundary between two classes.
# Lengths are measured in standard deviations of the codes. A mistake close to the
# boundary is a doubtful image. One far from it needs a closer look. The images with the
# right class are there to compare with: their path goes to their second best class.
# Half of the mistakes are less than 0.13 deviations from the boundary, and half of the
# correct images more than 0.79. The table shows the mistakes that are farthest from it.

deviations = pipeline[0].transform(X_test).std(axis=0)


def distance(row, target=None):
    """Return the distance of a code from the boundary. Codes are uncorrelated."""
    found = counterfactual(pipeline, X_test, row, target=target, n_steps=2, reach=1)
    return np.linalg.norm((found.codes[1] - found.codes[0]) / deviations)


distances = np.array([distance(row, y_test[row]) for row in mistakes])
correct = np.flatnonzero(predicted == y_test)
print(f"Median distance of the mistakes: {np.median(distances):.2f} deviations")
of_correct = np.median([distance(row) for row in correct])
print(f"Median distance of the correct images: {of_correct:.2f} deviations")
table = pd.DataFrame(
    {
        "digit": y_test[mistakes],
        "predicted": predicted[mistakes],
        "distance": distances,
    },
    index=pd.Index(mistakes, name="image"),
).sort_values("distance", ascending=False)
print(table.head(8).round(2))

# %%
# The figure
# ----------
# Each line is one of the first four mistakes of the table. At the left is the image.
# Then comes its code, decoded on the path from the predicted to the true class. At 1 is
# the boundary. The last panel shows the change: red pixels would have to be brighter
# for the true class, blue ones darker. For example, a 9 was taken for a 5 because its
# loop is open at the right.
#
# A third class may win on the path, as for the 1 that was taken for an 8: there the
# true class is only the third best.
#
# The last line shows what the first codes of the first image respond to: the Jacobian
# of the codes with respect to the pixels. A code grows if a red pixel gets brighter.

shown = table.index[:4]
figure, axes = plt.subplots(len(shown) + 1, figsize=(9, 9.5), layout="constrained")
for ax, row in zip(axes, shown, strict=False):
    display = CounterfactualDisplay.from_estimator(
        pipeline,
        X_test,
        row,
        target=y_test[row],
        image_shape=(8, 8),
        ax=ax,
        image_kwargs={"vmin": 0, "vmax": 16},
    )
    ax.set_title(f"a {y_test[row]} taken for a {predicted[row]}")
    ax.set_xlabel("")
EncoderJacobianDisplay.from_estimator(
    pipeline, X_test, shown[0], components=range(6), image_shape=(8, 8), ax=axes[-1]
)
axes[-1].set_title(
    f"what the codes of the first image (a {y_test[shown[0]]}) respond to"
)
figure.savefig("plot_explain_mistakes.png", dpi=100)
print("Figure saved to plot_explain_mistakes.png")
