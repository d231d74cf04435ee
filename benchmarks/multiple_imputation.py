"""
Multiple imputation: how often the draws of a missing number enclose it.

20 % of the values of a table are hidden at random. Two thirds of the rows train the
imputer, which draws the hidden values of the others 20 times. The interval of a number
goes from the 5 % to the 95 % quantile of its draws. The script prints for each imputer

- the fraction of the hidden numbers that lie in their interval,
- the mean width of the intervals, in standard deviations of the training rows,
- the error of the mean of the draws: the root of its mean square, in these deviations.

20 draws and the number itself have 21 ranks, which are equally probable if the draws
are right. The quantiles of 20 draws enclose 17.1 of 21 ranks. So the fraction should be
0.814.

    python benchmarks/multiple_imputation.py --data mixed/ --save draws.csv
    python benchmarks/multiple_imputation.py --read draws.csv     # print it again

``mixed/`` has one parquet file for each table. Without it there is one table, of
scikit-learn's diabetes data. IterativeImputer sees tables as TableEncoder encodes them.
Tables that it encodes as more than 40 columns are left out.
"""

import argparse
import time

import numpy as np
from mixed_tables import hidden, run, tables
from quality import markdown
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.model_selection import train_test_split

from skae.impute import AutoencoderImputer
from skae.tables import TableEncoder

MOST_ROWS = 1000
MOST_COLUMNS = 40
N_DRAWS = 20
HIDDEN = 0.2
ENDS = 0.05, 0.95


def draws_of_skae(train, test, is_number, max_iter):
    """Return the draws of the numbers of test rows."""
    imputer = AutoencoderImputer(
        max_iter=max_iter, sample_posterior=True, random_state=0
    ).set_output(transform="pandas")
    imputer.fit(train)
    return [
        imputer.set_params(random_state=seed).transform(test).loc[:, is_number]
        for seed in range(N_DRAWS)
    ]


def draws_of_iterative(train, test, is_number, encoder):
    """Return the draws of the numbers of test rows, which are encoded."""
    imputer = IterativeImputer(sample_posterior=True, random_state=0)
    imputer.fit(encoder.transform(train))
    encoded = encoder.transform(test)
    places = [list(encoder.variables_).index(j) for j in np.flatnonzero(is_number)]
    # Each call goes on with the random numbers of the last one.
    return [
        imputer.transform(encoded)[:, places] * encoder.scale_[is_number]
        + encoder.mean_[is_number]
        for _ in range(N_DRAWS)
    ]


def study(options):
    """Yield a record of each table and imputer."""
    for name, table in tables(options.data):
        parts = train_test_split(table[:MOST_ROWS], test_size=1 / 3, random_state=0)
        (train, _), (test, gaps) = (
            hidden(part, HIDDEN, seed) for seed, part in enumerate(parts)
        )
        encoder = TableEncoder(handle_unknown="ignore").fit(train)
        if len(encoder.variables_) > MOST_COLUMNS:
            continue
        is_number = ~encoder.is_categorical_
        gaps, truth = gaps[:, is_number], parts[1].loc[:, is_number].to_numpy()
        deviations = encoder.scale_[is_number]
        imputers = {
            "IterativeImputer": (draws_of_iterative, encoder),
            "skae, linear": (draws_of_skae, 0),
            "skae": (draws_of_skae, 60),
        }
        for imputer, (drawn, option) in imputers.items():
            start = time.process_time()
            draws = np.array(drawn(train, test, is_number, option), dtype=float)
            seconds = time.process_time() - start
            low, high = np.quantile(draws, ENDS, axis=0)
            errors = (draws.mean(axis=0) - truth) / deviations
            yield {
                "table": name,
                "imputer": imputer,
                "inside": ((low <= truth) & (truth <= high))[gaps].mean(),
                "width": ((high - low) / deviations)[gaps].mean(),
                "error": np.sqrt(np.square(errors[gaps]).mean()),
                "seconds": seconds,
            }


def report(records):
    """Print means over the tables, and the fractions of each table."""
    imputers = records["imputer"].unique()
    means = records.groupby("imputer").mean(numeric_only=True).loc[imputers]
    print(markdown(means.round(3)))
    print("\nFraction inside the interval\n")
    print(markdown(records.pivot(index="table", columns="imputer", values="inside")))


if __name__ == "__main__":
    run(argparse.ArgumentParser(description=__doc__), study, report)
