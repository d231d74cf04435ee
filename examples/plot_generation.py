"""
Generating digits, and what beta trades for what
================================================

A variational autoencoder is a model of the data: codes are drawn from a normal
distribution and decoded. This draws the plane of a code with two components, samples of
one with twenty, and what the weight of the divergence, beta, trades: nats that the code
spends on a row (rate) for nats that the row then still costs (distortion).

    python examples/plot_generation.py --data mnist.npz

Without ``--data`` it takes scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import VariationalAutoencoderTransformer

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="Keras' mnist.npz")
parser.add_argument("--train", type=int, default=60000)
parser.add_argument("--sweep", type=int, default=5000, help="rows for the sweep")
options = parser.parse_args()

# %%
# The data: every pixel is a coin, thrown once with the grey value as its probability.
# A bound of -100 nats then means that the model gives a test image the probability
# exp(-100), among the 2^784 that there are.

if options.data:
    arrays = np.load(options.data)
    grey = [arrays[name].reshape(-1, 784) / 255 for name in ("x_train", "x_test")]
    grey[0] = grey[0][: options.train]
else:
    grey = train_test_split(load_digits().data / 16, test_size=300, random_state=0)
rng = np.random.default_rng(0)
train, test = ((rng.random(X.shape) < X).astype(np.float32) for X in grey)
side = int(np.sqrt(train.shape[1]))

# %%
# Twenty components, the default dense network.

model = VariationalAutoencoderTransformer(20, likelihood="bernoulli", random_state=0)
model.fit(train)
print(f"{len(train)} training images, {len(test)} test images\n")
print("| components | test ELBO (nats) | rate | active components |")
print("| --- | --- | --- | --- |")


def line(model):
    rate = model.divergence_.sum()
    return (
        f"| {model.n_components_} | {model.score(test):.1f} | {rate:.1f} "
        f"| {model.n_active_components_} |"
    )


print(line(model))

# %%
# Two components, to look at: a grid of codes at equal steps of probability.

plane = VariationalAutoencoderTransformer(
    2, likelihood="bernoulli", max_iter=30, random_state=0
).fit(train[: options.train // 2])
print(line(plane))
steps = norm.ppf(np.linspace(0.03, 0.97, 12))
codes = np.array([[x, y] for y in steps[::-1] for x in steps])
grid = plane.inverse_transform(codes)

# %%
# The sweep. Components that are not worth their price fall silent (posterior collapse),
# and ``n_active_components_`` says so.

print("\n| beta | rate | distortion | active of 20 |\n| --- | --- | --- | --- |")
sweep, betas = [], (0.1, 0.3, 1, 3, 10)
for beta in betas:
    swept = VariationalAutoencoderTransformer(
        20, likelihood="bernoulli", beta=beta, max_iter=30, random_state=0
    ).fit(train[: options.sweep])
    rate = swept.divergence_.sum()
    distortion = -swept.score(train[: options.sweep]) - rate
    sweep.append((rate, distortion))
    print(f"| {beta} | {rate:.1f} | {distortion:.1f} | {swept.n_active_components_} |")

# %%
# The figure.


def sheet(axes, images, columns):
    rows = len(images) // columns
    tiles = images.reshape(rows, columns, side, side).swapaxes(1, 2)
    axes.imshow(
        tiles.reshape(rows * side, columns * side), cmap="gray_r", vmin=0, vmax=1
    )
    axes.set(xticks=[], yticks=[])


figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(13, 4.4), layout="constrained"
)
sheet(left, grid, 12)
left.set_title("the plane of a code with 2 components")
sheet(middle, model.sample(144, random_state=0), 12)
middle.set_title("samples of 20 components")
right.plot(*zip(*sweep, strict=True), "o-")
for beta, point in zip(betas, sweep, strict=True):
    right.annotate(f"{beta:g}", point, xytext=(6, 4), textcoords="offset points")
right.set(
    xlabel="rate (nats)",
    ylabel="distortion (nats)",
    title="training rows, beta from 0.1 to 10",
)
figure.savefig("examples/plot_generation.png", dpi=100)
