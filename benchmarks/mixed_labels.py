"""
Tables of several kinds: the accuracy of classifiers on codes, and what the codes cost.

Two thirds of the rows of a table, with equal shares of each class, train the codes and
the classifiers. The others are test rows. The classifiers see standardised codes of 2,
4 and 8 components. For each contender the script prints

- the accuracy of each classifier minus its accuracy on the codes of factor analysis of
  mixed data (FAMD), in points: mean and median over tables, seeds and components,
- the reconstruction error of test rows relative to FAMD's, in the numbers of the
  encoded table: median and largest.

Then 20 % of the values are hidden at random, in training and in test rows. The rows are
encoded with their gaps ("incomplete"), or filled in by AutoencoderImputer first
("imputed"). Both are compared with FAMD of the filled in rows. Errors are in the units
of the observed training values, and are those of all values, also of hidden ones.
With --complete nothing is hidden.

    python benchmarks/mixed_labels.py --data mixed/ --seeds 2 --save mixed_labels.csv
    python benchmarks/mixed_labels.py --data mixed/ --most-rows 3000 --complete
    python benchmarks/mixed_labels.py --read mixed_labels.csv     # print them again

``mixed/`` has one parquet file for each table. Without it there is one table, of
scikit-learn's diabetes data.
"""

import argparse

import numpy as np
import pandas as pd
from mixed_tables import hidden, run, tables
from quality import markdown
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.impute import AutoencoderImputer
from skae.tables import TableEncoder

TARGETS = {
    "AER_HMDA": ("deny", ["insurance"]),
    "AER_NMES1988": ("insurance", ["medicaid"]),
    "Ecdat_Participation": ("lfp", []),
    "ISLR_OJ": ("Purchase", []),
    "carData_Arrests": ("released", []),
    "carData_Chile": ("vote", []),
    "diabetes": ("bmi", []),
    "modeldata_credit_data": ("Status", []),
    "modeldata_mlc_churn": ("churn", []),
    "openintro_births14": ("lowbirthweight", ["weight"]),
}
"""The target of each table, and columns that would say what it is."""

N_COMPONENTS = 2, 4, 8
HIDDEN = 0.2
CLASSIFIERS = {
    "logistic": LogisticRegression(max_iter=2000),
    "neighbours": KNeighborsClassifier(5),
}
CONTENDERS = {
    "FAMD": {"hidden_layer_sizes": ()},
    "skae without labels": {},
    "linear, weight 0.5": {"hidden_layer_sizes": (), "target_weight": 0.5},
    "linear, weight 0.8": {"hidden_layer_sizes": (), "target_weight": 0.8},
    "skae, weight 0.5": {"target_weight": 0.5},
    "skae, weight 0.7": {"target_weight": 0.7},
}
"""Parameters of AutoencoderTransformer."""


def ways(train, test, seed, complete):
    """Yield the ways in which rows are given, an encoder, training and test rows."""
    encoder = TableEncoder(handle_unknown="ignore")
    yield "complete", encoder.fit(train), train, test
    if complete:
        return
    train, _ = hidden(train, HIDDEN, seed)
    test, _ = hidden(test, HIDDEN, seed + 1000)
    encoder.fit(train)
    imputer = AutoencoderImputer(random_state=seed).set_output(transform="pandas")
    yield "imputed", encoder, imputer.fit_transform(train), imputer.transform(test)
    yield "incomplete", encoder, train, test


def accuracies(train, y_train, test, y_test):
    """Return the accuracy of each classifier in percent, on standardised features."""
    scores = {}
    for name, classifier in CLASSIFIERS.items():
        pipeline = make_pipeline(StandardScaler(), clone(classifier))
        scores[name] = 100 * pipeline.fit(train, y_train).score(test, y_test)
    return scores


def study(options):
    """Yield a record of each table, seed, way, number of components and contender."""
    for seed in range(options.seeds):
        for name, table in tables(options.data, None):
            if name not in TARGETS:
                continue
            target, left_out = TARGETS[name]
            table = table.dropna(subset=target)[: options.most_rows]
            X, y = table.drop(columns=[target, *left_out]), table[target].astype(str)
            *rows, y_train, y_test = train_test_split(
                X, y, test_size=1 / 3, stratify=y, random_state=seed
            )
            for way, encoder, train, test in ways(*rows, seed, options.complete):
                encoded = [encoder.transform(part) for part in (train, test)]
                truth = encoder.transform(rows[1])
                setting = {"table": name, "seed": seed, "way": way}
                means = SimpleImputer().fit(encoded[0])
                features = [means.transform(part) for part in encoded]
                of_all = accuracies(features[0], y_train, features[1], y_test)
                rank = len(encoder.variables_) - encoder.is_categorical_.sum()
                for k in (k for k in N_COMPONENTS if k < rank):
                    of_k = setting | {"k": k}
                    yield of_k | {"codes": "all features"} | of_all
                    for contender, parameters in CONTENDERS.items():
                        reducer = AutoencoderTransformer(
                            k, random_state=seed, **parameters
                        ).fit(encoded[0], y_train)
                        codes = [reducer.transform(part) for part in encoded]
                        scores = accuracies(codes[0], y_train, codes[1], y_test)
                        errors = reducer.inverse_transform(codes[1]) - truth
                        scores["error"] = np.nanmean(np.square(errors))
                        yield of_k | {"codes": contender} | scores


def report(records):
    """Print gains and errors over all settings, then gains by table and components."""
    records = records.set_index(["table", "seed", "k", "way", "codes"])
    measures = records.unstack(["way", "codes"])
    summary, both = {}, {}
    for way, codes in records.index.droplevel(["table", "seed", "k"]).unique():
        base = "complete" if way == "complete" else "imputed"
        gains = pd.DataFrame(
            {
                name: measures[name, way, codes] - measures[name, base, "FAMD"]
                for name in CLASSIFIERS
            }
        )
        ratio = measures["error", way, codes] / measures["error", base, "FAMD"]
        line = f"{way}: {codes}"
        summary[line] = {
            **gains.mean().add_prefix("mean "),
            **gains.median().add_prefix("median "),
            "median error": ratio.median(),
            "largest error": ratio.max(),
            "settings": len(gains),
        }
        both[line] = gains.mean(axis=1)
    print(markdown(pd.DataFrame(summary).T.round(3)))
    for by in ("table", "k"):
        print(f"\nMean gain of both classifiers, by {by}\n")
        print(markdown(pd.DataFrame(both).groupby(by).mean().round(3)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--most-rows", type=int, default=1500)
    parser.add_argument("--complete", action="store_true")
    run(parser, study, report)
