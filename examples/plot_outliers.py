"""
Find foreign digits and the pixels that gave them away
======================================================

The training images are zeros, and a few other digits among them. The detector does not
know which. It scores all rows. ``explain`` says how much each pixel contributes to a
row's score. The figure shows the ten rows with the lowest scores.

    python examples/plot_outliers.py
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skae.outliers import AutoencoderOutlierDetector

images, digits = load_digits(return_X_y=True)
zeros = np.flatnonzero(digits == 0)
foreign = np.concatenate(
    [np.flatnonzero(digits == digit)[:1] for digit in range(1, 10)]
)
rows = np.concatenate([zeros, foreign])
X, y = images[rows], digits[rows]
print(f"{len(zeros)} zeros and {len(foreign)} foreign digits")

# %%
# The detector
# ------------
# The threshold comes from scores of held-out rows. Nothing has to be set.

detector = AutoencoderOutlierDetector(random_state=0)
found = detector.fit_predict(X) == -1
scores = detector.score_samples(X)
print(f"flagged: {(found & (y != 0)).sum()} of {len(foreign)} foreign digits")
print(f"flagged: {(found & (y == 0)).sum()} of {len(zeros)} zeros")
forest = IsolationForest(random_state=0).fit(X)
for name, values in (("skae", scores), ("IsolationForest", forest.score_samples(X))):
    print(f"ROC-AUC of {name}: {roc_auc_score(y != 0, -values):.3f}")

# %%
# What gave them away
# -------------------
# Each feature's share of the score, with red for the largest.

lowest = np.argsort(scores)[:10]
shares = detector.explain(X[lowest])
figure, axes = plt.subplots(2, 10, figsize=(12, 3))
for column, row in enumerate(lowest):
    image, share = X[row].reshape(8, 8), shares[column].reshape(8, 8)
    axes[0, column].imshow(image, cmap="gray_r")
    axes[0, column].set_title(f"{y[row]}\n{scores[row] - detector.offset_:.0f}")
    axes[1, column].imshow(image, cmap="gray_r", alpha=0.4)
    axes[1, column].imshow(share, cmap="Reds", alpha=0.7)
for axis in axes.flat:
    axis.set_xticks([])
    axis.set_yticks([])
axes[0, 0].set_ylabel("image")
axes[1, 0].set_ylabel("share")
figure.suptitle("Lowest scores among zeros: digit, and score minus threshold")
figure.tight_layout()
plt.show()
