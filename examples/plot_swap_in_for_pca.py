"""
Replace PCA with an autoencoder
===============================

The autoencoder has the methods and attributes of scikit-learn's PCA. Here one function
fits three reducers with the same code: PCA, an autoencoder, and an autoencoder without
hidden layers.
"""

# %%
# The same code for all reducers
# ------------------------------
# The reducers are fitted to the training images. The reconstruction error is measured
# on the test images.

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patheffects import withStroke
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)


def fit_and_describe(reducer):
    """Fit the reducer. Return the training codes and a column of the table."""
    reducer.set_output(transform="pandas")
    codes = reducer.fit_transform(X_train)
    restored = reducer.inverse_transform(reducer.transform(X_test).to_numpy())
    return codes, {
        "variance of code 1": codes.iloc[:, 0].var(),
        "variance of code 2": codes.iloc[:, 1].var(),
        "correlation of the codes": abs(codes.corr().iloc[0, 1]),
        "explained variance ratio 1": reducer.explained_variance_ratio_[0],
        "explained variance ratio 2": reducer.explained_variance_ratio_[1],
        "squared error, test images": ((X_test - restored) ** 2).mean().mean(),
    }


reducers = {
    "PCA": PCA(n_components=2),
    "autoencoder": AutoencoderTransformer(n_components=2, random_state=0),
    "no hidden layers": AutoencoderTransformer(n_components=2, hidden_layer_sizes=()),
}
fitted = {name: fit_and_describe(reducer) for name, reducer in reducers.items()}
table = pd.DataFrame({name: column for name, (_, column) in fitted.items()})
print(table.round(3))

# %%
# The codes of the digits
# -----------------------
# The figure shows the codes of the training images. The autoencoder without hidden
# layers is PCA. Its codes have the same signs as those of scikit-learn's PCA.
#
# The two codes of the autoencoder separate the digits better. They explain 65 % of the
# variance, those of PCA 29 %. The squared error on the test images is 7.6, that of PCA
# is 13.8.

figure, panels = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
for axes, (name, (codes, _)) in zip(panels, fitted.items(), strict=True):
    axes.scatter(*codes.to_numpy().T, c=y_train, cmap="tab10", s=6)
    for digit, middle in codes.groupby(y_train).median().iterrows():
        axes.text(
            *middle,
            digit,
            ha="center",
            va="center",
            weight="bold",
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    axes.set(title=name, xlabel=codes.columns[0], ylabel=codes.columns[1])
figure.suptitle("Codes of the training images. Each colour is a digit")
figure.savefig("plot_swap_in_for_pca.png", dpi=120)
print("Figure saved to plot_swap_in_for_pca.png")
