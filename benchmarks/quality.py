"""
Reconstruction error of test rows, and accuracy of classifiers on the codes.

The data sets are raw and standardised. The numbers of components are from 2 to half the
features. Measured are the reconstruction error of test rows relative to PCA's, the
accuracy of three classifiers on the codes minus their accuracy on PCA's codes, and the
seconds of a fit. The script prints tables. With --save it stores the measurements for
``quality_figure.py``.

    python benchmarks/quality.py                                 # bundled data, minutes
    python benchmarks/quality.py --mnist mnist.npz --tables tables.npz --seeds 3 \
        --compare defaults candidates baselines --save study.csv
    python benchmarks/quality.py --read study.csv                # print tables again
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from quality_contenders import contenders
from quality_data import CHOSEN_ON, IMAGES, code_sizes, data_sets, split
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

CLASSIFIERS = {
    "logistic": lambda: LogisticRegression(max_iter=1000),
    "neighbours": lambda: KNeighborsClassifier(),
    "linear SVM": lambda: LinearSVC(random_state=0),
}


def squared_error(codec, codes, X):
    """Return the squared error, plus the rounding error of an exact reconstruction."""
    X = X.astype(float)
    return np.square(X - codec.inverse_transform(codes)).sum() + 1e-20 * (X**2).sum()


def accuracies(train, y_train, test, y_test):
    """Return the accuracy of each classifier in percent, on standardised features."""
    scores = {}
    for name, classifier in CLASSIFIERS.items():
        pipeline = make_pipeline(StandardScaler(), classifier())
        scores[name] = 100 * pipeline.fit(train, y_train).score(test, y_test)
    return scores


def measure(name, X, y, standardised, seed, compared, n_components):
    """Return one measurement for each contender and number of components."""
    warnings.simplefilter("ignore")  # of classifiers that did not converge
    train, test, y_train, y_test = split(name, X, y, seed)
    if standardised:
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    where = {"data": name, "standardised": standardised, "seed": seed}
    rows = []
    for k in code_sizes(train.shape[1], len(train)):
        if k not in n_components:
            continue
        pca = PCA(k).fit(train)
        pca_error = squared_error(pca, pca.transform(test), test)
        on_pca = accuracies(pca.transform(train), y_train, pca.transform(test), y_test)
        for contender, make in contenders(compared).items():
            if contender in ("KernelPCA", "UMAP") and len(train) > 3000:
                continue  # would take minutes and gigabytes
            reducer = make(k, train, seed)
            if contender.startswith("skae"):
                # This compiles the network, so that only training is timed below.
                clone(reducer).set_params(max_iter=1).fit(train)
            start = time.perf_counter()
            reducer.fit(train)
            seconds = time.perf_counter() - start
            codes = reducer.transform(test)
            found = accuracies(reducer.transform(train), y_train, codes, y_test)
            error = (
                np.nan if contender == "UMAP" else squared_error(reducer, codes, test)
            )
            rows.append(
                {"contender": contender, **where, "k": k, "seconds": seconds}
                | {"ratio": error / pca_error}
                | {one: found[one] - on_pca[one] for one in found}
            )
    return rows


def relative_to_defaults(ratio, of_defaults):
    """Return the geometric mean of a paired ratio, and the standard error of its log.

    The settings of one data set are not independent. So the standard error comes from
    resampling the data sets (bootstrap).
    """
    logs = (np.log(ratio) - np.log(of_defaults)).groupby("data")
    # A contender without reconstruction has no ratio. Its sum must not become 0.
    sums, sizes = logs.sum(min_count=1).to_numpy(), logs.size().to_numpy()
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(sums), size=(2000, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return np.exp(sums.sum() / sizes.sum()), means.std()


def summary(study):
    """Return one line for each contender, over all settings."""
    gain = study[list(CLASSIFIERS)].mean(axis=1)
    study = study.assign(gain=gain)
    default = study[study.contender == "skae"].set_index(
        ["data", "standardised", "seed", "k"]
    )
    lines = {}
    for contender, part in study.groupby("contender", sort=False):
        at = part.set_index(["data", "standardised", "seed", "k"])
        relative, error = relative_to_defaults(
            at.ratio, default.ratio.reindex(at.index)
        )
        of_images = part[part.data.isin(IMAGES) & (part.k == 2)]
        lines[contender] = {
            "median error": part.ratio.median(),
            "geometric mean": np.exp(np.log(part.ratio).mean()),
            "relative to the defaults": relative,
            "standard error": error,
            "largest": part.ratio.max(),
            "above 1.01": (part.ratio > 1.01).mean(),
            "gain": part.gain.mean(),
            "gain on images, 2 components": of_images.gain.mean(),
            "gain on the worst data set": part.groupby("data").gain.mean().min(),
            "time": (at.seconds / default.seconds).median(),
            "settings": len(part),
        }
    return pd.DataFrame(lines).T


def by_data(study):
    """Return one line of skae's defaults for each data set."""
    study = study[study.contender == "skae"]
    study = study.assign(gain=study[list(CLASSIFIERS)].mean(axis=1))
    grouped = study.groupby("data", sort=False)
    return pd.DataFrame(
        {
            "median error": grouped.ratio.median(),
            "largest": grouped.ratio.max(),
            "gain": grouped.gain.mean(),
            "seconds": grouped.seconds.median(),
            "settings": grouped.size(),
        }
    )


def markdown(table):
    """Return a table as Markdown."""
    lines = ["| | " + " | ".join(table.columns) + " |"]
    lines.append("| --- " * (len(table.columns) + 1) + "|")
    for name, values in table.iterrows():
        cells = [
            f"{v:.0f}" if c == "settings" else f"{v:.3g}" for c, v in values.items()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--mnist")
    parser.add_argument("--tables")
    parser.add_argument("--largest", type=int, default=10000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of data sets")
    parser.add_argument("--compare", nargs="*", default=["defaults"])
    parser.add_argument("--components", nargs="*", type=int, default=[2, 4, 8, 16, 32])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--save")
    parser.add_argument("--read")
    options = parser.parse_args()
    if options.read:
        study = pd.read_csv(options.read)
    else:
        data = data_sets(options.tables, options.mnist, options.largest)
        cases = [
            (name, *data[name], standardised, seed)
            for name in (options.only or data)
            for standardised in (False, True)
            for seed in range(options.seeds)
        ]
        found = Parallel(n_jobs=options.jobs, batch_size=1)(
            delayed(measure)(*case, options.compare, options.components)
            for case in sorted(cases, key=lambda case: -case[1].size)
        )
        study = pd.concat(map(pd.DataFrame, found), ignore_index=True)
        if options.save:
            study.to_csv(options.save, index=False)
    print(markdown(by_data(study)))
    for title, part in (
        ("data that the defaults were chosen on", study[study.data.isin(CHOSEN_ON)]),
        ("data that are only reported", study[~study.data.isin(CHOSEN_ON)]),
        ("all", study),
    ):
        if len(part):
            print(f"\n{title}\n\n{markdown(summary(part))}")
