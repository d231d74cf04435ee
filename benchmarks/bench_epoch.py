"""
Time of an epoch: skae, a fused JAX loop, Keras, Lightning and scikit-learn.

The network is 784-128-32-128-784 with ReLU, Adam at 1e-3, squared error and batches of
256. Every contender reports the end of each epoch. The times are those between two
ends, so compilation and other fixed costs are left out. All contenders run alternately
in one process, several times. Keras on another backend runs in a process of its own.
The table gives medians and ratios to the JAX loop written by hand. Contenders that are
not installed are left out.

    python benchmarks/bench_epoch.py [--data mnist.npz] [--rows 60000] [--rounds 5]
"""

import argparse
import contextlib
import importlib.util
import io
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from _measure import images
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from skae import AutoencoderTransformer

EPOCHS, BATCH = 8, 256
SIZES = [(784, 128), (128, 32), (32, 128), (128, 784)]


class Listener(io.StringIO):
    """Replace the output of estimators that print a line for each epoch."""

    def __init__(self, tick):
        super().__init__()
        self._tick = tick

    def write(self, text):
        if text.startswith("Iteration"):
            self._tick()


def with_jax_loop(X):
    """Return a function that trains with a fused JAX loop written by hand."""
    rng = np.random.default_rng(0)
    data = jnp.asarray(X)

    def loss(weights, rows):
        hidden = rows
        for layer, (kernel, bias) in enumerate(weights):
            hidden = hidden @ kernel + bias
            if layer in (0, 2):
                hidden = jax.nn.relu(hidden)
        return jnp.mean(jnp.square(hidden - rows))

    def step(state, index):
        weights, first, second, t = state
        value, gradient = jax.value_and_grad(loss)(weights, data[index])
        t = t + 1
        first = jax.tree.map(lambda m, g: m + 0.1 * (g - m), first, gradient)
        second = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), second, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weights = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second
        )
        return (weights, first, second, t), value

    epoch = jax.jit(lambda state, order: jax.lax.scan(step, state, order))
    n_batches = len(X) // BATCH

    def train(tick):
        weights = [
            (
                (rng.uniform(-1, 1, size=s) * np.sqrt(6 / sum(s))).astype(np.float32),
                np.zeros(s[1], np.float32),
            )
            for s in SIZES
        ]
        zeros = jax.tree.map(np.zeros_like, weights)
        state = weights, zeros, zeros, np.float32(0)
        for _ in range(EPOCHS):
            order = rng.permutation(len(X))[: n_batches * BATCH]
            state, losses = epoch(state, order.reshape(-1, BATCH).astype(np.int32))
            float(losses.mean())
            tick()

    return train


def with_skae(X, skip_connections):
    """Return a function that fits the estimator of skae."""

    def train(tick):
        estimator = AutoencoderTransformer(
            32,
            hidden_layer_sizes=(128,),
            activation="relu",
            skip_connections=skip_connections,
            learning_rate=1e-3,
            alpha=0.0,
            batch_size=BATCH,
            max_iter=EPOCHS,
            n_iter_no_change=EPOCHS,
            early_stopping=False,
            random_state=0,
            verbose=True,
        )
        with contextlib.redirect_stdout(Listener(tick)):
            estimator.fit(X)

    return train


def with_keras(X):
    """Return a function that calls Keras' own ``fit``."""

    def train(tick):
        model = keras.Sequential(
            [
                keras.Input((784,)),
                keras.layers.Dense(128, "relu"),
                keras.layers.Dense(32),
                keras.layers.Dense(128, "relu"),
                keras.layers.Dense(784),
            ]
        )
        model.compile("adam", "mse")
        listener = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: tick())
        model.fit(
            X, X, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=[listener]
        )

    return train


def with_scikit_learn(X):
    """Return a function that fits MLPRegressor to its own input."""

    def train(tick):
        regressor = MLPRegressor(
            hidden_layer_sizes=(128, 32, 128),
            batch_size=BATCH,
            max_iter=EPOCHS,
            verbose=True,
        )
        with (
            contextlib.redirect_stdout(Listener(tick)),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", ConvergenceWarning)
            regressor.fit(X, X)

    return train


def with_lightning(X, reports):
    """Return a function that trains a LightningModule on the CPU.

    With ``reports``, training uses the defaults of Lightning's documentation. Without
    it, loggers, checkpoints, progress bars and summaries are switched off.
    """
    import logging

    import lightning
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    names = "logger", "enable_checkpointing", "enable_progress_bar"
    silent = {} if reports else dict.fromkeys((*names, "enable_model_summary"), False)

    class Network(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                *(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 32)),
                *(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 784)),
            )

        def training_step(self, batch, _):
            loss = nn.functional.mse_loss(self.layers(batch[0]), batch[0])
            if reports:
                self.log("train_loss", loss)
            return loss

        def on_train_epoch_end(self):
            self.tick()

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 1e-3)

    loader = DataLoader(TensorDataset(torch.from_numpy(X)), BATCH, shuffle=True)

    def train(tick):
        network = Network()
        network.tick = tick
        with (
            warnings.catch_warnings(),
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            lightning.Trainer(
                max_epochs=EPOCHS,
                accelerator="cpu",
                default_root_dir=folder,
                **silent,
            ).fit(network, loader)

    return train


def epoch_seconds(contenders, rounds):
    """Return the median time of an epoch, for each contender."""
    found = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, train in contenders.items():
            ends = []
            train(lambda ends=ends: ends.append(time.perf_counter()))
            found[name] += [end - start for start, end in itertools.pairwise(ends)]
    return {name: statistics.median(times) for name, times in found.items()}


def installed(name):
    return importlib.util.find_spec(name) is not None


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only-keras", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    X = images(options.data, options.rows)
    if options.only_keras:
        print(epoch_seconds({"keras": with_keras(X)}, options.rounds)["keras"])
        sys.exit()
    contenders = {
        "JAX loop written by hand": with_jax_loop(X),
        "skae, skip_connections=None": with_skae(X, None),
        "skae, with the linear path": with_skae(X, "linear"),
        "Keras fit on jax": with_keras(X),
        "MLPRegressor": with_scikit_learn(X),
    }
    if installed("lightning"):
        contenders["Lightning, without reports"] = with_lightning(X, reports=False)
        contenders["Lightning, its defaults"] = with_lightning(X, reports=True)
    times = epoch_seconds(contenders, options.rounds)
    for backend in ("tensorflow", "torch"):
        if installed(backend):
            output = subprocess.run(
                [sys.executable, *sys.argv, "--only-keras"],
                env={**os.environ, "KERAS_BACKEND": backend},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
            times[f"Keras fit on {backend}"] = float(output.split()[-1])
    print(f"{X.shape[0]} rows, medians of {options.rounds}")
    for name, epoch in times.items():
        print(
            f"{name:30}{epoch:8.3f} s{epoch / times['JAX loop written by hand']:8.2f}"
        )
