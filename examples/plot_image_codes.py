"""
Codes of images: PCA, dense and convolutional autoencoder
=========================================================

PCA, a dense autoencoder and a convolutional autoencoder reduce images of digits to 2,
4, 8, 16 and 32 components. Nearest neighbours and logistic regression then classify the
digits from these codes.

To run it on MNIST::

    MNIST=mnist.npz python examples/plot_image_codes.py

Without this variable the example uses scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patheffects import withStroke
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

# The path of the file mnist.npz from Keras, or nothing.
MNIST = os.environ.get("MNIST")

# %%
# The data: MNIST has 5000 training images and 2000 test images here. The small digits
# have 1297 and 500.

if MNIST:
    arrays = np.load(MNIST)
    X_train, X_test = (
        arrays[name][:count].reshape(-1, 784).astype("float32") / 255
        for name, count in (("x_train", 5000), ("x_test", 2000))
    )
    y_train, y_test = arrays["y_train"][:5000], arrays["y_test"][:2000]
else:
    images, digits = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        images / 16, digits, test_size=500, stratify=digits, random_state=0
    )

# %%
# All three reducers have the same interface. With ``image_shape`` the autoencoder has
# convolutional layers. "auto" stands for square images with one channel.

REDUCERS = {
    "PCA": PCA(random_state=0),
    "dense": AutoencoderTransformer(random_state=0),
    "convolutional": AutoencoderTransformer(image_shape="auto", random_state=0),
}
CLASSIFIERS = {
    "nearest neighbours": KNeighborsClassifier(),
    "logistic regression": LogisticRegression(max_iter=2000),
}
N_COMPONENTS = [2, 4, 8, 16, 32]

# %%
# Each reducer is fitted once for each number of components. It does not use the labels.
# Both classifiers use the same codes. The error is the squared reconstruction error on
# the test images, relative to PCA with the same number of components.

results, test_codes_in_2d = {}, {}
for k in N_COMPONENTS:
    for name, reducer in REDUCERS.items():
        fitted = clone(reducer).set_params(n_components=k).fit(X_train)
        codes, test_codes = fitted.transform(X_train), fitted.transform(X_test)
        results[k, name] = {
            title: make_pipeline(StandardScaler(), classifier)
            .fit(codes, y_train)
            .score(test_codes, y_test)
            for title, classifier in CLASSIFIERS.items()
        }
        restored = fitted.inverse_transform(test_codes)
        results[k, name]["error"] = np.square(X_test - restored).mean()
        if k == 2:
            test_codes_in_2d[name] = test_codes
table = pd.DataFrame(results).T.rename_axis(["components", "reducer"])
pca_errors = table["error"].xs("PCA", level="reducer")
table["error"] = table["error"].div(pca_errors, level="components")
print(table.round(3))

# %%
# The figure shows the accuracy for each number of components. It also shows the codes
# of the test images for two components.
#
# On the small digits with 2 components, nearest neighbours have an accuracy of 89 % on
# the codes of both autoencoders, and 62 % on those of PCA. With 16 or more components
# the reducers differ by one point at most.

figure = plt.figure(figsize=(12, 6), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.25])
for axes, title in zip(left.subplots(2, 1, sharex=True), CLASSIFIERS, strict=True):
    curves = table[title].unstack("reducer")[list(REDUCERS)]
    curves.plot(ax=axes, style=["ko:", "C1s-", "C0^-"], legend=False)
    axes.grid(alpha=0.3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(N_COMPONENTS, N_COMPONENTS)
    axes.set(title=title.capitalize(), ylabel="test accuracy")
axes.set_xlabel("number of components")
axes.legend(loc="lower right")

for axes, (name, codes) in zip(
    right.subplots(1, 3), test_codes_in_2d.items(), strict=True
):
    axes.scatter(*codes.T, c=y_test, s=4, cmap="tab10")
    for digit, middle in pd.DataFrame(codes).groupby(y_test).median().iterrows():
        axes.text(
            *middle,
            digit,
            ha="center",
            va="center",
            weight="bold",
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    axes.set(title=name, xticks=[], yticks=[], xlabel="component 1")
right.axes[0].set_ylabel("component 2")
right.suptitle("Codes of the test images, 2 components")
figure.savefig("plot_image_codes.png", dpi=100)
print("Figure saved to plot_image_codes.png")
