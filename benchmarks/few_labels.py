"""
Accuracy on MNIST with ten labels of each digit, and all other images without.

The reducers learn 32 codes from 60000 images. Logistic regression and five nearest
neighbours then learn from the codes of the 100 images that have a label. The script
prints their mean accuracy on the 10000 test images over the draws of the labels, and
the mean squared error of reconstructed test images relative to PCA's.

"labels" are autoencoders that get -1 as the class of the other images. "spread labels"
get a class for every image: scikit-learn's ``LabelSpreading`` passes the 100 labels on
from neighbour to neighbour, on PCA's codes. "all spread labels" are classifiers that
see the spread labels, too.

    python benchmarks/few_labels.py --data mnist.npz
    python benchmarks/few_labels.py --data mnist.npz --draws 1 --contenders dense
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, kneighbors_graph
from sklearn.semi_supervised import LabelSpreading

from skae import AutoencoderTransformer

N_COMPONENTS = 32
LABELS_PER_CLASS = 10
N_CLASSES = 10
MAX_ITER = 20
"""Epochs. With so many images more of them change little."""


def images(path, n_samples):
    """Return training and test images as rows in [0, 1], and their digits."""
    data = np.load(path)
    parts = []
    for part, n in (("train", n_samples), ("test", None)):
        X = data[f"x_{part}"][:n]
        parts += [X.reshape(len(X), -1) / np.float32(255), data[f"y_{part}"][:n]]
    X, y, X_test, y_test = parts
    return X, y.astype(int), X_test, y_test.astype(int)


def drawn(y, seed):
    """Return the numbers of the images with a label, and y with -1 for the others."""
    rng = np.random.RandomState(seed)
    rows = np.concatenate(
        [
            rng.choice(np.flatnonzero(y == digit), LABELS_PER_CLASS, replace=False)
            for digit in range(N_CLASSES)
        ]
    )
    partly = np.full(len(y), -1)
    partly[rows] = y[rows]
    return rows, partly


def accuracies(transform, X, y, X_test, y_test):
    """Return the accuracy of both classifiers, trained on ``X``."""
    codes, codes_test = transform(X), transform(X_test)
    unit = codes.std()
    return [
        model.fit(codes / unit, y).score(codes_test / unit, y_test)
        for model in (LogisticRegression(max_iter=2000), KNeighborsClassifier(5))
    ]


def neighbours_of_either(X, others):
    """Join two images if one is among the seven nearest neighbours of the other."""
    graph = kneighbors_graph(X, 7)
    return graph.maximum(graph.T)


def spread(codes, partly):
    """Return a class for every image: the labels, passed on between neighbours."""
    spreading = LabelSpreading(kernel=neighbours_of_either, alpha=0.99, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return spreading.fit(codes, partly).transduction_


def estimators(names, target_weight, seed):
    """Return the autoencoders to compare, by name."""
    options = {
        "target_weight": target_weight,
        "max_iter": MAX_ITER,
        "random_state": seed,
    }
    found = {
        "dense": AutoencoderTransformer(N_COMPONENTS, **options),
        "convolutional": AutoencoderTransformer(
            N_COMPONENTS, image_shape=(28, 28), **options
        ),
    }
    return {name: found[name] for name in names}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="MNIST as an npz file")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--samples", type=int, default=60000)
    parser.add_argument("--weight", type=float, default=0.5)
    parser.add_argument(
        "--contenders", nargs="*", default=["dense", "convolutional"], metavar="NAME"
    )
    parser.add_argument(
        "--labels", nargs="*", default=["labels", "spread labels"], metavar="NAME"
    )
    options = parser.parse_args()
    X, y, X_test, y_test = images(options.data, options.samples)
    pca = PCA(N_COMPONENTS, random_state=0).fit(X)
    pca_error = np.square(X_test - pca.inverse_transform(pca.transform(X_test))).mean()
    table = {}

    def record(name, transform, rows, labels, error=np.nan, seconds=np.nan):
        found = accuracies(transform, X[rows], labels[rows], X_test, y_test)
        table.setdefault(name, []).append([*found, error, seconds])
        print(name, np.round(table[name][-1], 3), flush=True)

    for draw in range(options.draws):
        rows, partly = drawn(y, draw)
        everywhere = np.arange(len(X))
        record("pixels", lambda X: X, rows, y)
        record("PCA", pca.transform, rows, y, 1.0)
        given = {"labels": partly}
        if "spread labels" in options.labels:
            given["spread labels"] = spread(pca.transform(X), partly)
            right = np.mean(given["spread labels"] == y)
            print(f"spread labels: {right:.3f} are right", flush=True)
            labels = given["spread labels"]
            record("PCA, all spread labels", pca.transform, everywhere, labels, 1.0)
        for labels in options.labels:
            compared = estimators(options.contenders, options.weight, draw)
            for name, model in compared.items():
                start = time.perf_counter()
                model.fit(X, given[labels])
                seconds = time.perf_counter() - start
                restored = model.inverse_transform(model.transform(X_test))
                error = np.square(X_test - restored).mean() / pca_error
                costs = error, seconds
                record(f"{name}, {labels}", model.transform, rows, y, *costs)
                if labels != "labels":
                    name = f"{name}, all {labels}"
                    record(name, model.transform, everywhere, given[labels], *costs)
    print("\n                                  logistic neighbours  error seconds")
    for name, found in table.items():
        logistic, neighbours, error, seconds = np.mean(found, axis=0)
        print(
            f"{name:34s}{logistic:8.3f} {neighbours:10.3f} {error:6.2f} {seconds:7.0f}"
        )
