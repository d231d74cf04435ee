"""
Generate digits with a variational autoencoder
==============================================

A variational autoencoder is a probabilistic model of the data. To generate an image, it
draws a code from a normal distribution and decodes it. This example generates digits
from codes with 2 and with 20 components. Then it shows the effect of ``beta``, the
weight of the divergence. With a larger ``beta`` the codes hold less information (the
rate), and the reconstructions are worse (the distortion).

To run it on MNIST::

    MNIST=mnist.npz python examples/plot_generation.py

Without this variable the example uses scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import VariationalAutoencoderTransformer

# The path of the file mnist.npz from Keras, or nothing.
MNIST = os.environ.get("MNIST")
N_SWEEP = 5000

# %%
# The data: each pixel is set to 0 or 1 at random, once. Its grey value is the
# probability of 1. So the likelihood of an image is a probability: a bound (ELBO) of
# -100 nats means that the model gives the image a probability of at least exp(-100).

grey = (
    [np.load(MNIST)[name].reshape(-1, 784) / 255 for name in ("x_train", "x_test")]
    if MNIST
    else train_test_split(load_digits().data / 16, test_size=300, random_state=0)
)
rng = np.random.default_rng(0)
train, test = ((rng.random(X.shape) < X).astype(np.float32) for X in grey)
side = int(np.sqrt(train.shape[1]))

# %%
# A model with 20 components and one with 2, with the default dense network. The bound
# is computed on the test images, and the rate on the training images.

model = VariationalAutoencoderTransformer(20, likelihood="bernoulli", random_state=0)
model.fit(train)
model_2d = VariationalAutoencoderTransformer(
    2, likelihood="bernoulli", max_iter=30 if MNIST else 200, random_state=0
).fit(train[:30_000])
table = {
    f"{fitted.n_components_} components": {
        "test ELBO (nats)": fitted.score(test),
        "training rate (nats)": fitted.divergence_.sum(),
        "active components": fitted.n_active_components_,
    }
    for fitted in (model, model_2d)
}
print(f"{len(train)} training images, {len(test)} test images")
print(pd.DataFrame.from_dict(table, orient="index").round(1))

# %%
# The decoder of the model with 2 components is applied to a grid of codes. The
# coordinates of the grid are quantiles of the normal distribution, at equal steps of
# probability.

steps = norm.ppf(np.linspace(0.03, 0.97, 12))
codes = np.array([[x, y] for y in steps[::-1] for x in steps])
decoded_grid = model_2d.inverse_transform(codes)

# %%
# Models with different ``beta``. A component becomes inactive (posterior collapse) if
# ``beta`` times its rate is larger than the distortion that it removes.
# ``n_active_components_`` is the number of components that are still active.

table = {}
for beta in (0.1, 0.3, 1, 3, 10):
    beta_model = VariationalAutoencoderTransformer(
        20, likelihood="bernoulli", beta=beta, max_iter=30, random_state=0
    ).fit(train[:N_SWEEP])
    rate = beta_model.divergence_.sum()
    table[beta] = {
        "rate (nats)": rate,
        "distortion (nats)": -beta_model.score(train[:N_SWEEP]) - rate,
        "active components of 20": beta_model.n_active_components_,
    }
table = pd.DataFrame.from_dict(table, orient="index").rename_axis("beta")
print(table.round(1))

# %%
# The figure shows the decoded grid, samples of the model with 20 components, and the
# rate and the distortion of the training images for each ``beta``.
#
# On the small digits a ``beta`` of 0.1 has a rate of 34 nats and a distortion of 5.
# With a ``beta`` of 10 all components are inactive: the rate is 0, the distortion 27.


def show_images(axes, images, columns):
    tiles = images.reshape(-1, columns, side, side)
    tiles = np.pad(tiles, ((0, 0), (0, 0), (0, 1), (0, 1)))  # a gap between images
    height, width = len(tiles) * (side + 1), columns * (side + 1)
    sheet = tiles.swapaxes(1, 2).reshape(height, width)
    axes.imshow(sheet, cmap="gray_r", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])


figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(13, 4.4), layout="constrained"
)
show_images(left, decoded_grid, 12)
left.set(
    title="Decoded grid of codes, 2 components",
    xlabel="component 1",
    ylabel="component 2",
)
show_images(middle, model.sample(144, random_state=0), 12)
middle.set_title("Samples, 20 components")
table.plot("rate (nats)", "distortion (nats)", style="o-", ax=right, legend=False)
for beta, rate, distortion, _ in table.itertuples():
    right.annotate(
        f"beta={beta:g}", (rate, distortion), (6, 4), textcoords="offset points"
    )
right.margins(y=0.1)
right.set(
    xlim=(None, 1.3 * table["rate (nats)"].max()),  # room for the last label
    ylabel="distortion (nats)",
    title="Effect of beta, training images",
)
figure.savefig("plot_generation.png", dpi=100)
print("Figure saved to plot_generation.png")
