"""The data sets of the quality study, and those used to choose the defaults."""

import numpy as np
from sklearn import datasets
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.model_selection import train_test_split

CHOSEN_ON = [
    "digits",
    "wine",
    "breast_cancer",
    "mnist 1000",
    "phoneme",
    "pima",
    "australian",
    "marketing",
    "bands",
    "page-blocks0",
    "winequality-red-4",
    "kddcup-rootkit-imap_vs_back",
    "glass1",
    "german",
]
"""Candidates were compared on these data sets. The others are only reported."""

IMAGES = ["digits", "photographs", "mnist 1000", "mnist 10000", "mnist 60000"]

N_COMPONENTS = [2, 4, 8, 16, 32, 64]


def data_sets(tables=None, mnist=None, largest=10000):
    """Return a dict from names to (X, y), for all data sets that are available.

    Parameters
    ----------
    tables : path or None
        An npz file that holds ``NAME_X`` and ``NAME_y``.

    mnist : path or None
        Keras' ``mnist.npz``.

    largest : int
        Largest number of training rows of MNIST.
    """
    found = {
        name: getattr(datasets, f"load_{name}")(return_X_y=True)
        for name in ("iris", "wine", "breast_cancer", "digits")
    }
    X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    found["diabetes"] = X, (y > np.median(y)).astype(int)
    found["photographs"] = photographs()
    if tables:
        arrays = np.load(tables)
        for name in sorted(name[:-2] for name in arrays.files if name.endswith("_X")):
            found[name] = arrays[f"{name}_X"].astype(float), arrays[f"{name}_y"]
    if mnist:
        arrays = np.load(mnist)
        pixels = np.concatenate([arrays["x_train"], arrays["x_test"]])
        X = (pixels.reshape(len(pixels), -1) / 255).astype(np.float32)
        y = np.concatenate([arrays["y_train"], arrays["y_test"]])
        for n_rows in (1000, 10000, 60000):
            if n_rows <= largest:
                found[f"mnist {n_rows}"] = X, y
    return found


def photographs():
    """Return grey patches of 8 x 8 pixels without overlap, and their photographs."""
    patches, pictures = [], []
    for number, picture in enumerate(datasets.load_sample_images().images):
        grey = picture.mean(axis=2)
        for top in range(0, grey.shape[0] - 7, 8):
            strip = extract_patches_2d(grey[top : top + 8], (8, 8))[::8]
            patches.append(strip.reshape(len(strip), 64))
            pictures += [number] * len(strip)
    X, y = np.concatenate(patches), np.array(pictures)
    X, _, y, _ = train_test_split(X, y, train_size=4000, stratify=y, random_state=0)
    return X, y


def split(name, X, y, seed):
    """Return training and test rows and their labels.

    A quarter of the rows are test rows. For MNIST, they are 2000 of its test images.
    """
    if not name.startswith("mnist"):
        return train_test_split(X, y, test_size=0.25, random_state=seed, stratify=y)
    rng = np.random.default_rng(seed)
    train = rng.permutation(60000)[: int(name.split()[1])]
    test = 60000 + rng.permutation(len(X) - 60000)[:2000]
    return X[train], X[test], y[train], y[test]


def code_sizes(n_features, n_samples):
    """Return the numbers of components to try: from 2 to half the features."""
    limit = max(2, min(n_features // 2, n_samples - 1))
    return [size for size in N_COMPONENTS if size <= limit]
