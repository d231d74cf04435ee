"""
Compare convolutional with dense networks, and skae with Keras' own convolutions.

The first table has the reconstruction error of test images, relative to PCA's, and the
time of a fit. Both estimators use their defaults. The second table has the seconds of
an epoch of the convolutional network, for skae and for Keras' ``fit`` of the same
network on all installed backends. For the second table each run is a new process, and
the contenders run alternately, several times.

    python benchmarks/bench_convolution.py --data mnist.npz [--rows 10000] [--rounds 5]
"""

import argparse
import contextlib
import importlib.util
import io
import os
import statistics
import subprocess
import sys
import time

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, help="Keras' mnist.npz")
parser.add_argument("--rows", type=int, default=10000)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--only", help="time the epochs of one contender, in this process")
options = parser.parse_args()

arrays = np.load(options.data)
train, test = (
    arrays[name].reshape(-1, 784).astype(np.float32) / 255
    for name in ("x_train", "x_test")
)
train = train[: options.rows]
EPOCHS, BATCH, CODE = 6, 256, 16


def keras_network():
    """Return the network that skae trains, in ordinary Keras layers."""
    import keras
    from keras import layers

    rows = keras.Input((784,))
    hidden = layers.Reshape((28, 28, 1))(rows)
    hidden = layers.Conv2D(32, 8, strides=4, padding="same", activation="silu")(hidden)
    hidden = layers.Dense(256, activation="silu")(layers.Flatten()(hidden))
    codes = layers.Add()([layers.Dense(CODE)(rows), layers.Dense(CODE)(hidden)])
    hidden = layers.Dense(256, activation="silu")(codes)
    hidden = layers.Dense(7 * 7 * 32, activation="silu")(hidden)
    hidden = layers.Reshape((7, 7, 32))(hidden)
    hidden = layers.Conv2DTranspose(1, 8, strides=4, padding="same")(hidden)
    outputs = layers.Add()([layers.Dense(784)(codes), layers.Flatten()(hidden)])
    return keras.Model(rows, outputs)


def epochs_of_keras():
    import keras

    ends = []
    tick = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    model = keras_network()
    model.compile("adam", "mean_squared_error")
    model.fit(train, train, BATCH, epochs=EPOCHS, verbose=0, callbacks=[tick])
    return ends


class Listener(io.StringIO):
    """Replace the output of an estimator that prints a line for each epoch."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def write(self, text):
        if text.startswith("Iteration"):
            self.ends.append(time.perf_counter())


def epochs_of_skae():
    from skae import AutoencoderTransformer

    model = AutoencoderTransformer(
        CODE,
        image_shape=(28, 28),
        batch_size=BATCH,
        max_iter=EPOCHS,
        early_stopping=False,
        verbose=True,
        random_state=0,
    )
    with contextlib.redirect_stdout(Listener()) as listener:
        model.fit(train)
    return listener.ends


def quality():
    from sklearn.decomposition import PCA

    from skae import AutoencoderTransformer

    print("| components | network | error / PCA's | seconds |")
    print("| --- | --- | --- | --- |")
    for k in (16, 32):
        pca = PCA(k).fit(train)
        unit = np.square(test - pca.inverse_transform(pca.transform(test))).sum()
        for name, shape in {"dense": None, "convolutional": (28, 28)}.items():
            seconds = []
            for seed in range(3):
                start = time.perf_counter()
                model = AutoencoderTransformer(
                    k, image_shape=shape, random_state=seed
                ).fit(train)
                seconds.append(time.perf_counter() - start)
            error = np.square(test - model.reconstruct(test)).sum() / unit
            took = statistics.median(seconds)
            print(f"| {k} | {name} | {error:.3f} | {took:.1f} |", flush=True)


if options.only:
    ends = epochs_of_skae() if options.only == "skae" else epochs_of_keras()
    print(*np.diff(ends))
else:
    quality()
    contenders = {"skae": "jax", "Keras on JAX": "jax"}
    for module, name in (("tensorflow", "TensorFlow"), ("torch", "PyTorch")):
        if importlib.util.find_spec(module):
            contenders[f"Keras on {name}"] = module
    found = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, backend in contenders.items():
            command = [sys.executable, *sys.argv, "--only", name]
            env = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
            run = subprocess.run(
                command, env=env, capture_output=True, text=True, check=True
            )
            found[name] += [float(value) for value in run.stdout.split()]
    unit = statistics.median(found["skae"])
    print(f"\n{len(train)} images, batches of {BATCH}\n")
    print("| | seconds per epoch | relative to skae |\n| --- | --- | --- |")
    for name, values in found.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.3f} | {median / unit:.2f} |")
