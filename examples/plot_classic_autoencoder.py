"""
The autoencoder of most tutorials, in Keras and in skae
=======================================================

Most introductions to autoencoders train this network: layers of 784, 128, 32, 128 and
784 units, ReLU, a sigmoid at the output, Adam, mean squared error, 50 epochs, batches
of 256. This example trains it twice, with Keras' ``fit`` and with skae. Layers, data
and settings are the same. Then it trains skae's default autoencoder with the same
number of components.

To run it on MNIST::

    MNIST=mnist.npz python examples/plot_classic_autoencoder.py

Without this variable the example uses scikit-learn's 1797 digits of 8 by 8 pixels. Then
the first and the last layer have 64 units.
"""

import os
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from skae import AutoencoderTransformer

# The path of the file mnist.npz from Keras, or nothing.
MNIST = os.environ.get("MNIST")
EPOCHS, SEED = 50, 0

# %%
# The data: pixels are scaled to values from 0 to 1. No network trains on the test
# images.

if MNIST:
    arrays = np.load(MNIST)
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
# The encoder and the decoder of the tutorials. skae takes functions that return the
# networks, because every ``fit`` starts with new networks.


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
# Keras: one model contains the encoder, the decoder and the sigmoid. Keras' ``fit``
# also evaluates the test images after each epoch. Its time includes this.

keras.utils.set_random_seed(SEED)
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
    epochs=EPOCHS,
    batch_size=256,
    validation_data=(x_test, x_test),
    verbose=0,
)
keras_seconds = time.perf_counter() - start
keras_reconstructions = model.predict(x_test, verbose=0)

# %%
# skae with the same settings. With ``early_stopping=False`` all training images are
# used for training, as in Keras. With ``skip_connections=None`` skae adds no linear
# path to the network.

same_network = AutoencoderTransformer(
    n_components=32,
    encoder=encoder,
    decoder=decoder,
    output_activation="sigmoid",
    skip_connections=None,
    optimizer=keras.optimizers.Adam(),
    batch_size=256,
    max_iter=EPOCHS,
    alpha=0,
    early_stopping=False,
    n_iter_no_change=EPOCHS,
    random_state=SEED,
)
start = time.perf_counter()
same_network.fit(x_train)
same_seconds = time.perf_counter() - start

# %%
# skae with its default network and settings.

default = AutoencoderTransformer(n_components=32, random_state=SEED)
start = time.perf_counter()
default.fit(x_train)
default_seconds = time.perf_counter() - start


results = {
    "Keras' fit": (keras_reconstructions, keras_seconds),
    "same network in skae": (same_network.reconstruct(x_test), same_seconds),
    "skae's default": (default.reconstruct(x_test), default_seconds),
}
table = pd.DataFrame(
    [
        (np.square(x_test - reconstructions).mean(), seconds)
        for reconstructions, seconds in results.values()
    ],
    index=results,
    columns=["mean squared error, test images", "seconds"],
)
print(table.round({"seconds": 1}).round(5))

# %%
# The figure shows the losses and some reconstructions. The two loss curves are similar,
# because Keras and skae train the same network. The losses of skae's default are in
# other units (fractions of the variance). So the figure shows only its error on the
# test images, as a horizontal line.
#
# On the small digits Keras' ``fit`` ends with an error of 0.012 on the test images, and
# the same network in skae with 0.011. skae's default has an error of 0.002.

figure = plt.figure(figsize=(12, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.6])
axes = left.subplots()
axes.plot(history.history["loss"], label="Keras' fit, training images")
axes.plot(history.history["val_loss"], label="Keras' fit, test images")
axes.plot(
    same_network.loss_curve_, "k--", label="same network in skae,\ntraining images"
)
default_error = table.iloc[-1, 0]
axes.axhline(default_error, color="k", lw=0.8)
axes.annotate(
    "skae's default, test images, after training",
    (EPOCHS, default_error),
    ha="right",
    va="bottom",
)
axes.set(xlabel="epoch", ylabel="mean squared error", yscale="log")
axes.set_title("Keras' fit and skae train the same network")
axes.legend()

side = int(np.sqrt(n_features))
panels = {
    "test images": x_test,
    **{name: reconstructions for name, (reconstructions, _) in results.items()},
}
right.suptitle("Reconstructions of test images")
grid = right.subplots(len(panels), 8)
for row, (name, images) in zip(grid, panels.items(), strict=True):
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for cell, image in zip(row, images, strict=False):
        cell.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        cell.set(xticks=[], yticks=[])
figure.savefig("plot_classic_autoencoder.png", dpi=100)
print("Figure saved to plot_classic_autoencoder.png")
