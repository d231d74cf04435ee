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
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)


def fit_and_describe(reducer):
    """Fit the reducer, print its properties and return the training codes."""
    reducer.set_output(transform="pandas")
    codes = reducer.fit_transform(X_train)
    restored = reducer.inverse_transform(reducer.transform(X_test).to_numpy())
    error = ((X_test - restored) ** 2).mean().mean()
    ratios = reducer.explained_variance_ratio_
    print(reducer)
    print("  names of the codes      ", list(codes.columns))
    print("  variances of the codes  ", codes.var().round(1).tolist())
    print("  correlation of the codes", f"{abs(codes.corr().iloc[0, 1]):.4f}")
    print("  explained variance ratio", ratios.round(3).tolist())
    print("  sum of the ratios       ", ratios.sum().round(3))
    print("  shape of components_    ", reducer.components_.shape)
    print("  squared error, test     ", error.round(2))
    return codes


all_codes = [
    fit_and_describe(reducer)
    for reducer in (
        PCA(n_components=2),
        AutoencoderTransformer(n_components=2, random_state=0),
        AutoencoderTransformer(n_components=2, hidden_layer_sizes=()),
    )
]

# %%
# The codes of the digits
# -----------------------
# The figure shows the codes of the training images. The autoencoder without hidden
# layers is PCA. Its codes have the same signs as those of scikit-learn's PCA.

figure, panels = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
titles = ["PCA", "Autoencoder", "Autoencoder without hidden layers"]
for axes, codes, title in zip(panels, all_codes, titles, strict=True):
    points = axes.scatter(
        *codes.to_numpy().T, c=y_train, cmap="tab10", s=6, vmin=-0.5, vmax=9.5
    )
    axes.set(title=title, xlabel=codes.columns[0], ylabel=codes.columns[1])
figure.colorbar(points, ax=panels, ticks=range(10), label="digit")
figure.savefig("plot_swap_in_for_pca.png", dpi=120)
print("Figure saved to plot_swap_in_for_pca.png")
