"""
Find outliers and the features that make them so
================================================

Two examples of outliers: other digits among images of zeros, and faulty rows in a
table. The detector does not know which rows they are. ``explain`` says how much each
feature contributes to a row's score.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from skae.outliers import AutoencoderOutlierDetector

# %%
# Other digits
# ------------
# The training images are zeros, and one image of each other digit. Rows that trained
# a model have better scores than new rows. So the training rows are compared with the
# threshold by ``held_out_scores_``: scores by models that did not see them.

images, digits = load_digits(return_X_y=True)
zeros = np.flatnonzero(digits == 0)
others = [np.flatnonzero(digits == digit)[0] for digit in range(1, 10)]
rows = np.concatenate([zeros, others])
X, y = images[rows], digits[rows]

detector = AutoencoderOutlierDetector(random_state=0).fit(X)
scores = detector.held_out_scores_
found = scores < detector.offset_
print(f"flagged: {found[y != 0].sum()} of {len(others)} other digits")
print(f"flagged: {found[y == 0].sum()} of {len(zeros)} zeros")
print(f"ROC-AUC: {roc_auc_score(y != 0, -scores):.3f}")

# %%
# Faulty rows
# -----------
# In 15 rows of a table one value is replaced by that of another row, at least two
# standard deviations away. Other rows have such values, too. Only together with the
# row's other features is it wrong. The likelihood sees this. The other views of the
# detector, a forest and the nearest neighbour, hardly do. So ``method="likelihood"``.

table = load_breast_cancer()
X_table = StandardScaler().fit_transform(table.data)
rng = np.random.default_rng(0)
faulty = rng.choice(len(X_table), 15, replace=False)
features = rng.choice(X_table.shape[1], 15)
X_faulty = X_table.copy()
for row, feature in zip(faulty, features, strict=True):
    values = X_table[:, feature]
    X_faulty[row, feature] = rng.choice(values[np.abs(values - values[row]) > 2])

# The detector is fitted to the rows as they should be, and used on the others.
is_faulty = np.zeros(len(X_table), bool)
is_faulty[faulty] = True
detector_of_faults = AutoencoderOutlierDetector(method="likelihood", random_state=0)
detector_of_faults.fit(X_table[~is_faulty])
before = detector_of_faults.decision_function(X_table[faulty])
after = detector_of_faults.decision_function(X_faulty[faulty])
contributions = detector_of_faults.explain(X_faulty[faulty])
forest = IsolationForest(random_state=0).fit(X_table[~is_faulty])
print(f"\nflagged before the faults: {(before < 0).sum()} of 15 rows")
print(f"flagged after the faults: {(after < 0).sum()} of 15 rows")
flagged = forest.predict(X_faulty[faulty]) < 0
print(f"flagged after the faults by IsolationForest: {flagged.sum()} of 15 rows")
at_fault = contributions.argmax(axis=1) == features
print(f"largest contribution at the fault: {at_fault.sum()} of 15 rows")

# %%
# The figure
# ----------
# Above: the ten images with the lowest scores, and below them how much each pixel
# contributes. Bottom: how much each feature contributes in the ten faulty rows with the
# lowest scores. A circle marks the feature that was changed.
#
# The nine images with the lowest scores are the nine other digits, and the tenth is a
# zero. In the table the detector flags 11 of 15 faulty rows, and ``IsolationForest``
# flags 3.

lowest = np.argsort(scores)[:10]
pixels = detector.explain(X[lowest])
figure = plt.figure(figsize=(11, 8), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.6])
axes = top.subplots(2, 10)
for column, row in enumerate(lowest):
    image = X[row].reshape(8, 8)
    axes[0, column].imshow(image, cmap="gray_r")
    axes[0, column].set_title(f"{y[row]}\n{scores[row] - detector.offset_:.1f}")
    axes[1, column].imshow(pixels[column].reshape(8, 8), cmap="Reds")
for axis in axes.flat:
    axis.set_xticks([])
    axis.set_yticks([])
axes[0, 0].set_ylabel("image")
axes[1, 0].set_ylabel("contributions")
top.suptitle("Lowest scores among zeros: digit, and score minus threshold")

order = np.argsort(after)[:10]
axis = bottom.subplots()
picture = axis.imshow(contributions[order], cmap="Reds", aspect="auto", vmin=0, vmax=1)
axis.scatter(features[order], np.arange(10), s=120, facecolors="none", edgecolors="k")
axis.set_xticks(range(X_table.shape[1]), table.feature_names, rotation=90)
axis.set_yticks(range(10), [f"{after[row]:.0f}" for row in order])
axis.set_ylabel("score minus threshold")
bottom.colorbar(picture, label="contribution")
bottom.suptitle("Faulty rows of a table: what each feature contributes")
figure.savefig("plot_outliers.png", dpi=100)
print("Figure saved to plot_outliers.png")
