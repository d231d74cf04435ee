"""
Missing values: the error of imputed values, and classification after imputation.

Values of standardised tables are made missing: 10 or 30 % at random, or the largest
ones more often (the chance grows with the rank). Each imputer fills in the table that
it was fitted to. The figure is the root of the mean squared error of the imputed
values, divided by that of IterativeImputer. Features are standardised.

    python benchmarks/imputation.py --tables tables.npz --save imputation.csv
    python benchmarks/imputation.py --read imputation.csv      # print the tables again
    python benchmarks/imputation.py --tables tables.npz --classify --save classes.csv
    python benchmarks/imputation.py --surface   # the dense autoencoder itself
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from quality import markdown
from quality_data import data_sets
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer
from skae.impute import AutoencoderImputer

SETTINGS = [
    ("at random", 0.1),
    ("at random", 0.3),
    ("largest more often", 0.1),
    ("largest more often", 0.3),
]
FOREST_FEATURES = 20
"""The forests take minutes with more features than this."""


def imputers(n_features, seed):
    """Return the imputers to compare, by name."""
    found = {
        "mean": SimpleImputer(),
        "10 neighbours": KNNImputer(n_neighbors=10),
        "IterativeImputer": IterativeImputer(random_state=seed),
        "PPCA by EM": AutoencoderImputer(max_iter=0, random_state=seed),
        "AutoencoderImputer": AutoencoderImputer(random_state=seed),
    }
    if n_features <= FOREST_FEATURES:
        forest = RandomForestRegressor(
            10, min_samples_leaf=3, max_features=0.5, random_state=seed
        )
        found["forests"] = IterativeImputer(forest, max_iter=4, random_state=seed)
    return found


def missing_values(X, kind, fraction, rng):
    """Choose the values that are missing. No row becomes empty."""
    chances = np.full(X.shape, fraction)
    if kind != "at random":
        ranks = X.argsort(axis=0).argsort(axis=0) / (len(X) - 1)
        chances = 2 * fraction * ranks
    missing = rng.random(X.shape) < chances
    empty = np.flatnonzero(missing.all(axis=1))
    missing[empty, rng.integers(X.shape[1], size=len(empty))] = False
    return missing


def table(X, y, most_rows, rng):
    """Return some standardised rows without constant features, and their labels."""
    rows = rng.permutation(len(X))[:most_rows]
    X, y = X[rows], y[rows]
    X = X[:, X.std(axis=0) > 1e-9]
    return StandardScaler().fit_transform(X), y


def errors(name, X, y, options):
    """Yield a row of results for each setting and imputer."""
    rng = np.random.default_rng(options.seed)
    X, _ = table(X, y, options.most_rows, rng)
    for kind, fraction in SETTINGS:
        missing = missing_values(X, kind, fraction, rng)
        damaged = np.where(missing, np.nan, X)
        for imputer_name, imputer in imputers(X.shape[1], options.seed).items():
            if imputer_name == "forests" and options.no_forests:
                continue
            start = time.perf_counter()
            filled = imputer.fit_transform(damaged)
            yield {
                "table": name,
                "missing": f"{fraction:.0%} {kind}",
                "method": imputer_name,
                "value": float(np.sqrt(np.mean((filled - X)[missing] ** 2))),
                "seconds": time.perf_counter() - start,
            }


def accuracies(name, X, y, options):
    """Yield the accuracy of classifiers. Test rows have missing values, too."""
    rng = np.random.default_rng(options.seed)
    X, y = table(X, y, options.most_rows, rng)
    train, test = train_test_split(
        np.arange(len(X)), test_size=0.3, stratify=y, random_state=options.seed
    )
    classifiers = {
        "logistic regression": LogisticRegression(max_iter=1000),
        "15 neighbours": KNeighborsClassifier(15),
        "boosting": HistGradientBoostingClassifier(random_state=options.seed),
    }
    for kind, fraction in SETTINGS:
        missing = missing_values(X, kind, fraction, rng)
        damaged = np.where(missing, np.nan, X)
        for imputer_name, parts, seconds in completed(damaged, train, test, options):
            for classifier_name, classifier in classifiers.items():
                if np.isnan(parts[0]).any() and classifier_name != "boosting":
                    continue
                model = make_pipeline(StandardScaler(), classifier)
                model.fit(parts[0], y[train])
                yield {
                    "table": name,
                    "missing": f"{fraction:.0%} {kind}",
                    "method": imputer_name,
                    "classifier": classifier_name,
                    "value": 100 * model.score(parts[1], y[test]),
                    "seconds": seconds,
                }


def completed(damaged, train, test, options):
    """Yield the training and the test rows as each imputer completes them."""
    parts = damaged[train], damaged[test]
    yield "none", parts, 0.0
    for name, imputer in imputers(damaged.shape[1], options.seed).items():
        if name == "forests":
            continue
        start = time.perf_counter()
        imputer.fit(parts[0])
        filled = tuple(imputer.transform(part) for part in parts)
        seconds = time.perf_counter() - start
        yield name, filled, seconds
        if name in ("mean", "AutoencoderImputer"):
            pairs = zip(filled, parts, strict=True)
            marked = tuple(np.hstack([new, np.isnan(old)]) for new, old in pairs)
            yield f"{name} and indicator", marked, seconds


def report_errors(found):
    """Print geometric means of the errors relative to IterativeImputer's."""
    keys = ["table", "missing"]
    values = found.pivot_table(index=keys, columns="method", values="value")
    ratios = values.div(values["IterativeImputer"], axis=0)
    seconds = found.groupby("method")["seconds"].agg(["mean", "max"])
    logs = np.log(ratios)
    shown = np.exp(logs.groupby("missing").mean()).T
    shown["all"] = np.exp(logs.mean())
    with_forests = ratios["forests"].notna() if "forests" in ratios else None
    if with_forests is not None:
        shown["all with forests"] = np.exp(logs[with_forests].mean())
    shown["seconds"], shown["most seconds"] = seconds["mean"], seconds["max"]
    print(markdown(shown.sort_values("all", ascending=False)))
    against = values["AutoencoderImputer"] / values["PPCA by EM"]
    worst = against.sort_values().tail(3)
    print(f"\nAgainst PPCA: {np.exp(np.log(against).mean()):.3f}, the largest {worst}")
    print(
        f"{values.index.get_level_values(0).nunique()} tables, {len(values)} settings"
    )


