"""
The autoencoder of the tutorials, line by line
==============================================

The network that most introductions to autoencoders train: 784-128-32-128-784, ReLU, a
sigmoid at the end, Adam, mean squared error, 50 epochs in batches of 256. Here it is
trained twice in one run, by Keras' ``fit`` and through skae, with the same layers, the
same data and the same settings, and then once more as skae would have it.

    python examples/plot_classic_autoencoder.py --data mnist.npz

Without ``--data`` it takes scikit-learn's 1797 digits of 8 by 8 pixels.
"""

import argparse
import os
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from skae import AutoencoderTransformer

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="Keras' mnist.npz")
parser.add_argument("--epochs", type=int, default=50)
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

# %%
# The data: pixels from 0 to 1, and images to validate on that no network trains on.

if options.data:
    arrays = np.load(options.data)
    x_train, x_test = (
        arrays[name].reshape(-1, 784).astype("float32") / 255
        for name in ("x_train", "x_test")
    )
else:
    x_train, x_test = train_test_split(
        load_digits().data.astype("float32") / 16, test_size=300, random_state=0
    )
n_features = x_train.shape[1]

# %%
# The two networks of the tutorial. For skae they are functions that return them, since
# every ``fit`` begins with new ones.


def encoder(n_features, n_components):
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(n_components, activation="relu"),
        ]
    )


def decoder(n_features, n_components):
    return keras.Sequential(
        [
            keras.Input((n_components,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(n_features),
        ]
    )


# %%
# With Keras: encoder, decoder and the sigmoid in one model, compiled and fitted.

keras.utils.set_random_seed(options.seed)
start = time.perf_counter()
model = keras.Sequential(
    [
        encoder(n_features, 32),
        decoder(n_features, 32),
        keras.layers.Activation("sigmoid"),
    ]
)
model.compile(optimizer="adam", loss="mean_squared_error")
history = model.fit(
    x_train,
    x_train,
    epochs=options.epochs,
    batch_size=256,
    validation_data=(x_test, x_test),
    verbose=0,
)
keras_seconds = time.perf_counter() - start
by_keras = model.predict(x_test, verbose=0)

# %%
# Through skae: the same settings, by scikit-learn's names. Without early stopping all
# rows train, as above, and ``skip_connections=None`` leaves the network as it is.

classic = AutoencoderTransformer(
    n_components=32,
    encoder=encoder,
    decoder=decoder,
    output_activation="sigmoid",
    skip_connections=None,
    optimizer=keras.optimizers.Adam(),
    batch_size=256,
    max_iter=options.epochs,
    alpha=0,
    early_stopping=False,
    n_iter_no_change=options.epochs,
    random_state=options.seed,
)
start = time.perf_counter()
classic.fit(x_train)
classic_seconds = time.perf_counter() - start

# %%
# And as skae would have it: one line.

ours = AutoencoderTransformer(n_components=32, random_state=options.seed)
start = time.perf_counter()
ours.fit(x_train)
our_seconds = time.perf_counter() - start


def error(found):
    return np.square(x_test - found).mean()


results = {
    "Keras' fit": (by_keras, keras_seconds),
    "the same through skae": (classic.reconstruct(x_test), classic_seconds),
    "skae's default": (ours.reconstruct(x_test), our_seconds),
}
print("| | test error | seconds |\n| --- | --- | --- |")
for name, (found, seconds) in results.items():
    print(f"| {name} | {error(found):.5f} | {seconds:.1f} |")

# %%
# The losses fall alike: it is the same network, only faster. The default's are not
# those of pixels from 0 to 1, but shares of the variance, so it has a line of its own.

figure = plt.figure(figsize=(10, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.4])
axes = left.subplots()
axes.plot(history.history["loss"], label="Keras' fit, training")
axes.plot(history.history["val_loss"], label="Keras' fit, validation")
axes.plot(classic.loss_curve_, "--", label="through skae, training")
axes.axhline(error(results["skae's default"][0]), color="k", lw=0.8)
axes.annotate(
    "skae's default, test",
    (options.epochs, axes.lines[-1].get_ydata()[0]),
    ha="right",
    va="bottom",
)
axes.set(xlabel="epoch", ylabel="mean squared error", yscale="log")
axes.legend()

side = int(np.sqrt(n_features))
panels = {
    "test images": x_test,
    **{name: found for name, (found, _) in results.items()},
}
grid = right.subplots(len(panels), 8)
for row, (name, images) in zip(grid, panels.items(), strict=True):
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for cell, image in zip(row, images, strict=False):
        cell.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        cell.set(xticks=[], yticks=[])
figure.savefig("examples/plot_classic_autoencoder.png", dpi=100)
