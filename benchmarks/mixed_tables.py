"""
Tables of several kinds: the error of imputed values.

10 or 30 % of the values of a table are hidden at random. Two thirds of the rows train
the imputer. The values that it fills in are compared with the hidden ones in the other
rows. Numbers have the root of the mean squared error in standard deviations of the
training rows, categories the fraction that is wrong.

    python benchmarks/mixed_tables.py --data mixed/ --save mixed.csv
    python benchmarks/mixed_tables.py --read mixed.csv         # print the tables again

``mixed/`` has one parquet file for each table. Without it there is one table, of
scikit-learn's diabetes data. miceforest is compared if it is installed.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from quality import markdown
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import KNNImputer
from sklearn.model_selection import train_test_split

from skae.impute import AutoencoderImputer
from skae.tables import TableEncoder

FRACTIONS = 0.1, 0.3
MOST_ROWS = 2000
N_TREES = 50
MOST_ROUNDS = 5


class MeanAndMode:
    """Fill in the mean of numbers and the most frequent category."""

    def fit(self, table):
        numbers = table.select_dtypes("number").columns
        self.values = table.mode().iloc[0]
        self.values[numbers] = table[numbers].mean()
        return self

    def transform(self, table):
        return table.fillna(self.values)


class Neighbours:
    """Fill in the mean of five rows of encoded tables."""

    def fit(self, table):
        self.encoder = TableEncoder(handle_unknown="ignore").fit(table)
        self.imputer = KNNImputer().fit(self.encoder.transform(table))
        return self

    def transform(self, table):
        numbers = self.imputer.transform(self.encoder.transform(table))
        filled = pd.DataFrame(numbers, index=table.index)
        return table.fillna(self.encoder.inverse_transform(filled))


class Forests:
    """One random forest for each column, in turn (Stekhoven & Buhlmann 2012).

    Rounds go on until the filled in values change more than in the round before.
    """

    def fit(self, table):
        self.start = MeanAndMode().fit(table)
        self.coded = [name for name in table if table[name].dtype.kind != "f"]
        missing, filled = table.isna(), self._coded(self.start.transform(table))
        order = missing.mean().sort_values().index
        self.rounds, change = [], np.inf
        for _ in range(MOST_ROUNDS):
            before, forests = filled.copy(), {}
            for name in order:
                forests[name] = self._forest(name).fit(
                    filled.drop(columns=name)[~missing[name]],
                    filled.loc[~missing[name], name],
                )
                self._fill(forests[name], name, filled, missing)
            self.rounds.append(forests)
            previous, change = change, ((filled - before) ** 2).sum().sum()
            if change >= previous:
                break
        return self

    def transform(self, table):
        missing, filled = table.isna(), self._coded(self.start.transform(table))
        for forests in self.rounds:
            for name, forest in forests.items():
                self._fill(forest, name, filled, missing)
        for name in self.coded:
            values = table[name].cat.categories[filled[name].astype(int)]
            filled[name] = pd.Categorical(values, dtype=table[name].dtype)
        return filled

    def _coded(self, table):
        codes = {name: table[name].cat.codes for name in self.coded}
        return table.assign(**codes).astype(float)

    def _forest(self, name):
        kind = RandomForestClassifier if name in self.coded else RandomForestRegressor
        return kind(N_TREES, random_state=0)

    def _fill(self, forest, name, filled, missing):
        if missing[name].any():
            others = filled.drop(columns=name)[missing[name]]
            filled.loc[missing[name], name] = forest.predict(others)


class Miceforest:
    """Gradient boosting in turn.

    By default it draws from observed values whose predictions are near. These have
    larger errors than the predictions, and fail where a class is certain. So the
    predictions themselves are filled in.
    """

    def fit(self, table):
        import miceforest

        self.kernel = miceforest.ImputationKernel(
            table.reset_index(drop=True), mean_match_candidates=0, random_state=0
        )
        self.kernel.mice(MOST_ROUNDS)
        return self

    def transform(self, table):
        found = self.kernel.impute_new_data(table.reset_index(drop=True))
        # Version 6.0.5 takes the random start for the last round.
        filled = found.complete_data(0, iteration=MOST_ROUNDS)
        return filled.set_index(table.index)


def skae(max_iter=60):
    imputer = AutoencoderImputer(max_iter=max_iter, random_state=0)
    return imputer.set_output(transform="pandas")


CONTENDERS = {
    "mean and mode": MeanAndMode,
    "5 neighbours": Neighbours,
    "forests in turn": Forests,
    "miceforest": Miceforest,
    "skae, linear": lambda: skae(0),
    "skae": skae,
}


def tables(folder, most_rows=MOST_ROWS):
    """Yield names and tables, whose columns are floats or categories."""
    if not folder:
        table = load_diabetes(as_frame=True).data
        thirds = pd.qcut(table["bmi"], 3, labels=["low", "middle", "high"])
        sex = pd.Categorical(np.where(table["sex"] > 0, "a", "b"))
        yield "diabetes", table.assign(sex=sex, bmi=thirds.cat.as_ordered())
        return
    for path in sorted(Path(folder).glob("*.parquet")):
        table = pd.read_parquet(path)
        yield path.stem, table.sample(frac=1, random_state=0)[:most_rows]


def hidden(table, fraction, seed):
    """Return a table with values hidden, and which ones were."""
    rng = np.random.RandomState(seed)
    gaps = (rng.random_sample(table.shape) < fraction) & table.notna().to_numpy()
    return table.mask(gaps), gaps


def errors(filled, table, gaps, deviations):
    """Return the error of numbers and of categories where values were hidden."""
    squares, wrong = [], []
    for number, name in enumerate(table):
        rows = gaps[:, number]
        found, truth = filled[name].to_numpy()[rows], table[name].to_numpy()[rows]
        if table[name].dtype.kind == "f":
            squares.append(np.square((found - truth) / deviations[name]).astype(float))
        else:
            wrong.append(found != truth)
    pooled = [np.concatenate(part) if part else [] for part in (squares, wrong)]
    return np.sqrt(np.mean(pooled[0])), np.mean(pooled[1])


def study(options):
    """Yield a record of each table, fraction and contender."""
    for name, table in tables(options.data):
        train, test = train_test_split(table, test_size=1 / 3, random_state=0)
        deviations = train.select_dtypes("number").std().replace(0, 1)
        for fraction in FRACTIONS:
            (seen, _), (given, gaps) = (
                hidden(train, fraction, 0),
                hidden(test, fraction, 1),
            )
            for contender in options.contenders:
                start = time.process_time()
                try:
                    filled = CONTENDERS[contender]().fit(seen).transform(given)
                except ImportError:
                    continue
                seconds = time.process_time() - start
                found = errors(filled, test, gaps, deviations)
                yield {
                    "table": name,
                    "hidden": fraction,
                    "imputer": contender,
                    "numbers": found[0],
                    "categories": found[1],
                    "seconds": seconds,
                }


def report(records):
    """Print means, and geometric means of the ratios to the forests."""
    print(
        markdown(
            records.groupby(["hidden", "imputer"], sort=False)
            .mean(numeric_only=True)
            .round(3)
        )
    )
    if "forests in turn" not in set(records["imputer"]):
        return
    wide = records.pivot_table(index=["table", "hidden"], columns="imputer")
    ratios = {
        measure: np.exp(
            np.log(wide[measure].div(wide[measure]["forests in turn"], axis=0)).mean()
        )
        for measure in ("numbers", "categories", "seconds")
    }
    print("\nGeometric means of the ratios to forests in turn\n")
    print(markdown(pd.DataFrame(ratios)))


def run(parser, study, report):
    """Report records that a study yields, or those of an earlier run."""
    parser.add_argument("--data", help="folder of parquet files")
    parser.add_argument("--save", help="where to write the records")
    parser.add_argument("--read", help="records to print")
    options = parser.parse_args()
    if options.read:
        report(pd.read_csv(options.read))
        return
    warnings.simplefilter("ignore")
    rows = []
    for row in study(options):
        rows.append(row)
        print(row, flush=True)
        if options.save:
            pd.DataFrame(rows).to_csv(options.save, index=False)
    report(pd.DataFrame(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS))
    run(parser, study, report)
