"""
Swap in for PCA, line by line
=============================

Whatever is done with PCA is done with the autoencoder by the same code. Here the same
function runs both, and compares what comes out.
"""

# %%
# The same lines
# --------------

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)


def use(reducer):
    """Do with a reducer what people do with PCA."""
    reducer.set_output(transform="pandas")
    codes = reducer.fit_transform(X_train)
    restored = reducer.inverse_transform(reducer.transform(X_test).to_numpy())
    print(type(reducer).__name__)
    print("  codes          ", list(codes.columns))
    print("  variance        ", codes.var().round(1).tolist())
    print("  explained       ", reducer.explained_variance_ratio_.round(3).tolist())
    print("  in total        ", reducer.explained_variance_ratio_.sum().round(3))
    print("  correlation     ", f"{codes.corr().iloc[0, 1]:.4f}")
    print("  held-out error  ", ((X_test - restored) ** 2).mean().mean().round(2))
    return codes


all_codes = [
    use(reducer)
    for reducer in (
        PCA(n_components=2),
        AutoencoderTransformer(n_components=2, random_state=0),
        AutoencoderTransformer(n_components=2, hidden_layer_sizes=()),
    )
]

# %%
# Where the digits fall
# ---------------------
# The autoencoder without hidden layers is PCA, sign for sign.

figure, panels = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
titles = ["PCA", "autoencoder", "autoencoder, no hidden layer"]
for axes, codes, title in zip(panels, all_codes, titles, strict=True):
    points = axes.scatter(
        *codes.to_numpy().T, c=y_train, cmap="tab10", s=6, vmin=-0.5, vmax=9.5
    )
    axes.set(title=title, xlabel=codes.columns[0], ylabel=codes.columns[1])
figure.colorbar(points, ax=panels, ticks=range(10), label="digit")
path = Path(__file__).with_suffix(".png")
figure.savefig(path, dpi=120)
print(f"figure: {path}")
