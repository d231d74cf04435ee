"""ROC-AUC and average precision of outlier detectors on tables with known outliers.

    python benchmarks/outliers.py --data outliers.npz

The file holds NAME_X and, with 1 for outliers, NAME_y for each table, such as those of
ADBench (Han et al. 2022). 70 % of the rows train, once with their outliers and once
without. Features are standardised by the training rows. PyOD's detectors take part if
PyOD is installed. ``--detectors`` runs only some of them.
"""

import argparse
import time

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.outliers import AutoencoderOutlierDetector

SKAE = "skae"
LINEAR = AutoencoderTransformer(0.9, hidden_layer_sizes=())


class Neighbours:
    """Minus the distance to the k-th neighbour, as in PyOD's KNN."""

    def __init__(self, n_neighbors):
        self.index = NearestNeighbors(n_neighbors=n_neighbors)

    def fit(self, X):
        self.index.fit(X)
        return self

    def score_samples(self, X):
        return -self.index.kneighbors(X)[0][:, -1]


class FromPyOD:
    """A detector of PyOD, whose scores are higher for outliers."""

    def __init__(self, detector):
        self.detector = detector

    def fit(self, X):
        self.detector.fit(X)
        return self

    def score_samples(self, X):
        return -self.detector.decision_function(X)


def contenders(seed):
    detectors = {
        SKAE: AutoencoderOutlierDetector(random_state=seed),
        "skae, linear": AutoencoderOutlierDetector(LINEAR, random_state=seed),
        "skae, likelihood": AutoencoderOutlierDetector(
            method="likelihood", random_state=seed
        ),
        "IsolationForest": IsolationForest(random_state=seed),
        "kNN, 5 neighbours": Neighbours(5),
        "kNN, 10 neighbours": Neighbours(10),
        "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
        "PCA.score_samples": PCA(0.9, svd_solver="full"),
    }
    for module, name, options in (
        ("ecod", "ECOD", {}),
        ("pca", "PCA", {}),
        ("auto_encoder", "AutoEncoder", {"random_state": seed, "verbose": 0}),
        ("vae", "VAE", {"random_state": seed, "verbose": 0}),
    ):
        try:
            found = __import__(f"pyod.models.{module}", fromlist=[name])
        except ImportError:
            continue
        detectors[f"PyOD {name}"] = FromPyOD(getattr(found, name)(**options))
    return detectors


def evaluated(detector, train, test, truth):
    """Return ROC-AUC, average precision and the seconds of a CPU core in ``fit``."""
    started = time.process_time()
    with np.errstate(divide="ignore"):
        detector.fit(train)
        seconds = time.process_time() - started
        badness = np.nan_to_num(-detector.score_samples(test), posinf=1e300)
    return (
        roc_auc_score(truth, badness),
        average_precision_score(truth, badness),
        seconds,
    )


def rows_for(X, y, seed, contaminated):
    """Return standardised training rows, test rows and the test rows' labels."""
    train, test, labels, truth = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    train = train if contaminated else train[labels == 0]
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test), truth


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="the file of tables")
    parser.add_argument("--tables", nargs="*", help="names; all by default")
    parser.add_argument("--detectors", nargs="*", help="names; all by default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tables = np.load(arguments.data)
    names = arguments.tables or sorted(
        name.removesuffix("_X") for name in tables.files if name.endswith("_X")
    )
    # The first fit imports Keras.
    AutoencoderTransformer(1, hidden_layer_sizes=(2,), max_iter=1).fit(np.eye(3))
    results = {}
    for name in names:
        X, y = tables[f"{name}_X"].astype(np.float64), tables[f"{name}_y"]
        for contaminated in (True, False):
            rows = rows_for(X, y, arguments.seed, contaminated)
            for label, detector in contenders(arguments.seed).items():
                if arguments.detectors and label not in arguments.detectors:
                    continue
                found = evaluated(detector, *rows)
                results.setdefault((contaminated, label), []).append(found)
        for (contaminated, label), found in results.items():
            kind = "contaminated" if contaminated else "normal"
            area, precision, seconds = found[-1]
            print(
                f"{name}, {kind}, {label}: {area:.3f} {precision:.3f} {seconds:.1f} s",
                flush=True,
            )
    for contaminated, kind in ((True, "contaminated rows"), (False, "normal rows")):
        print(f"\nTrained on {kind}, means of {len(names)} tables\n")
        print("| detector | ROC-AUC | average precision | CPU seconds, largest |")
        print("| --- | --- | --- | --- |")
        for (mode, label), found in results.items():
            if mode == contaminated:
                area, precision, _ = np.mean(found, axis=0)
                slowest = max(seconds for _, _, seconds in found)
                print(f"| {label} | {area:.3f} | {precision:.3f} | {slowest:.1f} |")


if __name__ == "__main__":
    main()
