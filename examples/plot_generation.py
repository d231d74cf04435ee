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
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import VariationalAutoencoderTransformer

# The path of the file mnist.npz from Keras, or nothing.
MNIST = os.environ.get("MNIST")
N_TRAIN, N_SWEEP = 60_000, 5000

# %%
# The data: each pixel is set to 0 or 1 at random, once. Its grey value is the
# probability of 1. So the likelihood of an image is a probability: a bound (ELBO) of
# -100 nats means that the model gives the image a probability of at least exp(-100).

if MNIST:
    arrays = np.load(MNIST)
    grey = [arrays[name].reshape(-1, 784) / 255 for name in ("x_train", "x_test")]
    grey[0] = grey[0][:N_TRAIN]
else:
    grey = train_test_split(load_digits().data / 16, test_size=300, random_state=0)
rng = np.random.default_rng(0)
train, test = ((rng.random(X.shape) < X).astype(np.float32) for X in grey)
side = int(np.sqrt(train.shape[1]))

# %%
# A model with 20 components and the default dense network. The bound is computed on the
# test images, and the rate on the training images.

model = VariationalAutoencoderTransformer(20, likelihood="bernoulli", random_state=0)
model.fit(train)
print(f"{len(train)} training images, {len(test)} test images\n")
print("| components | test ELBO (nats) | training rate (nats) | active components |")
print("| --- | --- | --- | --- |")


def table_row(model):
    rate = model.divergence_.sum()
    return (
        f"| {model.n_components_} | {model.score(test):.1f} | {rate:.1f} "
        f"| {model.n_active_components_} |"
    )


print(table_row(model))

# %%
# A model with 2 components. The decoder is applied to a grid of codes. The coordinates
# of the grid are quantiles of the normal distribution, at equal steps of probability.

model_2d = VariationalAutoencoderTransformer(
    2, likelihood="bernoulli", max_iter=30, random_state=0
).fit(train[: N_TRAIN // 2])
print(table_row(model_2d))
steps = norm.ppf(np.linspace(0.03, 0.97, 12))
codes = np.array([[x, y] for y in steps[::-1] for x in steps])
decoded_grid = model_2d.inverse_transform(codes)

# %%
# Models with different ``beta``. A component becomes inactive (posterior collapse) if
# ``beta`` times its rate is larger than the distortion that it removes.
# ``n_active_components_`` is the number of components that are still active.

print("\n| beta | rate (nats) | distortion (nats) | active components of 20 |")
print("| --- | --- | --- | --- |")
rates_and_distortions, betas = [], (0.1, 0.3, 1, 3, 10)
for beta in betas:
    beta_model = VariationalAutoencoderTransformer(
        20, likelihood="bernoulli", beta=beta, max_iter=30, random_state=0
    ).fit(train[:N_SWEEP])
    rate = beta_model.divergence_.sum()
    distortion = -beta_model.score(train[:N_SWEEP]) - rate
    rates_and_distortions.append((rate, distortion))
    n_active = beta_model.n_active_components_
    print(f"| {beta} | {rate:.1f} | {distortion:.1f} | {n_active} |")

# %%
# The figure shows the decoded grid, samples of the model with 20 components, and the
# rate and the distortion of the training images for each ``beta``.


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
right.plot(*zip(*rates_and_distortions, strict=True), "o-")
for beta, point in zip(betas, rates_and_distortions, strict=True):
    right.annotate(f"beta={beta:g}", point, xytext=(6, 4), textcoords="offset points")
right.margins(y=0.1)
right.set(
    xlim=(None, 1.3 * max(rates_and_distortions)[0]),  # room for the last label
    xlabel="rate (nats)",
    ylabel="distortion (nats)",
    title="Effect of beta, training images",
)
figure.savefig("plot_generation.png", dpi=100)
print("Figure saved to plot_generation.png")
