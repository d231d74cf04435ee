"""
A few codes of each row by skae and by other libraries, on digits and two tables.

Two thirds of the rows train, the others are test rows. For each library the script
prints

- the reconstruction error of test rows relative to PCA's,
- the accuracy of logistic regression and of 5 neighbours on codes of test rows, which
  learnt from codes of training rows. All codes are standardised,
- the trustworthiness of the codes of test rows: whether neighbours in the codes are
  neighbours in the data (Venna & Kaski 2001). 1 is best,
- CPU seconds of a fit, of encoding all test rows and of decoding them, and of the first
  fit of the process, to wine, with imports and compilation.

Each library has a process of its own.

    pip install umap-learn encdr scikeras skorch
    OMP_NUM_THREADS=1 python benchmarks/peers.py

What is not installed is left out. skae, UMAP and encdr have their defaults. SciKeras
and skorch wrap the network of skae's defaults without its linear path, trained by Adam
with early stopping. UMAP decodes up to 4 codes only, because it triangulates them.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
from quality_contenders import HIDDEN, ScaledAutoencoder
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer


class WithSciKeras(ScaledAutoencoder):
    """A Keras autoencoder in SciKeras' wrapper."""

    def train(self, rows):
        import keras
        from scikeras.wrappers import BaseWrapper

        def network(sizes, n_outputs):
            hidden = [keras.layers.Dense(size, "relu") for size in sizes]
            return keras.Sequential([*hidden, keras.layers.Dense(n_outputs)])

        def model():
            self.encoder_ = network(HIDDEN, self.n_components)
            self.decoder_ = network(HIDDEN[::-1], rows.shape[1])
            return keras.Sequential([self.encoder_, self.decoder_])

        stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
        rows = rows.astype(np.float32)
        BaseWrapper(
            model,
            loss="mean_squared_error",
            optimizer="adam",
            epochs=100,
            validation_split=0.1,
            callbacks=[stop],
            random_state=self.seed,
            verbose=0,
        ).fit(rows, rows)

    def encode(self, rows):
        return np.asarray(self.encoder_(rows.astype(np.float32)))

    def decode(self, codes):
        return np.asarray(self.decoder_(np.asarray(codes, np.float32)))


class WithSkorch(ScaledAutoencoder):
    """A PyTorch autoencoder in skorch's wrapper."""

    def train(self, rows):
        import torch
        from skorch import NeuralNetRegressor
        from skorch.callbacks import EarlyStopping

        def network(*sizes):
            layers = []
            for n_inputs, n_outputs in pairwise(sizes):
                layers += [torch.nn.Linear(n_inputs, n_outputs), torch.nn.ReLU()]
            return torch.nn.Sequential(*layers[:-1])

        torch.manual_seed(self.seed)
        sizes = (rows.shape[1], *HIDDEN, self.n_components)
        module = torch.nn.Sequential(network(*sizes), network(*sizes[::-1]))
        rows = rows.astype(np.float32)
        wrapped = NeuralNetRegressor(
            module,
            optimizer=torch.optim.Adam,
            lr=1e-3,
            max_epochs=100,
            batch_size=32,
            callbacks=[EarlyStopping(patience=10, load_best=True)],
            verbose=0,
        ).fit(rows, rows)
        self.parts_ = wrapped.module_.eval()

    def encode(self, rows):
        return self._compute(self.parts_[0], rows)

    def decode(self, codes):
        return self._compute(self.parts_[1], codes)

    def _compute(self, part, values):
        import torch

        with torch.no_grad():
            return part(torch.as_tensor(values, dtype=torch.float32)).numpy()


def umap(n_components, seed):
    from umap import UMAP

    return UMAP(n_components=n_components, random_state=seed, n_jobs=1)


def encdr(n_components, seed):
    from encdr import ENCDR

    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    return ENCDR(latent_dim=n_components, random_state=seed, trainer_kwargs=quiet)