def report_accuracies(found):
    """Print mean accuracies."""
    shown = found.pivot_table(
        index="method", columns=["classifier", "missing"], values="value"
    )
    means = found.pivot_table(index="method", columns="classifier", values="value")
    print(markdown(means), "\n")
    print(markdown(shown["boosting"]))
    print(f"\n{found['table'].nunique()} tables")


def report_surface():
    """Print errors of hidden values that the dense autoencoder reconstructs."""

    def rows(seed):
        rng = np.random.default_rng(seed)
        t = rng.uniform(-1, 1, size=(500, 2))
        more = [t**2, t[:, :1] * t[:, 1:], np.sin(3 * t)]
        complete = np.hstack([t, *more]) + 0.03 * rng.normal(size=(500, 7))
        return complete, rng.uniform(size=complete.shape) < 0.2

    found = {}
    for seed in range(5):
        (X, missing), (X_new, missing_new) = rows(2 * seed), rows(2 * seed + 1)
        incomplete, incomplete_new = (
            np.where(missing, np.nan, X),
            np.where(missing_new, np.nan, X_new),
        )
        for name, parameters, fitted_to in (
            ("probabilistic PCA", {"hidden_layer_sizes": ()}, incomplete),
            ("network of incomplete rows", {}, incomplete),
            ("network of complete rows", {}, X),
        ):
            model = AutoencoderTransformer(2, random_state=seed, **parameters)
            restored = model.fit(fitted_to).reconstruct(incomplete_new)
            error = np.sqrt(np.mean((restored - X_new)[missing_new] ** 2))
            found.setdefault(name, []).append(error)
    shown = pd.DataFrame(found).T
    shown.columns = [f"seed {seed}" for seed in shown]
    print(markdown(shown))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", help="npz file with NAME_X and NAME_y")
    parser.add_argument("--only", nargs="*", help="names of tables")
    parser.add_argument("--most-rows", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classify", action="store_true")
    parser.add_argument("--surface", action="store_true")
    parser.add_argument("--no-forests", action="store_true")
    parser.add_argument("--save", default="imputation.csv")
    parser.add_argument("--read", nargs="*")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.surface:
        return report_surface()
    if options.read:
        found = pd.concat(map(pd.read_csv, options.read))
    else:
        sets = data_sets(options.tables)
        sets.pop("photographs")
        measured, rows = accuracies if options.classify else errors, []
        for name, (X, y) in sets.items():
            if options.only and name not in options.only:
                continue
            rows += measured(name, X, y, options)
            found = pd.DataFrame(rows)
            found.to_csv(options.save, index=False)
            print(name, X.shape, flush=True)
    return (report_accuracies if "classifier" in found else report_errors)(found)


if __name__ == "__main__":
    main()
