"""
Accuracy of classifiers on codes that were fitted with labels, and what they cost.

The tables are standardised. 70% of the rows train the reducer and the classifiers, the
others are test rows. The classifiers see standardised codes. For each contender the
script prints

- the accuracy of each classifier minus its accuracy on PCA's codes, in points,
- the mean of these gains on the data set where it is lowest,
- the reconstruction error of test rows relative to PCA's, median and largest,
- the median seconds of a fit, including compilation.

With --out every measurement is stored, and those stored already are not repeated.

    python benchmarks/labels.py --data tables.npz --seeds 3 --out labels.json
    python benchmarks/labels.py --tables wine,digits --contenders "PCA,skae 0.8"

PCovR needs the package skmatter, UMAP needs umap-learn. Without them they are left out.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # for the plain Keras network

import numpy as np
import pandas as pd
from labels_contenders import WITHOUT_DECODER, contenders
from quality_data import data_sets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

CLASSIFIERS = {
    "logistic": lambda: LogisticRegression(max_iter=2000),
    "neighbours": lambda: KNeighborsClassifier(5),
    "SVM": lambda: SVC(),
}

LEFT_OUT = ["iris", "wine", "diabetes", "photographs"]
"""Data sets of the quality study that are measured only if they are named."""

SETTING = ["data", "seed", "k"]


def standardised_split(X, y, seed):
    """Return training and test rows and their labels. 30% are test rows."""
    train, test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, random_state=seed, stratify=y
    )
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test), y_train, y_test


def measure(name, reducer, train, test, y_train, y_test):
    """Return the accuracies in percent, the mean squared error and the seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of contenders that did not converge
        start = time.perf_counter()
        reducer.fit(train, y_train)
        found = {"seconds": time.perf_counter() - start}
        codes, codes_test = reducer.transform(train), reducer.transform(test)
        if name not in WITHOUT_DECODER:
            errors = test - reducer.inverse_transform(codes_test)
            found["error"] = float(np.square(errors).mean())
        for classifier, make in CLASSIFIERS.items():
            pipeline = make_pipeline(StandardScaler(), make())
            accuracy = pipeline.fit(codes, y_train).score(codes_test, y_test)
            found[classifier] = 100 * accuracy
    return found


def study(data, seeds, sizes, compared, out):
    """Return all measurements, with those that the file ``out`` holds already."""
    done = json.loads(out.read_text()) if out and out.exists() else []
    known = {(*(row[key] for key in SETTING), row["contender"]) for row in done}
    for name, (X, y) in data.items():
        for seed in range(seeds):
            rows = standardised_split(X, y, seed)
            for k in (k for k in sizes if k < X.shape[1]):
                for contender, make in compared.items():
                    if (name, seed, k, contender) in known:
                        continue
                    found = measure(contender, make(k, seed), *rows)
                    setting = dict(zip(SETTING, (name, seed, k), strict=True))
                    done.append(setting | {"contender": contender} | found)
                if out:
                    out.write_text(json.dumps(done))
        print(f"measured {name}", flush=True)
    return done


def summary(measurements):
    """Return a table with one line for each contender, over all settings."""
    table = pd.DataFrame(measurements).set_index(SETTING)
    on_pca = table[table.contender == "PCA"]
    lines = {}
    for contender, part in table.groupby("contender", sort=False):
        of_pca = on_pca.loc[part.index]
        gains = part[list(CLASSIFIERS)] - of_pca[list(CLASSIFIERS)]
        worst = gains.mean(axis=1).groupby("data").mean()
        error = part.error / of_pca.error
        lines[contender] = {
            **gains.mean(),
            "worst data set": worst.min(),
            "its name": worst.idxmin(),
            "median error": error.median(),
            "largest": error.max(),
            "seconds": part.seconds.median(),
            "settings": str(len(part)),
        }
    columns = dict.fromkeys((*CLASSIFIERS, "worst data set"), "{:+.1f}".format)
    return pd.DataFrame(lines).T.to_string(
        na_rep="-",
        formatters=columns,
        float_format="{:.2f}".format,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="an npz file of tables, see quality_data.py")
    parser.add_argument("--tables", help="names of data sets, with commas")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--components", type=int, nargs="*", default=[2, 4, 8])
    parser.add_argument("--contenders", help="names of contenders, with commas")
    parser.add_argument("--weights", type=float, nargs="*", default=[0, 0.5, 0.8, 0.95])
    parser.add_argument("--out", type=Path, help="a JSON file of measurements")
    options = parser.parse_args()
    data = data_sets(options.data)
    names = options.tables.split(",") if options.tables else data.keys() - LEFT_OUT
    data = {name: data[name] for name in data if name in names}
    compared = contenders(options.weights)
    if options.contenders:
        chosen = ["PCA", *options.contenders.split(",")]
        compared = {name: compared[name] for name in compared if name in chosen}
    found = study(data, options.seeds, options.components, compared, options.out)
    asked = [
        row
        for row in found
        if row["data"] in data
        and row["seed"] < options.seeds
        and row["k"] in options.components
    ]
    print(summary(asked))