PEERS = {
    "PCA": ("sklearn", lambda k, seed: PCA(k)),
    "skae": ("skae", lambda k, seed: AutoencoderTransformer(k, random_state=seed)),
    "UMAP": ("umap", umap),
    "encdr": ("encdr", encdr),
    "SciKeras": ("scikeras", WithSciKeras),
    "skorch": ("skorch", WithSkorch),
}
"""The package that each one needs, and a function of (n_components, seed)."""

DATA = {
    "digits": (load_digits, False, (2, 8)),
    "breast cancer": (load_breast_cancer, True, (2, 4)),
    "wine": (load_wine, True, (2, 4)),
}
"""The function that loads it, whether it is standardised, numbers of components."""

COLUMNS = (
    *("error", "logistic regression", "neighbours", "trustworthiness"),
    *("fit", "transform", "inverse_transform", "first fit"),
)


def split(name):
    """Return training rows, test rows, and the classes of both."""
    load, is_standardised, _ = DATA[name]
    X, y = load(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=1 / 3, stratify=y, random_state=0
    )
    if is_standardised:
        scaler = StandardScaler().fit(X)
        X, X_test = scaler.transform(X), scaler.transform(X_test)
    return X, X_test, y, y_test


def cpu_seconds(function, *args):
    """Return the result of a call, and how long it took the processor."""
    start = time.process_time()
    return function(*args), time.process_time() - start


def measured(peer, X, X_test, y, y_test):
    """Return error, two accuracies, trustworthiness and three times."""
    _, of_fit = cpu_seconds(peer.fit, X)
    codes, of_transform = cpu_seconds(peer.transform, X_test)
    error = of_decoding = np.nan
    if "umap" not in type(peer).__module__ or codes.shape[1] <= 4:
        restored, of_decoding = cpu_seconds(peer.inverse_transform, codes)
        error = np.square(restored - X_test).sum()
    learnt = peer.transform(X)
    scores = [
        make_pipeline(StandardScaler(), classifier).fit(learnt, y).score(codes, y_test)
        for classifier in (LogisticRegression(max_iter=1000), KNeighborsClassifier())
    ]
    trust = trustworthiness(X_test, codes, n_neighbors=5)
    return [error, *scores, trust, of_fit, of_transform, of_decoding]


def measure(name):
    """Print what one peer reaches on all data, as lines of JSON."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    os.environ.setdefault("KERAS_BACKEND", "jax")
    make = PEERS[name][1]
    rows = split("wine")
    peer = make(2, 0)
    _, of_first_fit = cpu_seconds(peer.fit, rows[0])
    peer.inverse_transform(peer.transform(rows[1]))
    for data, (_, _, numbers) in DATA.items():
        rows = split(data)
        for k in numbers:
            of_pca = measured(PCA(k), *rows)[0]
            error, *others = measured(make(k, 0), *rows)
            figures = [error / of_pca, *others, of_first_fit]
            print(json.dumps([data, k, name, *figures]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=PEERS)
    case = parser.parse_args().case
    if case:
        measure(case)
        return
    lines = []
    for name, (package, _) in PEERS.items():
        if find_spec(package) is None:
            print(f"{name} is left out, because {package} is not installed.")
            continue
        command = [sys.executable, __file__, "--case", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        found = [line for line in done.stdout.splitlines() if line.startswith("[")]
        lines += map(json.loads, found)
    print("| data | codes | by |", " | ".join(COLUMNS), "|")
    print("| --- " * (3 + len(COLUMNS)) + "|")
    for data, (_, _, numbers) in DATA.items():
        of_data = [line for k in numbers for line in lines if line[:2] == [data, k]]
        for _, k, name, *figures in of_data:
            cells = [f"{figures[0]:.2f}"]
            cells += [f"{one:.3f}" for one in figures[1:4]]
            cells += [f"{one:.2g}" for one in figures[4:]]
            cells = ["" if cell == "nan" else cell for cell in cells]
            print("|", " | ".join([data, str(k), name, *cells]), "|")


if __name__ == "__main__":
    main()
